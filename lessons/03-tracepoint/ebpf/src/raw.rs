//! The raw tracepoint: the program gets the arguments of the event as numbers, and a helper reads
//! from the addresses among them.

use aya_ebpf::{
    helpers::bpf_probe_read_kernel_str_bytes, macros::raw_tracepoint,
    programs::RawTracePointContext,
};

use crate::event::RAW;
use crate::fields::{
    CRED_UID, LINUX_BINPRM_FILENAME, TASK_STRUCT_COMM, TASK_STRUCT_CRED, TASK_STRUCT_REAL_PARENT,
    TASK_STRUCT_TGID, locate_field, read_field,
};
use crate::send;

// ANCHOR: program
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn exec_raw(ctx: RawTracePointContext) {
    let (task, old_pid, bprm): (*const u8, u32, *const u8) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    send(RAW, |event| {
        let parent = read_field(task, &TASK_STRUCT_REAL_PARENT)?;
        let cred = read_field(task, &TASK_STRUCT_CRED)?;
        event.old_pid = old_pid;
        event.pid = read_field(task, &TASK_STRUCT_TGID)?;
        event.ppid = read_field(parent, &TASK_STRUCT_TGID)?;
        event.uid = read_field(cred, &CRED_UID)?;
        let comm = locate_field(task, &TASK_STRUCT_COMM);
        let filename = read_field(bprm, &LINUX_BINPRM_FILENAME)?;
        // SAFETY: the helper checks each address and fails when it cannot be read.
        unsafe {
            bpf_probe_read_kernel_str_bytes(comm, &mut event.comm)?;
            bpf_probe_read_kernel_str_bytes(filename, &mut event.filename)?;
        }
        Ok(())
    });
}
// ANCHOR_END: program
