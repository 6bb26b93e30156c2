//! What the kernel tells about a program that it loaded.

use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use libbpf_sys::bpf_prog_info;
use plan::load::Accepted;

use crate::log::read_processed;

/// Bytes of one instruction.
const INSTRUCTION: u32 = 8;

pub fn read_info(program: BorrowedFd<'_>, log: &str) -> Accepted {
    let Some(info) = ask_kernel(program) else {
        return Accepted {
            processed: read_processed(log),
            ..Accepted::default()
        };
    };
    let told = |value: u32| (value != 0).then_some(value);
    Accepted {
        instructions: told(info.xlated_prog_len / INSTRUCTION),
        machine_code: told(info.jited_prog_len),
        // Since 5.16; before, only the log says it.
        processed: told(info.verified_insns).or_else(|| read_processed(log)),
    }
}

/// `BPF_PROG_TYPE_*`
pub fn read_type(program: BorrowedFd<'_>) -> u32 {
    ask_kernel(program).map_or(0, |info| info.type_)
}

fn ask_kernel(program: BorrowedFd<'_>) -> Option<bpf_prog_info> {
    let mut info = bpf_prog_info::default();
    let mut length = mem::size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `length` bytes into `info`, whose pointers to buffers are
    // all null.
    let failed = unsafe {
        libbpf_sys::bpf_obj_get_info_by_fd(
            program.as_raw_fd(),
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    (failed == 0).then_some(info)
}
