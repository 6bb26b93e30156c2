//! Parses the kernel's BTF once for all objects.
//!
//! libbpf parses it for each object that it relocates, and frees it after that: 100,000 types, a
//! fifth of the time that loading an object takes in an emulated VM. No option of libbpf 1.7 hands
//! over types that are parsed already. So the linker sends libbpf's calls of these two functions
//! here (`build.rs`), and libbpf gets the same types each time. It only reads them.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libbpf_sys::btf;

/// Null until they were asked for.
static KERNEL_TYPES: AtomicPtr<btf> = AtomicPtr::new(ptr::null_mut());

// SAFETY: libbpf's own declarations; the linker gives its functions these names (`--wrap`).
unsafe extern "C" {
    fn __real_btf__load_vmlinux_btf() -> *mut btf;
    fn __real_btf__free(types: *mut btf);
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_btf__load_vmlinux_btf() -> *mut btf {
    let known = KERNEL_TYPES.load(Ordering::Relaxed);
    if !known.is_null() {
        return known;
    }
    // SAFETY: it takes nothing. Where it fails it returns null, and is asked again the next time.
    let types = unsafe { __real_btf__load_vmlinux_btf() };
    KERNEL_TYPES.store(types, Ordering::Relaxed);
    types
}

/// # Safety
/// As for libbpf's function: nothing may refer to these types any more.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_btf__free(types: *mut btf) {
    if types.is_null() || types != KERNEL_TYPES.load(Ordering::Relaxed) {
        // SAFETY: the caller's.
        unsafe { __real_btf__free(types) }
    }
}
