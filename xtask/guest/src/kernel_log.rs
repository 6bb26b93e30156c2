//! The kernel's log, scanned after each plan: a program can succeed and still leave a warning
//! behind.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use nix::libc::{EPIPE, O_NONBLOCK};

const LOG: &str = "/dev/kmsg";

/// What no healthy run writes.
const COMPLAINTS: [&str; 7] = [
    "WARNING: ",
    "BUG: ",
    "Oops: ",
    "general protection fault, ",
    "detected stall",
    "possible recursive locking",
    plan::OUT_OF_MEMORY,
];

pub struct KernelLog {
    log: File,
}

impl KernelLog {
    /// Starts after what the boot has written.
    pub fn from_now() -> Result<Self> {
        let mut log = OpenOptions::new()
            .read(true)
            .custom_flags(O_NONBLOCK)
            .open(LOG)
            .with_context(|| format!("cannot open {LOG}"))?;
        log.seek(SeekFrom::End(0))
            .with_context(|| format!("cannot seek in {LOG}"))?;
        Ok(Self { log })
    }

    pub fn new_complaints(&mut self) -> Result<Vec<String>> {
        let mut complaints = Vec::new();
        // One read gives one record; the kernel never writes a longer one.
        let mut record = [0; 8192];
        loop {
            match self.log.read(&mut record) {
                Ok(length) => complaints.extend(complaint(&record[..length])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(complaints),
                // Records were overwritten before they were read: go on with the oldest that is
                // left.
                Err(error) if is_overrun(&error) => {}
                Err(error) => return Err(error).with_context(|| format!("cannot read {LOG}")),
            }
        }
    }
}

fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(EPIPE)
}

/// The text of a record of /dev/kmsg (`6,339,5140900,-;text`) if it is a complaint of the kernel's
/// own.
fn complaint(record: &[u8]) -> Option<String> {
    let record = String::from_utf8_lossy(record);
    let (header, text) = record.split_once(';')?;
    // The first number holds the facility above bit 3; the kernel's is 0, that of programs which
    // write here is not.
    let from_kernel = header.split(',').next()?.parse::<u32>().ok()? < 8;
    let text = text.lines().next()?;
    (from_kernel && COMPLAINTS.iter().any(|mark| text.contains(mark))).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn a_kernel_warning_is_a_complaint() {
        let record = b"4,512,9000,-;\
            WARNING: CPU: 0 PID: 77 at kernel/bpf/core.c:1 f+0x1/0x2\n SUBSYSTEM=x\n";
        assert_eq!(
            complaint(record).as_deref(),
            Some("WARNING: CPU: 0 PID: 77 at kernel/bpf/core.c:1 f+0x1/0x2")
        );
    }

    #[test]
    fn ordinary_lines_and_those_of_programs_are_not() {
        assert_eq!(complaint(b"6,1,0,-;random: crng init done\n"), None);
        // What a program of the user's did.
        assert_eq!(
            complaint(b"6,2,0,-;traps: prog[7] general protection fault ip:1 sp:2 error:0\n"),
            None
        );
        // The "stall" in it is no RCU stall.
        assert_eq!(
            complaint(b"4,3,0,-;intro[85] is installing a program with bpf_probe_write_user\n"),
            None
        );
        // A program that limits its children does this on purpose.
        assert_eq!(
            complaint(b"3,4,0,-;Memory cgroup out of memory: Killed process 7 (x)\n"),
            None
        );
        assert_eq!(complaint(b"12,2,0,-;WARNING: said a program\n"), None);
        assert_eq!(complaint(b"garbage"), None);
    }
}
