//! Which calls are worth it: decided in the kernel, so that the others cost next to nothing.

use aya_ebpf::{
    Global,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
};

// Set by the user side before loading. The verifier takes them for constants and drops what they
// rule out.
/// 0: every process.
#[unsafe(no_mangle)]
static PID: Global<u32> = Global::new(0);
/// A name of 16 bytes, as two words: a `Global` is read item by item, and sixteen reads would be
/// too many. Zeroes: every command.
#[unsafe(no_mangle)]
static COMM: Global<[u64; 2]> = Global::new([0; 2]);
/// Nanoseconds.
#[unsafe(no_mangle)]
static SLOWER_THAN: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static FAILED: Global<u8> = Global::new(0);

/// At the entry and at the exit: calls of this thread.
pub fn wants() -> bool {
    let pid = PID.load();
    if pid != 0 && pid != (bpf_get_current_pid_tgid() >> 32) as u32 {
        return false;
    }
    let comm = COMM.load();
    comm[0] == 0 || bpf_get_current_comm().is_ok_and(|own| words(own) == comm)
}

fn words(name: [u8; 16]) -> [u64; 2] {
    // SAFETY: both are sixteen bytes, and any bytes are two words.
    unsafe { core::mem::transmute(name) }
}

/// At the exit: calls that ended like this.
pub fn wants_result(took: u64, result: i32) -> bool {
    took >= SLOWER_THAN.load() && (FAILED.load() == 0 || result < 0)
}
