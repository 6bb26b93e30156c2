//! The BTF tracepoint: the program gets the same arguments, but the verifier knows their types, so
//! that plain loads are enough.

use aya_ebpf::{
    helpers::bpf_probe_read_kernel_str_bytes, macros::btf_tracepoint,
    programs::BtfTracePointContext,
};

use crate::event::BTF;
use crate::fields::{
    CRED_UID, LINUX_BINPRM_FILENAME, TASK_STRUCT_COMM, TASK_STRUCT_CRED, TASK_STRUCT_REAL_PARENT,
    TASK_STRUCT_TGID, load_field, locate_field,
};
use crate::send;

// ANCHOR: program
#[btf_tracepoint(function = "sched_process_exec")]
pub fn exec_btf(ctx: BtfTracePointContext) {
    let (task, old_pid, bprm): (*const u8, u32, *const u8) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    send(BTF, |event| {
        // SAFETY: the verifier knows what `task` and `bprm` point to, and refuses an offset that
        // belongs to no field.
        unsafe {
            let parent = load_field(task, &TASK_STRUCT_REAL_PARENT);
            let cred = load_field(task, &TASK_STRUCT_CRED);
            event.old_pid = old_pid;
            event.pid = load_field(task, &TASK_STRUCT_TGID);
            event.ppid = load_field(parent, &TASK_STRUCT_TGID);
            event.uid = load_field(cred, &CRED_UID);
            let comm = locate_field(task, &TASK_STRUCT_COMM);
            let filename = load_field(bprm, &LINUX_BINPRM_FILENAME);
            bpf_probe_read_kernel_str_bytes(comm, &mut event.comm)?;
            bpf_probe_read_kernel_str_bytes(filename, &mut event.filename)?;
        }
        Ok(())
    });
}
// ANCHOR_END: program
