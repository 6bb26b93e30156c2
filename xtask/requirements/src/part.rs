//! Packages of the system's, by what is needed of them.

use kernel::Architecture;

/// Something that only the system's package manager brings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    Clang,
    /// The one that emulates this architecture.
    Qemu(Architecture),
    /// The C compiler for this architecture.
    Compiler(Architecture),
    Make,
    PkgConfig,
    LibElf,
    Zlib,
    /// The guest's init is linked with it: the guest has no libraries.
    StaticLibc(Architecture),
    Chromium,
    Node,
    Npm,
}

impl Part {
    /// For people.
    pub fn name(self) -> String {
        match self.architecture() {
            Some(architecture) if architecture != Architecture::HOST => {
                format!("{} for {architecture}", self.kind())
            }
            _ => self.kind().to_owned(),
        }
    }

    /// `None` for what there is once on a machine.
    fn architecture(self) -> Option<Architecture> {
        match self {
            Part::Qemu(architecture)
            | Part::Compiler(architecture)
            | Part::StaticLibc(architecture) => Some(architecture),
            _ => None,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Part::Clang => "clang",
            Part::Qemu(_) => "QEMU",
            Part::Compiler(_) => "C compiler",
            Part::Make => "make",
            Part::PkgConfig => "pkg-config",
            Part::LibElf => "libelf headers",
            Part::Zlib => "zlib headers",
            Part::StaticLibc(_) => "static C library",
            Part::Chromium => "Chromium",
            Part::Node => "Node.js",
            Part::Npm => "npm",
        }
    }
}
