//! Packages of the system's: what is missing, what this distribution calls it, and installing it
//! with consent.

use std::io::stderr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use kernel::Architecture;
use problem::Problem;
use processes::child;

use crate::browser;
use crate::command;
use crate::part::Part;
use crate::reporter::Reporter;
use crate::site::SetupSite;
use crate::step::SetupStep;
use crate::{clang, cross_tools, qemu};

impl Part {
    pub fn is_there(self) -> bool {
        match self {
            Part::Clang => clang::is_there() || clang::find_clang().is_some(),
            Part::Qemu(architecture) => qemu::find_qemu(architecture).is_some(),
            Part::Compiler(Architecture::HOST) => child::find_program("cc")
                .or_else(|| child::find_program("gcc"))
                .is_some(),
            Part::Compiler(architecture) => cross_tools::find_compiler(architecture).is_some(),
            Part::Make => child::find_program("make").is_some(),
            Part::PkgConfig => child::find_program("pkg-config")
                .or_else(|| child::find_program("pkgconf"))
                .is_some(),
            Part::LibElf => Path::new("/usr/include/libelf.h").is_file(),
            Part::Zlib => Path::new("/usr/include/zlib.h").is_file(),
            Part::Chromium => browser::find_browser().is_some(),
            Part::Node => child::find_program("node").is_some(),
            Part::Npm => child::find_program("npm").is_some(),
            Part::StaticLibc(Architecture::HOST) => qemu::has_static_libc(),
            Part::StaticLibc(architecture) => cross_tools::has_static_libc(architecture),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manager {
    Apt,
    Dnf,
    Pacman,
}

impl Manager {
    pub fn find_manager() -> Option<Self> {
        let all = [
            ("apt-get", Manager::Apt),
            ("dnf", Manager::Dnf),
            ("pacman", Manager::Pacman),
        ];
        all.into_iter()
            .find(|(program, _)| child::find_program(program).is_some())
            .map(|(_, manager)| manager)
    }

    fn packages(self, part: Part) -> &'static [&'static str] {
        match (self, part) {
            (_, Part::Clang) => &["clang"],
            (Manager::Dnf, Part::Qemu(Architecture::Amd64)) => &["qemu-system-x86-core"],
            (_, Part::Qemu(Architecture::Amd64)) => &["qemu-system-x86"],
            (Manager::Apt, Part::Qemu(Architecture::Arm64)) => &["qemu-system-arm"],
            (Manager::Dnf, Part::Qemu(Architecture::Arm64)) => &["qemu-system-aarch64-core"],
            (Manager::Pacman, Part::Qemu(Architecture::Arm64)) => &["qemu-system-aarch64"],
            (Manager::Apt, Part::Compiler(Architecture::HOST)) => &["gcc", "libc6-dev"],
            (_, Part::Compiler(Architecture::HOST)) => &["gcc"],
            (_, Part::Compiler(architecture)) => compiler_packages(self, architecture),
            (_, Part::Make) => &["make"],
            (Manager::Apt, Part::PkgConfig) => &["pkg-config"],
            (Manager::Dnf, Part::PkgConfig) => &["pkgconf-pkg-config"],
            (Manager::Pacman, Part::PkgConfig) => &["pkgconf"],
            (Manager::Apt, Part::LibElf) => &["libelf-dev"],
            (Manager::Dnf, Part::LibElf) => &["elfutils-libelf-devel"],
            (Manager::Pacman, Part::LibElf) => &["libelf"],
            (Manager::Apt, Part::Zlib) => &["zlib1g-dev"],
            (Manager::Dnf, Part::Zlib) => &["zlib-devel"],
            (Manager::Pacman, Part::Zlib) => &["zlib"],
            (Manager::Apt, Part::StaticLibc(Architecture::HOST)) => &["libc6-dev"],
            (Manager::Dnf, Part::StaticLibc(Architecture::HOST)) => &["glibc-static"],
            (Manager::Pacman, Part::StaticLibc(Architecture::HOST)) => &["glibc"],
            (_, Part::StaticLibc(architecture)) => libc_packages(self, architecture),
            (_, Part::Chromium) => &["chromium"],
            (_, Part::Node) => &["nodejs"],
            (Manager::Dnf, Part::Npm) => &["nodejs-npm"],
            (_, Part::Npm) => &["npm"],
        }
    }

    /// What brings the lists of packages up to date, where installing does not do so itself.
    fn refresh(self) -> Option<&'static str> {
        (self == Manager::Apt).then_some("apt-get update")
    }

    /// The command that installs `parts`, without sudo.
    fn install(self, parts: &[Part], clang: &str) -> String {
        let names = parts.iter().flat_map(|part| self.packages(*part));
        let names: Vec<&str> = names
            .map(|name| if *name == "clang" { clang } else { *name })
            .collect();
        let install = match self {
            // Without the option it fails at once where the system installs updates meanwhile.
            Manager::Apt => {
                "apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300"
            }
            Manager::Dnf => "dnf install --assumeyes --setopt=install_weak_deps=False",
            Manager::Pacman => "pacman -S --needed --noconfirm",
        };
        format!("{install} {}", names.join(" "))
    }
}

fn compiler_packages(manager: Manager, architecture: Architecture) -> &'static [&'static str] {
    match (manager, architecture) {
        (Manager::Apt, Architecture::Amd64) => &["gcc-x86-64-linux-gnu"],
        (Manager::Apt | Manager::Dnf, Architecture::Arm64) => &["gcc-aarch64-linux-gnu"],
        (Manager::Dnf, Architecture::Amd64) => &["gcc-x86_64-linux-gnu"],
        (Manager::Pacman, Architecture::Arm64) => &["aarch64-linux-gnu-gcc"],
        (Manager::Pacman, Architecture::Amd64) => &[],
    }
}

