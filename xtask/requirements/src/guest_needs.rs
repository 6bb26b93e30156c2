//! What guests of an architecture need: the emulator, and what builds programs for them.

use kernel::Architecture;

use crate::cross_compiler::CrossCompiler;
use crate::cross_libraries::CrossLibraries;
use crate::guest_tools::GuestTools;
use crate::qemu::Qemu;
use crate::requirement::Need;
use crate::rust_std::RustStd;

struct GuestNeeds {
    qemu: Qemu,
    tools: GuestTools,
    compiler: CrossCompiler,
    std: RustStd,
    libraries: CrossLibraries,
}

static AMD64: GuestNeeds = GuestNeeds::new(Architecture::Amd64);
static ARM64: GuestNeeds = GuestNeeds::new(Architecture::Arm64);

impl GuestNeeds {
    const fn new(architecture: Architecture) -> Self {
        Self {
            qemu: Qemu { architecture },
            tools: GuestTools { architecture },
            compiler: CrossCompiler { architecture },
            std: RustStd { architecture },
            libraries: CrossLibraries { architecture },
        }
    }

    fn of_architecture(architecture: Architecture) -> &'static Self {
        match architecture {
            Architecture::Amd64 => &AMD64,
            Architecture::Arm64 => &ARM64,
        }
    }
}

/// What a VM needs, besides a kernel.
pub fn vm_needs(architecture: Architecture) -> Vec<Need> {
    vec![&GuestNeeds::of_architecture(architecture).qemu]
}

/// What a prompt in a VM needs, besides a kernel.
pub fn shell_needs(architecture: Architecture) -> Vec<Need> {
    let needs = GuestNeeds::of_architecture(architecture);
    vec![&needs.qemu, &needs.tools]
}

/// What building for guests needs besides what building for this machine needs: nothing where they
/// are of its architecture.
pub fn cross_build_needs(architecture: Architecture) -> Vec<Need> {
    if architecture == Architecture::HOST {
        return Vec::new();
    }
    let needs = GuestNeeds::of_architecture(architecture);
    vec![&needs.compiler, &needs.std, &needs.libraries]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_architecture_needs_a_cross_build() {
        for architecture in Architecture::ALL {
            let foreign = architecture != Architecture::HOST;
            assert_eq!(!cross_build_needs(architecture).is_empty(), foreign);
            assert_eq!(vm_needs(architecture).len(), 1);
        }
    }
}
