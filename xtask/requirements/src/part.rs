//! Packages of the system's, by what is needed of them.

/// Something that only the system's package manager brings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    Clang,
    Qemu,
    Compiler,
    Make,
    PkgConfig,
    LibElf,
    Zlib,
    /// The guest's init is linked with it: the guest has no libraries.
    StaticLibc,
    Chromium,
    Node,
    Npm,
}

impl Part {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Part::Clang => "clang",
            Part::Qemu => "QEMU",
            Part::Compiler => "C compiler",
            Part::Make => "make",
            Part::PkgConfig => "pkg-config",
            Part::LibElf => "libelf headers",
            Part::Zlib => "zlib headers",
            Part::StaticLibc => "static C library",
            Part::Chromium => "Chromium",
            Part::Node => "Node.js",
            Part::Npm => "npm",
        }
    }
}
