//! The architectures that a guest can have: all that is called differently on each.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The architecture of a kernel, and of the programs that run on it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// That of this machine: `xtask` is built on it, for it.
    pub const HOST: Self = if cfg!(target_arch = "aarch64") {
        Self::Arm64
    } else {
        Self::Amd64
    };

    /// As Debian calls it, and the options of `cargo xtask`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// As Rust and QEMU call it, and `uname -m`.
    pub fn machine(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    /// The target that Rust programs are built for.
    pub const fn rust_target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// In the names of GNU's compilers, and of Debian's directories of libraries.
    pub fn gnu_triplet(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
        }
    }

    /// As libbpf's headers call it, after `__TARGET_ARCH_`.
    pub fn libbpf_name(self) -> &'static str {
        match self {
            Self::Amd64 => "x86",
            Self::Arm64 => "arm64",
        }
    }

    /// What the names of the functions begin with that carry out system calls.
    pub fn system_call_prefix(self) -> &'static str {
        match self {
            Self::Amd64 => "__x64_sys_",
            Self::Arm64 => "__arm64_sys_",
        }
    }

    /// The release of Linux from which on BPF trampolines attach to its functions: fentry, fexit
    /// and hooks of LSMs need them. On arm64 they need direct calls of ftrace.
    pub fn trampolines_since(self) -> &'static str {
        match self {
            Self::Amd64 => "5.5",
            Self::Arm64 => "6.4",
        }
    }

    /// The dynamic loader that a program names.
    pub fn loader(self) -> &'static str {
        match self {
            Self::Amd64 => "/lib64/ld-linux-x86-64.so.2",
            Self::Arm64 => "/lib/ld-linux-aarch64.so.1",
        }
    }

    /// What follows a name in the cache: amd64's have been there since before there was another.
    pub fn cache_suffix(self) -> &'static str {
        match self {
            Self::Amd64 => "",
            Self::Arm64 => "-arm64",
        }
    }

    /// The name of a kernel or a suite, as people say it: nobody names the architecture of this
    /// machine.
    pub fn label(self, name: &str) -> String {
        if self == Self::HOST {
            name.to_owned()
        } else {
            format!("{name} {self}")
        }
    }

    /// As it is typed after a command that is for this machine's unless told otherwise.
    pub fn option(self) -> String {
        match self {
            Self::HOST => String::new(),
            other => format!(" --arch {other}"),
        }
    }

    /// That of the programs that say so in their header: `e_machine` of ELF.
    pub fn of_elf_machine(machine: u16) -> Option<Self> {
        match machine {
            62 => Some(Self::Amd64),
            183 => Some(Self::Arm64),
            _ => None,
        }
    }
}

impl Display for Architecture {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|it| name == it.name() || name == it.machine());
        found.ok_or_else(|| format!("there is no architecture {name}: amd64 or arm64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_an_architecture_are_known() {
        for (name, expected) in [
            ("amd64", Architecture::Amd64),
            ("x86_64", Architecture::Amd64),
            ("arm64", Architecture::Arm64),
            ("aarch64", Architecture::Arm64),
        ] {
            assert_eq!(name.parse(), Ok(expected));
        }
        assert!("armhf".parse::<Architecture>().is_err());
    }

    #[test]
    fn only_another_machines_architecture_is_named() {
        for architecture in Architecture::ALL {
            let label = architecture.label("6.12");
            assert_eq!(
                label == "6.12",
                architecture == Architecture::HOST,
                "{label}"
            );
            let is_empty = architecture.option().is_empty();
            assert_eq!(is_empty, architecture == Architecture::HOST);
        }
    }

    #[test]
    fn this_machine_is_of_one_of_them() {
        assert_eq!(Architecture::HOST.machine(), std::env::consts::ARCH);
    }
}
