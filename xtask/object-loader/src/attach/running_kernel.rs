//! What this kernel has: asked when an attachment fails, to tell what is missing.

use std::cell::OnceCell;
use std::ffi::CStr;
use std::fs;
use std::io;
use std::path::Path;

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Enum;
use nix::libc;
use plan::load::{AttachResult, Missing, MissingKind};

use super::refusal::{missing, refuse};
use super::symbols::Symbols;

/// Each answer is kept.
#[derive(Default)]
pub struct RunningKernel {
    symbols: OnceCell<Symbols>,
    types: OnceCell<Option<Btf<'static>>>,
}

impl RunningKernel {
    pub fn symbols(&self) -> &Symbols {
        self.symbols.get_or_init(Symbols::read)
    }

    /// `None`: this kernel has no BTF, or it cannot be read.
    pub fn types(&self) -> Option<&Btf<'static>> {
        let types = self.types.get_or_init(|| Btf::from_vmlinux().ok());
        types.as_ref()
    }

    /// Why a function cannot be traced, as far as its name tells.
    pub fn missing_function(&self, module: Option<&str>, function: &str) -> Option<Missing> {
        if let Some(module) = module
            && !is_module_loaded(module)
        {
            return Some(missing(MissingKind::Module, module));
        }
        let symbols = self.symbols();
        let namesakes = symbols.find_namesakes(function);
        if namesakes.functions == 0 {
            let kind = if namesakes.has_clone {
                MissingKind::TraceableFunction
            } else {
                MissingKind::Function
            };
            return Some(missing(kind, function));
        }
        // Of two functions with one name, none can be named.
        let is_traceable = namesakes.functions == 1 && symbols.is_traceable(function);
        (!is_traceable).then(|| missing(MissingKind::TraceableFunction, function))
    }

    /// An error of an attachment of this type. An old kernel calls a type that it does not know an
    /// invalid argument, one that is built without it an operation that is not supported.
    pub fn refuse_attach_type(
        &self,
        attach_type: u32,
        what: &str,
        error: &io::Error,
    ) -> AttachResult {
        let kind = match error.raw_os_error() {
            Some(libc::EINVAL) if self.lacks_attach_type(attach_type) => MissingKind::AttachType,
            Some(ENOTSUPP) if uses_trampoline(attach_type) => MissingKind::Trampoline,
            Some(libc::EOPNOTSUPP | ENOTSUPP) => MissingKind::AttachType,
            _ => return refuse(None, what, error),
        };
        let missing = missing(kind, name_attach_type(attach_type));
        refuse(Some(missing), what, error)
    }

    /// False as well where this kernel does not tell.
    pub fn lacks_attach_type(&self, attach_type: u32) -> bool {
        let Some(types) = self.types() else {
            return false;
        };
        let Some(attach_types) = types.type_by_name::<Enum<'_>>("bpf_attach_type") else {
            return false;
        };
        let has_it = attach_types
            .iter()
            .filter(|member| !is_end(member.name.unwrap_or_default().as_encoded_bytes()))
            .any(|member| u32::try_from(member.value) == Ok(attach_type));
        !has_it
    }
}

/// The kernel's own number, which the C library does not know.
pub const ENOTSUPP: i32 = 524;

fn uses_trampoline(attach_type: u32) -> bool {
    let types = [
        libbpf_sys::BPF_TRACE_FENTRY,
        libbpf_sys::BPF_TRACE_FEXIT,
        libbpf_sys::BPF_MODIFY_RETURN,
        libbpf_sys::BPF_LSM_MAC,
        libbpf_sys::BPF_LSM_CGROUP,
    ];
    types.contains(&attach_type)
}

/// `__MAX_BPF_ATTACH_TYPE` is no type.
fn is_end(name: &[u8]) -> bool {
    name.starts_with(b"__")
}

/// `BPF_TRACE_KPROBE_MULTI`
pub fn name_attach_type(attach_type: u32) -> String {
    // SAFETY: it looks into a table of texts that live for ever, and checks the index.
    let name = unsafe { libbpf_sys::libbpf_bpf_attach_type_str(attach_type) };
    if name.is_null() {
        return format!("attach type {attach_type}");
    }
    // SAFETY: it is one of those texts.
    let name = unsafe { CStr::from_ptr(name) };
    format!("BPF_{}", name.to_string_lossy().to_uppercase())
}

/// What is built in counts as loaded if it says so.
fn is_module_loaded(module: &str) -> bool {
    let listed = fs::read_to_string("/proc/modules").unwrap_or_default();
    let is_listed = listed
        .lines()
        .any(|line| line.split(' ').next() == Some(module));
    is_listed || module == "vmlinux" || Path::new("/sys/module").join(module).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attach_types_have_the_kernels_names() {
        assert_eq!(
            name_attach_type(libbpf_sys::BPF_TRACE_KPROBE_MULTI),
            "BPF_TRACE_KPROBE_MULTI"
        );
        assert_eq!(name_attach_type(9999), "attach type 9999");
        assert!(is_end(b"__MAX_BPF_ATTACH_TYPE") && !is_end(b"BPF_XDP"));
    }
}
