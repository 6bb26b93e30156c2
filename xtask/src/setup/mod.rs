//! Makes this machine ready: looks at what a command needs, and fetches, builds or installs what is
//! missing.
//!
//! What is local to the checkout goes into its cache without asking; packages of the system's are
//! installed after a yes. Each part is made under a temporary name, checked, and renamed; a broken
//! run is continued by the next.

mod apt;
pub(crate) mod child;
pub(crate) mod clang;
mod fault;
pub mod kernels;
pub(crate) mod linker;
mod links;
pub mod packages;
pub mod qemu;
pub(crate) mod record;
pub(crate) mod rust_src;
mod say;
pub(crate) mod site;
pub(crate) mod toolchain;
pub mod tools;
mod vmlinux;

use anyhow::Result;

use self::packages::Part;
use self::site::Site;
use crate::kernel::MATRIX;
use crate::screen::{self, Mark};
use crate::{build, catalog, image, workspace};

/// Something that a command cannot do without.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Need {
    /// The source of `core`, to build it for eBPF.
    RustSrc,
    BpfLinker,
    Clang,
    /// What libbpf-sys compiles its copy of libbpf with.
    LibbpfBuild,
    Qemu,
    /// A kernel of the matrix, by name.
    Kernel(String),
    /// busybox and bpftool for the inside of the VM.
    GuestTools,
    /// Chromium and what drives it: only the tests of the book need it, so that `setup` leaves it
    /// out.
    Browser,
}

#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct SetupOptions {
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Install packages of the system without asking
    #[arg(long)]
    pub yes: bool,
    /// Move on to the newest version of each kernel
    #[arg(long)]
    pub update: bool,
}

impl Need {
    /// In the order in which they are met: what needs the user's consent comes first, then nothing
    /// more is asked.
    pub fn all() -> Vec<Need> {
        let mut needs = vec![
            Need::Clang,
            Need::LibbpfBuild,
            Need::Qemu,
            Need::RustSrc,
            Need::BpfLinker,
            Need::GuestTools,
        ];
        needs.extend(MATRIX.map(|name| Need::Kernel(name.to_owned())));
        needs
    }

    /// Cheap: files are looked at, no program is started.
    pub fn is_met(&self) -> bool {
        match self {
            Need::RustSrc => rust_src::is_there(),
            Need::BpfLinker => linker::is_there(),
            Need::Clang => clang::is_there(),
            Need::LibbpfBuild | Need::Browser => self.has_parts(),
            Need::Qemu => self.has_parts() && qemu::was_checked(),
            Need::Kernel(name) => kernels::is_there(name),
            Need::GuestTools => tools::is_there(),
        }
    }

    /// Like `is_met`, and the checksums of what was fetched are compared.
    fn is_whole(&self) -> bool {
        self.is_met()
            && match self {
                Need::Kernel(name) => kernels::is_whole(name),
                Need::GuestTools => tools::is_whole(),
                _ => true,
            }
    }

    fn has_parts(&self) -> bool {
        self.parts().iter().all(|part| part.is_there())
    }

    pub fn parts(&self) -> &'static [Part] {
        match self {
            Need::Clang => &[Part::Clang],
            Need::LibbpfBuild => &[
                Part::Compiler,
                Part::Make,
                Part::PkgConfig,
                Part::LibElf,
                Part::Zlib,
            ],
            Need::Qemu => &[Part::Qemu, Part::StaticLibc],
            Need::Browser => &[Part::Chromium, Part::Node, Part::Npm],
            _ => &[],
        }
    }

    /// Room that meeting it takes for a while, downloads and unpacked packages included.
    fn bytes(&self) -> u64 {
        const MB: u64 = 1_000_000;
        match self {
            Need::RustSrc => 450 * MB,
            Need::BpfLinker => 350 * MB,
            Need::Kernel(_) => kernels::ROOM,
            Need::GuestTools => 120 * MB,
            Need::Clang | Need::LibbpfBuild | Need::Qemu | Need::Browser => 0,
        }
    }

    fn name(&self) -> String {
        match self {
            Need::RustSrc => "rust-src".to_owned(),
            Need::BpfLinker => "bpf-linker".to_owned(),
            Need::Clang => "clang".to_owned(),
            Need::LibbpfBuild => "libbpf's build".to_owned(),
            Need::Qemu => "QEMU".to_owned(),
            Need::Kernel(name) => format!("kernel {name}"),
            Need::GuestTools => "VM tools".to_owned(),
            Need::Browser => "browser".to_owned(),
        }
    }

    /// What a set-up would do about it, with what it costs.
    fn plan(&self) -> String {
        match self {
            Need::RustSrc => {
                "rustup component add rust-src (3 MB), else Debian's package (45 MB)".to_owned()
            }
            Need::BpfLinker => {
                format!(
                    "build version {} into the cache: about a minute, 7 MB",
                    linker::VERSION
                )
            }
            Need::Kernel(name) => format!(
                "{}: fetch 20 to 50 MB, keep 65 to 90 MB",
                kernels::source(name)
            ),
            Need::GuestTools => {
                "busybox and bpftool from Debian trixie: fetch 5 MB, keep 6 MB".to_owned()
            }
            Need::Clang | Need::LibbpfBuild | Need::Qemu | Need::Browser => {
                let missing: Vec<Part> = self
                    .parts()
                    .iter()
                    .copied()
                    .filter(|part| !part.is_there())
                    .collect();
                if missing.is_empty() {
                    "look at what is there".to_owned()
                } else {
                    packages::hint(&missing)
                }
            }
        }
    }

    fn meet(&self, site: &Site, update: bool) -> Result<()> {
        match self {
            Need::RustSrc => rust_src::install(site),
            Need::BpfLinker => linker::install(site),
            Need::Clang => clang::link(),
            Need::Kernel(name) => kernels::fetch(site, name, update),
            Need::GuestTools => tools::fetch(site),
            Need::Qemu => qemu::check(),
            Need::LibbpfBuild | Need::Browser => Ok(()),
        }
    }
}

