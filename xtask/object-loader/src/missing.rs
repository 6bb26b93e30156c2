//! What a kernel lacks, found out by asking it: distributions bring features to old kernels, and
//! leave others out of new ones.

use std::ffi::{CStr, c_char};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::{io, ptr};

use libbpf_sys::{
    BPF_ALU64, BPF_EXIT, BPF_F_SLEEPABLE, BPF_JMP, BPF_LSM_CGROUP, BPF_LSM_MAC, BPF_MOV,
    BPF_TRACE_ITER, BPF_TRACE_RAW_TP, bpf_insn,
};
use nix::errno::Errno;
use plan::load::{Missing, MissingKind};
use verifier_output::{LogBuffer, LogDetail};

use crate::log::has_error;
use crate::program_kind::{ProgramCode, ProgramKind};

/// Why a kernel refuses programs of this kind, if it does.
pub fn find_missing(kind: &ProgramKind) -> Option<Missing> {
    // SAFETY: there are no options to point to.
    let known = unsafe { libbpf_sys::libbpf_probe_bpf_prog_type(kind.prog_type, ptr::null()) };
    if known == 0 {
        return Some(Missing {
            kind: MissingKind::ProgramType,
            name: program_type_name(kind.prog_type),
        });
    }
    if is_taken(kind) {
        return None;
    }
    let without_flags = ProgramKind {
        prog_flags: 0,
        ..*kind
    };
    if kind.prog_flags != 0 && is_taken(&without_flags) {
        let name = match kind.prog_flags {
            BPF_F_SLEEPABLE => "BPF_F_SLEEPABLE",
            _ => "BPF_F_XDP_HAS_FRAGS",
        };
        return Some(Missing {
            kind: MissingKind::ProgramFlag,
            name: name.to_owned(),
        });
    }
    Some(Missing {
        kind: MissingKind::AttachType,
        name: attach_type_name(kind.expected_attach_type),
    })
}

/// Whether the kernel lacks this type of map.
pub fn find_missing_map(map_type: u32) -> Option<Missing> {
    // SAFETY: there are no options to point to.
    let known = unsafe { libbpf_sys::libbpf_probe_bpf_map_type(map_type, ptr::null()) };
    // SAFETY: libbpf keeps the names.
    let name = unsafe { constant_name(libbpf_sys::libbpf_bpf_map_type_str(map_type)) };
    (known == 0).then(|| Missing {
        kind: MissingKind::MapType,
        name: format!("BPF_MAP_TYPE_{name}"),
    })
}

/// What programs of this attach type attach to, and is not in the kernel's BTF.
pub fn missing_by_name(attach_type: u32, name: &str) -> Option<Missing> {
    // `MODULE:FUNCTION`
    if let Some((module, _)) = name.split_once(':')
        && !Path::new("/sys/module").join(module).exists()
    {
        return Some(Missing {
            kind: MissingKind::Module,
            name: module.to_owned(),
        });
    }
    let kind = match attach_type {
        BPF_TRACE_RAW_TP => MissingKind::RawTracepoint,
        BPF_LSM_MAC | BPF_LSM_CGROUP => MissingKind::LsmHook,
        BPF_TRACE_ITER => return None,
        _ => MissingKind::Function,
    };
    let name = name.to_owned();
    Some(Missing { kind, name })
}

pub fn describe_missing(missing: &Missing) -> String {
    let name = &missing.name;
    match missing.kind {
        MissingKind::ProgramType => format!("this kernel has no program type {name}"),
        MissingKind::AttachType => format!("this kernel has no attach type {name}"),
        MissingKind::MapType => format!("this kernel has no map type {name}"),
        MissingKind::ProgramFlag => format!("this kernel does not know the flag {name}"),
        MissingKind::StructOps if name == "BPF_F_LINK" => "this kernel registers struct_ops maps \
            without links only: SEC(\".struct_ops\"), not SEC(\".struct_ops.link\")"
            .to_owned(),
        MissingKind::StructOps => format!("this kernel has no struct_ops type {name}"),
        _ => format!("this kernel has no {name}"),
    }
}

/// Whether a kernel loads the smallest program of this kind, or tells what is wrong with it: then
/// it knows the kind.
fn is_taken(kind: &ProgramKind) -> bool {
    // Some hooks want 0, others 1.
    [0, 1].into_iter().any(|value| {
        let mut log = LogBuffer::default();
        match load_smallest(kind, value, &mut log) {
            Ok(_) => true,
            Err(error) => {
                error.raw_os_error() != Some(Errno::EINVAL as i32) || has_error(&log.log_text())
            }
        }
    })
}

/// A program that returns a number.
fn load_smallest(kind: &ProgramKind, value: i32, log: &mut LogBuffer) -> io::Result<OwnedFd> {
    let set_result = bpf_insn {
        code: (BPF_ALU64 | BPF_MOV) as u8,
        imm: value,
        ..Default::default()
    };
    let exit = bpf_insn {
        code: (BPF_JMP | BPF_EXIT) as u8,
        ..Default::default()
    };
    let code = ProgramCode {
        name: c"",
        license: c"GPL",
        instructions: &[set_result, exit],
        options: Default::default(),
    };
    kind.load_code(code, log, LogDetail::Brief)
}

pub fn program_type_name(prog_type: u32) -> String {
    // SAFETY: libbpf keeps the names.
    let name = unsafe { constant_name(libbpf_sys::libbpf_bpf_prog_type_str(prog_type)) };
    format!("BPF_PROG_TYPE_{name}")
}

fn attach_type_name(attach_type: u32) -> String {
    // SAFETY: libbpf keeps the names.
    let name = unsafe { constant_name(libbpf_sys::libbpf_bpf_attach_type_str(attach_type)) };
    format!("BPF_{name}")
}

/// libbpf writes `cgroup_unix_connect` where the kernel's header has `BPF_CGROUP_UNIX_CONNECT`.
///
/// # Safety
/// The name is null or ends with a zero byte.
unsafe fn constant_name(name: *const c_char) -> String {
    if name.is_null() {
        return "(unknown)".to_owned();
    }
    // SAFETY: the caller vouches for it.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_string_lossy().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_kernels_header() {
        assert_eq!(
            program_type_name(libbpf_sys::BPF_PROG_TYPE_NETFILTER),
            "BPF_PROG_TYPE_NETFILTER"
        );
        assert_eq!(
            attach_type_name(libbpf_sys::BPF_CGROUP_UNIX_CONNECT),
            "BPF_CGROUP_UNIX_CONNECT"
        );
        assert_eq!(program_type_name(9999), "BPF_PROG_TYPE_(unknown)");
    }
}
