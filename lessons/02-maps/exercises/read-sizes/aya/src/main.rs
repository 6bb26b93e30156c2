//! Adds up, for each thread, how many bytes its reads ask for, and how many they get.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::{PerCpuArray, PerCpuHashMap},
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, tracepoint},
    programs::TracePointContext,
};

/// Where the third argument is in what the kernel gives to a program when a system call begins:
/// after two other numbers and two arguments, of 8 bytes each.
const SIZE: usize = 32;

/// Where the result is when the call ends.
const RESULT: usize = 16;

#[repr(C)]
pub struct Reads {
    asked: u64,
    got: u64,
}

/// By the id of the thread. Each CPU adds to its own value, and user space sums them.
#[btf_map]
static READS: PerCpuHashMap<u32, Reads, 1024> = PerCpuHashMap::new();

/// What a read that has begun asks for. Each CPU has its own, so that no other CPU overwrites it.
#[btf_map]
static ASKED: PerCpuArray<u64, 1> = PerCpuArray::new();

#[tracepoint(category = "syscalls", name = "sys_enter_read")]
pub fn on_read(ctx: TracePointContext) -> u32 {
    // SAFETY: a number, and any bytes are one.
    let Ok(size) = (unsafe { ctx.read_at::<u64>(SIZE) }) else {
        return 0;
    };
    let Some(asked) = ASKED.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this CPU's own value, which nobody else uses while the program runs.
    unsafe { *asked = size };
    0
}

#[tracepoint(category = "syscalls", name = "sys_exit_read")]
pub fn on_return(ctx: TracePointContext) -> u32 {
    let Some(asked) = ASKED.get(0) else { return 0 };
    // SAFETY: a number, and any bytes are one.
    let Ok(got) = (unsafe { ctx.read_at::<i64>(RESULT) }) else {
        return 0;
    };
    if got >= 0 {
        add(*asked, got as u64);
    }
    0
}

fn add(asked: u64, got: u64) {
    match READS.get_ptr_mut(thread()) {
        // SAFETY: this CPU's own value, which nobody else uses while the program runs.
        Some(reads) => unsafe {
            (*reads).asked += asked;
            (*reads).got += got;
        },
        None => {
            let _ = READS.insert(thread(), Reads { asked, got }, 0);
        }
    }
}

fn thread() -> u32 {
    bpf_get_current_pid_tgid() as u32
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
