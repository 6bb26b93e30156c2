//! What the kernel tells about a program that it loaded.

use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use plan::load::Accepted;

use crate::log::read_processed;

/// Bytes of one instruction.
const INSTRUCTION: u32 = 8;

pub fn read_info(program: BorrowedFd<'_>, log: &str) -> Accepted {
    let mut info = libbpf_sys::bpf_prog_info::default();
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
    if failed != 0 {
        return Accepted {
            processed: read_processed(log),
            ..Accepted::default()
        };
    }
    let told = |value: u32| (value != 0).then_some(value);
    Accepted {
        instructions: told(info.xlated_prog_len / INSTRUCTION),
        machine_code: told(info.jited_prog_len),
        // Since 5.16; before, only the log says it.
        processed: told(info.verified_insns).or_else(|| read_processed(log)),
    }
}
