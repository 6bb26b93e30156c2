//! What a kernel must know of a program to load it, and the system call that loads it.

use std::ffi::CStr;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::{io, mem};

use libbpf_sys::{bpf_insn, bpf_prog_load_opts};
use nix::libc;
use verifier_output::{LogBuffer, LogDetail};

/// Whatever the program does.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgramKind {
    /// `BPF_PROG_TYPE_*`
    pub prog_type: u32,
    pub expected_attach_type: u32,
    /// `BPF_F_*`
    pub prog_flags: u32,
    /// What it attaches to, as a type of the kernel's BTF; zero without.
    pub attach_btf_id: u32,
}

/// What the program does.
pub struct ProgramCode<'a> {
    pub name: &'a CStr,
    pub license: &'a CStr,
    pub instructions: &'a [bpf_insn],
    /// What else is known of it: its types, its lines of source. What they point to must be there
    /// as long as the instructions.
    pub options: bpf_prog_load_opts,
}

/// Where the kernel puts its log. It must be there, and as long, until the load is over.
#[derive(Clone, Copy, Debug)]
pub struct LogTarget {
    pub start: *mut libc::c_char,
    pub size: u32,
    /// `log_level` in `union bpf_attr`.
    pub level: u32,
}

impl ProgramKind {
    pub fn load_code(
        &self,
        code: ProgramCode<'_>,
        log: &mut LogBuffer,
        detail: LogDetail,
    ) -> io::Result<OwnedFd> {
        let bytes = log.as_mut_bytes();
        let target = LogTarget {
            start: bytes.as_mut_ptr().cast(),
            size: bytes.len() as u32,
            level: detail.log_level(),
        };
        self.load_with_target(code, target)
    }

    pub fn load_with_target(
        &self,
        code: ProgramCode<'_>,
        target: LogTarget,
    ) -> io::Result<OwnedFd> {
        let mut options = bpf_prog_load_opts {
            sz: mem::size_of::<bpf_prog_load_opts>() as u64,
            expected_attach_type: self.expected_attach_type,
            prog_flags: self.prog_flags,
            attach_btf_id: self.attach_btf_id,
            log_level: target.level,
            log_size: target.size,
            log_buf: target.start,
            ..code.options
        };
        // SAFETY: the name and the licence end with a zero byte, the instructions and what the
        // options point to outlive the call, and the buffer is as long as it says.
        let descriptor = unsafe {
            libbpf_sys::bpf_prog_load(
                self.prog_type,
                code.name.as_ptr(),
                code.license.as_ptr(),
                code.instructions.as_ptr(),
                code.instructions.len() as u64,
                &raw mut options,
            )
        };
        if descriptor < 0 {
            return Err(io::Error::from_raw_os_error(-descriptor));
        }
        // SAFETY: nobody else has this descriptor.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}
