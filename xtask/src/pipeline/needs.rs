//! What commands need of this machine, met before they begin.

use anyhow::Result;
use kernel::{Architecture, Kernel};
use requirements::{BpfLinker, Clang, LibbpfBuild, Need, Qemu, RustSrc};

use crate::output::reporter::ScreenReporter;
use crate::pipeline::selection::Selection;

/// What a VM needs, besides a kernel.
pub const VM_NEEDS: [Need; 1] = [&Qemu::HOST];

/// What building a lesson needs: two toolchains, and a C compiler for libbpf.
pub const BUILD_NEEDS: [Need; 4] = [&RustSrc, &BpfLinker, &Clang, &LibbpfBuild];

/// What a VM of this architecture needs, besides a kernel.
pub fn vm_needs(architecture: Architecture) -> Vec<Need> {
    requirements::vm_needs(architecture)
}

/// What building a lesson for this architecture needs.
pub fn build_needs(architecture: Architecture) -> Vec<Need> {
    let cross = requirements::cross_build_needs(architecture);
    [&BUILD_NEEDS[..], &cross].concat()
}

/// What building the lessons and a prompt in a VM need, besides a kernel.
pub fn shell_needs(architecture: Architecture) -> Vec<Need> {
    let prompt = requirements::shell_needs(architecture);
    [build_needs(architecture), prompt].concat()
}

/// What is missing to build a program and to run it on these kernels.
pub fn ensure_vm_needs(kernels: &Selection) -> Result<()> {
    ensure_needs_on(kernels, Architecture::HOST)
}

/// The same for kernels and programs of this architecture.
pub fn ensure_needs_on(kernels: &Selection, architecture: Architecture) -> Result<()> {
    let needs = [
        build_needs(architecture),
        vm_needs(architecture),
        kernels.kernel_needs_on(architecture),
    ];
    ensure_needs(&needs.concat())
}

/// The chosen kernels of each of these architectures, with all that it takes to build programs for
/// them and to run those.
pub fn ensure_kernels(
    selection: &Selection,
    architectures: &[Architecture],
) -> Result<Vec<Kernel>> {
    selection.check_file(architectures)?;
    let mut kernels = Vec::new();
    for &architecture in architectures {
        ensure_needs_on(selection, architecture)?;
        kernels.extend(selection.find_kernels_on(architecture)?);
    }
    Ok(kernels)
}

/// Does what is missing, and shows it. When nothing is, this costs a few looks at files.
pub fn ensure_needs(needs: &[Need]) -> Result<()> {
    requirements::meet_missing(needs, &ScreenReporter)
}
