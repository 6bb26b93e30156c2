//! Logs what the users in a table execute.

#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _, Global,
    btf_maps::{HashMap, PerCpuArray, RingBuf},
    helpers::{
        bpf_get_current_pid_tgid, bpf_get_current_uid_gid, bpf_probe_read_kernel,
        bpf_probe_read_kernel_str_bytes, generated::bpf_get_current_comm,
    },
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
pub fn log_exec(ctx: TracePointContext) -> u32 {
    let uid = bpf_get_current_uid_gid() as u32;
    // SAFETY: only whether there is an entry matters here, not what is in it.
    if unsafe { USERS.get(uid) }.is_none() {
        return 0;
    }
    let Some(mut entry) = LOG.reserve_untyped::<Record>(0) else {
        return lost();
    };
    // SAFETY: the memory is reserved for us, and a Record is made of integers: any bytes are one.
    let record = unsafe { &mut *entry.as_mut_ptr() };
    record.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    record.uid = uid;
    // SAFETY: the helper writes as many bytes as it is told.
    unsafe { bpf_get_current_comm(record.comm.as_mut_ptr().cast(), 16) };
    if read_file(&ctx, &mut record.file).is_err() {
        entry.discard(0);
        return lost();
    }
    entry.submit(0);
    0
}

fn read_file(ctx: &TracePointContext, file: &mut [u8; 232]) -> Result<(), i32> {
    let record: *const u8 = ctx.as_ptr().cast();
    // SAFETY: the helpers check each address, and fail when it cannot be read.
    unsafe {
        // The low half says where in the event's record the text is, the high half how long it
        // is.
        let data_loc: u32 = bpf_probe_read_kernel(record.add(FILENAME.load() as usize).cast())?;
        bpf_probe_read_kernel_str_bytes(record.add(data_loc as usize & 0xffff), file)?;
    }
    Ok(())
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