fn libc_packages(manager: Manager, architecture: Architecture) -> &'static [&'static str] {
    match (manager, architecture) {
        (Manager::Apt, Architecture::Amd64) => &["libc6-dev-amd64-cross"],
        (Manager::Apt, Architecture::Arm64) => &["libc6-dev-arm64-cross"],
        (Manager::Pacman, Architecture::Arm64) => &["aarch64-linux-gnu-glibc"],
        // Fedora's cross compilers are for kernels.
        (Manager::Dnf, _) | (Manager::Pacman, Architecture::Amd64) => &[],
    }
}

/// For a part that this distribution has no package of.
fn no_package(part: Part) -> Problem {
    Problem::machine(format!(
        "this distribution has no package of the {}",
        part.name()
    ))
    .help("Debian and Ubuntu have one: use the course in a container of theirs, or without --arch")
}

/// Whether all of `parts` are there.
pub fn are_there(parts: &[Part]) -> bool {
    parts.iter().all(|part| part.is_there())
}

fn missing_of(parts: &[Part]) -> Vec<Part> {
    let mut missing = Vec::new();
    for part in parts {
        // Several needs may want the same one.
        if !part.is_there() && !missing.contains(part) {
            missing.push(*part);
        }
    }
    missing
}

/// What set-up would do about those of `parts` that are missing.
pub(crate) fn plan_install(parts: &[Part]) -> String {
    let missing = missing_of(parts);
    if missing.is_empty() {
        return "look at what is there".to_owned();
    }
    show_install_command(&missing)
}

/// What to type to get `parts`, as one line.
pub fn show_install_command(parts: &[Part]) -> String {
    let Some(manager) = Manager::find_manager() else {
        let names: Vec<String> = parts.iter().map(|part| part.name()).collect();
        return format!(
            "install with this system's package manager: {}",
            names.join(", ")
        );
    };
    let install = manager.install(parts, clang_package(manager, parts));
    let commands = manager.refresh().into_iter().chain([install.as_str()]);
    commands
        .map(|command| format!("{}{command}", sudo()))
        .collect::<Vec<_>>()
        .join(" && ")
}

/// Installs the missing ones among `parts`: at once with `yes`, and as root without a terminal;
/// else after a question.
pub(crate) fn install_missing(site: &SetupSite, parts: &[Part], yes: bool) -> Result<()> {
    let missing = missing_of(parts);
    if missing.is_empty() {
        return Ok(());
    }
    if missing.contains(&Part::Qemu(Architecture::HOST))
        && let Some(named) = qemu::find_named_qemu()
    {
        return Err(Problem::machine(format!(
            "XTASK_QEMU names {}, which is not a program",
            named.display()
        ))
        .help(format!(
            "unset XTASK_QEMU   (or name a {})",
            qemu::program_name(Architecture::HOST)
        ))
        .into());
    }
    let names = missing
        .iter()
        .map(|part| part.name())
        .collect::<Vec<_>>()
        .join(", ");
    let refused = || {
        Problem::machine(format!("this machine is missing {names}"))
            .help(show_install_command(&missing))
    };
    let manager = Manager::find_manager().ok_or_else(refused)?;
    let unpackaged = |part: &&Part| manager.packages(**part).is_empty();
    if let Some(part) = missing.iter().find(unpackaged) {
        return Err(no_package(*part).into());
    }
    if !has_consent(yes, site.reporter().is_interactive(), is_root(), || {
        agreed(site.reporter(), &names, &show_install_command(&missing))
    })? {
        return Err(refused().into());
    }
    let step = site.start_step("packages", &format!("installing {names}"));
    if let Some(command) = manager.refresh() {
        // A third party's broken list makes this fail while all that is needed here can be had.
        let _ = run_command(site, command, &step);
    }
    // Asked only now: lists that are years old may not know the newest clang.
    run_command(
        site,
        &manager.install(&missing, clang_package(manager, &missing)),
        &step,
    )?;
    if let Some(part) = missing.iter().find(|part| !part.is_there()) {
        return Err(Problem::machine(format!(
            "{} is still missing after its package was installed",
            part.name()
        ))
        .help("cargo xtask doctor")
        .into());
    }
    step.report_done("installed");
    Ok(())
}