/// Does what is missing. When nothing is, this costs a few looks at files.
pub fn ensure(needs: &[Need]) -> Result<()> {
    if needs.iter().all(Need::is_met) {
        return Ok(());
    }
    let site = Site::enter()?;
    // Another set-up may have done it while this one waited.
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.is_met()).collect();
    meet(site, &missing, SetupOptions::default())
}

/// `cargo xtask setup`: everything, with the checksums of what is there, so that later runs need no
/// network.
pub fn run(options: &SetupOptions) -> Result<()> {
    let needs = Need::all();
    if options.dry_run {
        return show_plan(&needs);
    }
    let is_missing =
        |need: &&Need| !need.is_whole() || (options.update && matches!(need, Need::Kernel(_)));
    if needs.iter().any(|need| is_missing(&need)) {
        let site = Site::enter()?;
        // Another set-up may have done it while this one waited.
        let missing: Vec<&Need> = needs.iter().filter(is_missing).collect();
        meet(site, &missing, *options)?;
    }
    build_everything()?;
    screen::say(Mark::Good, "everything is in place: this machine is ready");
    Ok(())
}

/// The first build fetches crates; after this one no run has to.
fn build_everything() -> Result<()> {
    image::init()?;
    let lessons = catalog::lessons()?;
    screen::progress(&format!("building the lessons, {} in all", lessons.len()));
    for lesson in &lessons {
        build::lesson(lesson)?;
    }
    Ok(())
}

fn meet(site: Site, needs: &[&Need], options: SetupOptions) -> Result<()> {
    // The largest step decides: each gives its room back before the next begins, except for what it
    // keeps.
    let largest = needs.iter().map(|need| need.bytes()).max().unwrap_or(0);
    site::need_space(&site, largest)?;
    let parts: Vec<Part> = needs
        .iter()
        .flat_map(|need| need.parts())
        .copied()
        .collect();
    packages::install(&site, &parts, options.yes)?;
    for need in needs {
        need.meet(&site, options.update)?;
    }
    site.finish()
}

fn show_plan(needs: &[Need]) -> Result<()> {
    let mut text = String::new();
    for need in needs {
        let met = need.is_whole();
        let mark = if met { Mark::Good } else { Mark::Note }.symbol();
        let plan = if met {
            "in place".to_owned()
        } else {
            need.plan()
        };
        text += &format!("{mark} {:<15} {plan}\n", need.name());
    }
    let lessons = catalog::lessons()?.len();
    text += &format!(
        "{} then the guest's init and {lessons} lessons are built\n",
        Mark::Note.symbol()
    );
    text += &format!(
        "nothing was changed; the cache is {}\n",
        workspace::cache().display()
    );
    Ok(screen::answer(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_needs_include_every_kernel_and_ask_first() {
        let needs = Need::all();
        assert!(
            MATRIX
                .iter()
                .all(|name| needs.contains(&Need::Kernel((*name).to_owned())))
        );
        let asks = |need: &Need| !need.parts().is_empty();
        let first_quiet = needs.iter().position(|need| !asks(need)).unwrap();
        assert!(needs[first_quiet..].iter().all(|need| !asks(need)));
    }
}
