//! The classic tracepoint: the kernel writes a record of the event, and the program reads that.

use aya_ebpf::{
    EbpfContext as _, Global,
    helpers::{
        bpf_get_current_uid_gid, bpf_probe_read_kernel_str_bytes, generated::bpf_get_current_comm,
    },
    macros::tracepoint,
    programs::TracePointContext,
};

use crate::event::{TRACEPOINT, UNKNOWN};
use crate::fields::read_field;
use crate::send;

// ANCHOR: globals
// Where the fields of the record are. User space reads the format file of the event, and sets these
// before it loads the program: for the verifier they are constants.
#[unsafe(no_mangle)]
static PAYLOAD_FILENAME: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static PAYLOAD_PID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static PAYLOAD_OLD_PID: Global<u32> = Global::new(0);
// ANCHOR_END: globals

// ANCHOR: program
#[tracepoint(category = "sched", name = "sched_process_exec")]
pub fn exec_tracepoint(ctx: TracePointContext) {
    send(TRACEPOINT, |event| {
        let record: *const u8 = ctx.as_ptr().cast();
        event.pid = read_field(record, &PAYLOAD_PID)?;
        event.old_pid = read_field(record, &PAYLOAD_OLD_PID)?;
        // __data_loc: the lower half says where in the record the text is, the upper half how long
        // it is.
        let data_loc: u32 = read_field(record, &PAYLOAD_FILENAME)?;
        let filename = record.wrapping_add(data_loc as usize & 0xffff);
        // SAFETY: the helper checks the address and fails when it cannot be read.
        unsafe { bpf_probe_read_kernel_str_bytes(filename, &mut event.filename)? };
        // The record has no more. Helpers know the process that runs, but not its parent.
        event.ppid = UNKNOWN;
        event.uid = bpf_get_current_uid_gid() as u32;
        // SAFETY: the helper fills as many bytes as it is told. (aya's wrapper returns the name by
        // value, which takes 82 instructions more here.)
        unsafe {
            bpf_get_current_comm(
                (&raw mut event.comm).cast(),
                size_of_val(&event.comm) as u32,
            )
        };
        Ok(())
    });
}
// ANCHOR_END: program
