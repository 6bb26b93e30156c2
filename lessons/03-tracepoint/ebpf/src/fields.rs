//! The fields of the kernel's structs, and the two ways to read one: through a helper, and by a
//! plain load.
//!
//! What Rust costs here (`cargo xtask bench 03`): 1.2 to 1.8 times the instructions of the programs
//! in C. It takes two instructions to load an offset from a global variable, where CO-RE writes a
//! constant; and each read of the kernel's memory can fail, which the programs in Rust look at.
//! About as many instructions are executed as in C.

use aya_ebpf::{Global, helpers::bpf_probe_read_kernel};

// ANCHOR: globals
// Where the fields are. User space looks this up in the BTF of the running kernel, and sets these
// before it loads the programs.
#[unsafe(no_mangle)]
pub static TASK_STRUCT_TGID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static TASK_STRUCT_REAL_PARENT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static TASK_STRUCT_CRED: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static TASK_STRUCT_COMM: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static CRED_UID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static LINUX_BINPRM_FILENAME: Global<u32> = Global::new(0);
// ANCHOR_END: globals

// ANCHOR: read
/// Reads through a helper: the verifier does not know what `base` points to, so the helper checks
/// the address when the program runs.
pub fn read_field<T>(base: *const u8, offset: &Global<u32>) -> Result<T, i32> {
    // SAFETY: the helper fails when the address cannot be read. Callers take numbers and pointers,
    // which any bytes are.
    unsafe { bpf_probe_read_kernel(locate_field(base, offset).cast()) }
}

/// Reads by a plain load: the verifier has checked it before the program runs.
///
/// # Safety
///
/// The verifier must know what `base` points to.
pub unsafe fn load_field<T>(base: *const u8, offset: &Global<u32>) -> T {
    // SAFETY: a load from a bad address gives zero. Callers take numbers and pointers, which any
    // bytes are.
    unsafe { locate_field(base, offset).cast::<T>().read() }
}
// ANCHOR_END: read

pub fn locate_field(base: *const u8, offset: &Global<u32>) -> *const u8 {
    base.wrapping_add(offset.load() as usize)
}
