//! The running kernel's own types: what a program attaches to is a number among them.

use std::ffi::CString;
use std::ptr::NonNull;

use libbpf_sys::{
    BPF_LSM_CGROUP, BPF_LSM_MAC, BPF_TRACE_ITER, BPF_TRACE_RAW_TP, BTF_KIND_FUNC, BTF_KIND_STRUCT,
    BTF_KIND_TYPEDEF,
};

/// The BTF of the kernel, without its modules.
pub struct KernelTypes {
    types: NonNull<libbpf_sys::btf>,
}

impl KernelTypes {
    /// `None`: this kernel does not tell.
    pub fn read_kernel() -> Option<Self> {
        // SAFETY: it takes nothing, and gives null where there is an error.
        let types = unsafe { libbpf_sys::btf__load_vmlinux_btf() };
        NonNull::new(types).map(|types| Self { types })
    }

    /// What programs of this attach type attach to.
    pub fn find_target(&self, attach_type: u32, target: &str) -> Option<u32> {
        let (prefix, kind) = match attach_type {
            BPF_TRACE_RAW_TP => ("btf_trace_", BTF_KIND_TYPEDEF),
            BPF_LSM_MAC | BPF_LSM_CGROUP => ("bpf_lsm_", BTF_KIND_FUNC),
            BPF_TRACE_ITER => ("bpf_iter_", BTF_KIND_FUNC),
            _ => ("", BTF_KIND_FUNC),
        };
        self.find(&format!("{prefix}{target}"), kind)
    }

    pub fn find_struct(&self, name: &str) -> Option<u32> {
        self.find(name, BTF_KIND_STRUCT)
    }

    fn find(&self, name: &str, kind: u32) -> Option<u32> {
        let name = CString::new(name).ok()?;
        // SAFETY: the types are there until this is dropped, and the name ends with a zero byte.
        let number =
            unsafe { libbpf_sys::btf__find_by_name_kind(self.types.as_ptr(), name.as_ptr(), kind) };
        u32::try_from(number).ok().filter(|&number| number != 0)
    }
}

impl Drop for KernelTypes {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the types any more.
        unsafe { libbpf_sys::btf__free(self.types.as_ptr()) }
    }
}
