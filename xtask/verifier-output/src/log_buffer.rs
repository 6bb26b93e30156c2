//! Where libbpf puts the verifier's log of a program.

use std::cell::Cell;
use std::mem;

use libbpf_rs::{AsRawLibbpf as _, OpenProgramMut, libbpf_sys};

/// Bytes of the longest log that a kernel of this course may write. They must not be touched before
/// they are needed.
const SIZE: usize = 16 << 20;

pub struct LogBuffer {
    bytes: Vec<u8>,
}

thread_local! {
    /// One that is not in use. The C library gives the same memory out again, and sets all of it to
    /// zero: 3 ms in an emulated VM, half of what loading a small program takes.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Default for LogBuffer {
    fn default() -> Self {
        let mut bytes = SPARE.take();
        match bytes.first_mut() {
            // The kernel ends what it writes with a zero: the rest of an older log is not read.
            Some(first) => *first = 0,
            None => bytes = vec![0u8; SIZE],
        }
        Self { bytes }
    }
}

impl Drop for LogBuffer {
    fn drop(&mut self) {
        SPARE.set(mem::take(&mut self.bytes));
    }
}

impl LogBuffer {
    /// A buffer for this program's log, which libbpf writes to when the object is loaded.
    ///
    /// # Safety
    /// The buffer must outlive the load of the program's object.
    pub unsafe fn set_for(program: &mut OpenProgramMut<'_>) -> Self {
        let mut buffer = Self::default();
        // SAFETY: the buffer is as long as it says, and the caller keeps it until the load, which
        // alone writes to it, is over.
        unsafe {
            libbpf_sys::bpf_program__set_log_buf(
                program.as_libbpf_object().as_ptr(),
                buffer.bytes.as_mut_ptr().cast(),
                buffer.bytes.len() as u64,
            );
        }
        buffer
    }

    /// For a load that is told its buffer itself.
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// What the verifier wrote, up to the first zero byte; empty if it wrote nothing.
    pub fn log_text(&self) -> String {
        let end = self.bytes.iter().position(|&byte| byte == 0);
        let end = end.unwrap_or(self.bytes.len());
        String::from_utf8_lossy(&self.bytes[..end]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_log_is_not_read_again() {
        let write = |text: &[u8]| {
            let mut buffer = LogBuffer::default();
            buffer.as_mut_bytes()[..text.len()].copy_from_slice(text);
            buffer.log_text()
        };
        assert_eq!(write(b"a longer log\n"), "a longer log\n");
        assert_eq!(write(b""), "");
        assert_eq!(write(b"short\n\0"), "short\n");
    }
}