fn has_consent(
    yes: bool,
    interactive: bool,
    root: bool,
    ask: impl FnOnce() -> Result<bool>,
) -> Result<bool> {
    if yes || (root && !interactive) {
        return Ok(true);
    }
    if interactive { ask() } else { Ok(false) }
}

fn run_command(site: &SetupSite, command: &str, step: &SetupStep) -> Result<()> {
    // Without a terminal no password can be typed.
    let sudo = if is_root() || site.reporter().is_interactive() {
        sudo()
    } else {
        "sudo -n "
    };
    let command = format!("{sudo}{command}");
    let what = format!("run {command}");
    step.show_line(&command);
    let words: Vec<&str> = command.split(' ').collect();
    let mut program = Command::new(words[0]);
    program.args(&words[1..]);
    if !site.reporter().is_interactive() {
        let log = site.log_path("packages");
        program.env("DEBIAN_FRONTEND", "noninteractive");
        return command::run_to_success(&mut program, &what, &log, || step.show_last_line(&log));
    }
    // On a terminal sudo may ask for a password, and the user sees what happens to the system.
    let status = program
        .stdout(stderr())
        .status()
        .with_context(|| format!("cannot start {}", words[0]))?;
    if status.success() {
        return Ok(());
    }
    Err(Problem::machine(format!("cannot {what}"))
        .help(command)
        .into())
}

fn agreed(reporter: &dyn Reporter, names: &str, command: &str) -> Result<bool> {
    reporter.note(&format!(
        "this machine is missing {names}. To install:\n    {command}"
    ));
    reporter.confirm("run it now?")
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn sudo() -> &'static str {
    if is_root() { "" } else { "sudo " }
}

/// The course is tested with clang 22; where the distribution has it beside an older default, it is
/// taken.
fn clang_package(manager: Manager, parts: &[Part]) -> &'static str {
    const NEWEST: &str = "clang-22";
    let offered = || {
        child::ask_program("apt-cache", &["madison", NEWEST])
            .is_some_and(|versions| !versions.is_empty())
    };
    if parts.contains(&Part::Clang) && manager == Manager::Apt && offered() {
        NEWEST
    } else {
        "clang"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Part; 8] = [
        Part::Clang,
        Part::Qemu(Architecture::HOST),
        Part::Compiler(Architecture::HOST),
        Part::Make,
        Part::PkgConfig,
        Part::LibElf,
        Part::Zlib,
        Part::StaticLibc(Architecture::HOST),
    ];

    #[test]
    fn consent_is_yes_or_root_without_a_terminal_or_an_answer() {
        let nobody = || panic!("asked");
        for (yes, interactive, root, consent) in [
            (true, false, false, true),
            (true, true, false, true),
            (false, false, true, true),
            (false, false, false, false),
        ] {
            assert_eq!(
                has_consent(yes, interactive, root, nobody).unwrap(),
                consent,
                "{yes} {interactive} {root}"
            );
        }
        assert!(has_consent(false, true, true, || Ok(true)).unwrap());
        assert!(!has_consent(false, true, true, || Ok(false)).unwrap());
    }

    #[test]
    fn one_command_installs_everything() {
        let command = Manager::Apt.install(&[Part::Clang, Part::LibElf], "clang-22");
        assert_eq!(
            command,
            "apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 clang-22 \
             libelf-dev"
        );
        let command =
            Manager::Pacman.install(&[Part::Qemu(Architecture::Amd64), Part::Zlib], "clang");
        assert_eq!(
            command,
            "pacman -S --needed --noconfirm qemu-system-x86 zlib"
        );
    }

    #[test]
    fn another_architecture_has_other_packages() {
        let arm64 = [
            Part::Qemu(Architecture::Arm64),
            Part::Compiler(Architecture::Arm64),
            Part::StaticLibc(Architecture::Arm64),
        ];
        if Architecture::HOST == Architecture::Arm64 {
            return;
        }
        let packages = arm64.map(|part| Manager::Apt.packages(part).join(" "));
        assert_eq!(
            packages,
            [
                "qemu-system-arm",
                "gcc-aarch64-linux-gnu",
                "libc6-dev-arm64-cross"
            ]
        );
        assert_eq!(arm64[0].name(), "QEMU for arm64");
        assert!(Manager::Dnf.packages(arm64[2]).is_empty());
    }

    #[test]
    fn every_manager_knows_every_part() {
        for manager in [Manager::Apt, Manager::Dnf, Manager::Pacman] {
            for part in ALL {
                let names = manager.packages(part);
                assert!(
                    !names.is_empty() && names.iter().all(|name| !name.is_empty()),
                    "{manager:?} {part:?}"
                );
            }
        }
    }
}
