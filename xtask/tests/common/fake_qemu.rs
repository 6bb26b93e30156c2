//! A program in QEMU's place, which does something else first and then becomes the real one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[derive(Clone, Default)]
pub struct FakeQemu {
    /// Lines of shell that come before the real QEMU.
    lines: String,
    /// More arguments for the real one.
    arguments: String,
}

impl FakeQemu {
    pub fn with_arguments(self, arguments: &str) -> Self {
        let arguments = format!("{arguments} ");
        Self { arguments, ..self }
    }

    /// The same to QEMU, but another file.
    pub fn with_comment(self, text: &str) -> Self {
        self.with_line(&format!("# {text}"))
    }

    /// Limits what it may use, as bash's `ulimit` does: `v`, kilobytes of address space.
    pub fn with_limit(self, option: char, limit: u64) -> Self {
        self.with_line(&format!("ulimit -{option} {limit}"))
    }

    /// Has it take a signal as if nothing were, or die of it whatever its parent set.
    pub fn with_signal(self, signal: &str, is_ignored: bool) -> Self {
        let action = if is_ignored { "''" } else { "-" };
        self.with_line(&format!("trap {action} {signal}"))
    }

    /// As a QEMU that does not know a part of its command line.
    pub fn without(self, argument: &str, message: &str) -> Self {
        self.with_case(argument, &format!("echo \"{message}\" >&2; exit 1"))
    }

    /// If that is a part of its command line, it does this.
    pub fn with_case(self, argument: &str, lines: &str) -> Self {
        self.with_line(&format!("case \"$*\" in *{argument}*) {lines};; esac"))
    }

    /// If that is a part of its command line, it does what the file says at that time.
    pub fn with_orders(self, argument: &str, file: &Path) -> Self {
        self.with_case(argument, &format!(". {}", file.display()))
    }

    /// Ends at once, as if all were well.
    pub fn that_ends(self) -> Self {
        self.with_line("exit 0")
    }

    fn with_line(mut self, line: &str) -> Self {
        self.lines += &format!("{line}\n");
        self
    }

    /// Writes it into a directory of its own. A snapshot is of one QEMU: a file that is there and
    /// does the same is left alone.
    pub fn write_to(&self, directory: &Path) -> PathBuf {
        let Self { lines, arguments } = self;
        let script = format!("#!/bin/sh\n{lines}exec qemu-system-x86_64 {arguments}\"$@\"\n");
        let path = directory.join("qemu-system-x86_64");
        if fs::read_to_string(&path).ok().as_ref() != Some(&script) {
            fs::create_dir_all(directory).unwrap();
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        path
    }
}
