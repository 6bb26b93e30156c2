//! Logs what the users in a table execute.

#![no_std]
#![no_main]

use aya_ebpf::{
    Global,
    btf_maps::{HashMap, PerCpuArray, RingBuf},
    helpers::{bpf_get_current_pid_tgid, bpf_get_current_uid_gid, generated::bpf_get_current_comm},
    macros::{btf_map, tracepoint},
    programs::TracePointContext,
};

#[repr(C)]
pub struct Record {
    pid: u32,
    uid: u32,
    comm: [u8; 16],
    file: [u8; 232],
}

/// Where the field `filename` is in the event's record. User space sets it, from the event's
/// format file.
#[unsafe(no_mangle)]
static FILENAME: Global<u32> = Global::new(0);

/// The users whose programs are logged. User space changes it at any time.
#[btf_map]
static USERS: HashMap<u32, u8, 64> = HashMap::new();

/// Of one page: what does not fit is counted, not logged.
#[btf_map]
static LOG: RingBuf<(), 4096> = RingBuf::new();

#[btf_map]
static LOST: PerCpuArray<u64, 1> = PerCpuArray::new();

#[tracepoint(category = "sched", name = "sched_process_exec")]
pub fn log_exec(_ctx: TracePointContext) -> u32 {
    let uid = bpf_get_current_uid_gid() as u32;
    // TODO: log this only where USERS has an entry for `uid`.
    let Some(mut entry) = LOG.reserve_untyped::<Record>(0) else {
        return lost();
    };
    // SAFETY: the memory is reserved for us, and a Record is made of integers: any bytes are one.
    let record = unsafe { &mut *entry.as_mut_ptr() };
    record.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    record.uid = uid;
    // SAFETY: the helper writes as many bytes as it is told.
    unsafe { bpf_get_current_comm(record.comm.as_mut_ptr().cast(), 16) };
    // TODO: the path of the file, into `record.file`. In the event's record, the field at FILENAME
    // says where it is.
    record.file[0] = 0;
    entry.submit(0);
    0
}

fn lost() -> u32 {
    if let Some(count) = LOST.get_ptr_mut(0) {
        // SAFETY: this CPU's own counter, and nothing interrupts a program with itself.
        unsafe { *count += 1 };
    }
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
