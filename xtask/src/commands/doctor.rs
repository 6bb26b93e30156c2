//! `cargo xtask doctor`: what this machine has, what is missing, and the command that fixes each.

use std::fs;
use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, Result};
use checkout::{toolchain, workspace};
use course::catalog;
use kernel::{Architecture, Kernel, MATRIX, SERIES, Version};
use problem::{Exit, Problem};
use requirements::Requirement as _;
use requirements::{GuestTools, LibbpfBuild, Part};
use requirements::{bpf_linker, clang, exposure, kernels, packages, qemu, rust_src, space};
use serde::Serialize;
use testvm::{Accel, Cmpxchg16b, KvmState};

use crate::output::screen::{self, Mark};

/// One line of the table.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct Item {
    item: String,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Ok,
    /// Works without it; the line says what it costs.
    Note,
    Missing,
}

pub fn examine_machine(json: bool) -> Result<Exit> {
    let items = examine()?;
    let text = if json {
        serde_json::to_string_pretty(&items).context("cannot write JSON")? + "\n"
    } else {
        table(&items)
    };
    screen::write_answer(text.as_bytes())?;
    let missing = items
        .iter()
        .filter(|item| item.state == State::Missing)
        .count();
    if missing == 0 {
        return Ok(Exit::Done);
    }
    screen::show_marked(
        Mark::Bad,
        &format!("{missing} missing; to fetch and install everything: cargo xtask setup"),
    );
    Ok(Exit::MachineNotReady)
}

fn examine() -> Result<Vec<Item>> {
    let mut items = vec![
        rust(),
        source(),
        bpf_linker(),
        clang(),
        libbpf(),
        qemu(),
        static_libc(),
    ];
    items.extend(MATRIX.map(kernel));
    // The other series are fetched when they are first named.
    let others = SERIES.into_iter().filter(|name| !MATRIX.contains(name));
    let fetched =
        others.filter(|name| kernels::kernel_directory(name, Architecture::HOST).exists());
    items.extend(fetched.map(kernel));
    items.push(vm_tools());
    items.extend([
        memory(),
        disk(),
        cache(),
        kvm()?,
        privileges(),
        host_kernel(),
        host_lessons()?,
        terminal(),
    ]);
    Ok(items)
}

fn item(name: impl Into<String>, state: State, found: impl Into<String>) -> Item {
    Item {
        item: name.into(),
        state,
        found: found.into(),
        fix: None,
    }
}

fn ok(name: &str, found: impl Into<String>) -> Item {
    item(name, State::Ok, found)
}

fn missing(name: &str, found: impl Into<String>, fix: impl Into<String>) -> Item {
    Item {
        fix: Some(fix.into()),
        ..item(name, State::Missing, found)
    }
}

const SETUP: &str = "cargo xtask setup";
const RUST: &str = "Rust";

fn rust() -> Item {
    let Ok(sysroot) = toolchain::find_sysroot() else {
        return missing(
            RUST,
            "rustc does not run",
            "install Rust with rustup: https://rustup.rs",
        );
    };
    let version =
        toolchain::read_rustc_version(&sysroot).unwrap_or_else(|| "unknown version".to_owned());
    let llvm = toolchain::own_llvm(&sysroot);
    let llvm = llvm
        .as_ref()
        .and_then(|(name, _)| toolchain::llvm_major(name));
    let llvm = llvm.map_or_else(
        || "without an LLVM library".to_owned(),
        |major| format!("LLVM {major}"),
    );
    let found = format!("{version}, {llvm}, {}", sysroot.display());
    match toolchain::unpinned_toolchain() {
        Some(name) => item(
            RUST,
            State::Note,
            format!("{found}; {name} was chosen, and rust-toolchain.toml names another"),
        ),
        None => ok(RUST, found),
    }
}

fn source() -> Item {
    match toolchain::find_sysroot() {
        Ok(sysroot) if rust_src::is_there() => ok(
            "rust-src",
            rust_src::rust_src_path(&sysroot).display().to_string(),
        ),
        _ => missing("rust-src", "core cannot be built for eBPF", SETUP),
    }
}

fn bpf_linker() -> Item {
    match bpf_linker::linker_in_use() {
        Some(path) if bpf_linker::is_there() => ok(
            "bpf-linker",
            format!(
                "{}, {}",
                bpf_linker::read_linker_version(&path),
                path.display()
            ),
        ),
        Some(path) => missing(
            "bpf-linker",
            format!("{} was not tried with this toolchain yet", path.display()),
            SETUP,
        ),
        None => missing("bpf-linker", "not found", SETUP),
    }
}

fn clang() -> Item {
    let version = |path: &Path| {
        clang::read_clang_version(path).unwrap_or_else(|| "unknown version".to_owned())
    };
    match clang::clang_in_use() {
        Some(path) if clang::is_there() => {
            ok("clang", format!("{}, {}", version(&path), path.display()))
        }
        _ => match clang::find_clang() {
            Some(path) => missing(
                "clang",
                format!("{}, {} is not linked yet", version(&path), path.display()),
                SETUP,
            ),
            None => missing(
                "clang",
                "no clang from version 14 on with the bpf target",
                packages::show_install_command(&[Part::Clang]),
            ),
        },
    }
}

fn libbpf() -> Item {
    const NAME: &str = "libbpf's build";
    let parts = LibbpfBuild.parts();
    let absent: Vec<Part> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_there())
        .collect();
    let names = |parts: &[Part]| {
        parts
            .iter()
            .map(|part| part.name())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if absent.is_empty() {
        return ok(NAME, names(parts));
    }
    missing(
        NAME,
        format!("no {}", names(&absent)),
        packages::show_install_command(&absent),
    )
}

fn qemu() -> Item {
    match qemu::find_qemu(Architecture::HOST) {
        None => missing(
            "QEMU",
            format!("no {}", qemu::program_name(Architecture::HOST)),
            packages::show_install_command(&[Part::Qemu(Architecture::HOST)]),
        ),
        Some(path) => match qemu::read_qemu_version(&path) {
            Some(version) if qemu::is_too_old(&version) => {
                let found = format!("{version}, {}, {}", path.display(), qemu::TOO_OLD);
                missing("QEMU", found, qemu::NEWER)
            }
            Some(version) => ok(
                "QEMU",
                format!(
                    "{version}, {}{}{}",
                    path.display(),
                    without_cmpxchg16b(&version),
                    without_sandbox(&path)
                ),
            ),
            None => missing(
                "QEMU",
                format!("{} does not run", path.display()),
                packages::show_install_command(&[Part::Qemu(Architecture::HOST)]),
            ),
        },
    }
}

/// What is different in VMs that this QEMU emulates.
fn without_cmpxchg16b(qemu: &str) -> &'static str {
    match Cmpxchg16b::choose_cmpxchg16b(Some(qemu), kernel::DEFAULT) {
        Cmpxchg16b::Emulated => "",
        _ => "; older than 10.0, so that emulated CPUs have no cmpxchg16b",
    }
}

fn without_sandbox(qemu: &Path) -> &'static str {
    if qemu::has_sandbox(qemu) && qemu::uses_sandbox(Architecture::HOST) {
        return "";
    }
    "; without a seccomp sandbox, so that less protects this machine from a fault in QEMU"
}

fn static_libc() -> Item {
    match Part::StaticLibc(Architecture::HOST).is_there() {
        true => ok("static libc", "for the guest's init"),
        false => missing(
            "static libc",
            "no libc.a for the guest's init",
            packages::show_install_command(&[Part::StaticLibc(Architecture::HOST)]),
        ),
    }
}

fn kernel(name: &str) -> Item {
    let title = format!("kernel {name}");
    if !kernels::kernel_directory(name, Architecture::HOST).exists() {
        let found = format!(
            "not fetched yet ({})",
            kernels::kernel_source(name, Architecture::HOST)
        );
        return missing(&title, found, SETUP);
    }
    judge_kernel(
        &title,
        kernels::find_kernel(name, Architecture::HOST),
        || kernels::is_whole(name, Architecture::HOST),
    )
}

/// About a kernel that is in the cache.
fn judge_kernel(title: &str, found: Result<Kernel>, is_whole: impl Fn() -> bool) -> Item {
    match found {
        Ok(kernel) if is_whole() => ok(
            title,
            format!("Linux {}, {}", kernel.release, kernel.origin),
        ),
        Ok(_) => missing(title, "changed or damaged after it was fetched", SETUP),
        Err(error) => {
            let help = error
                .downcast_ref()
                .and_then(|it: &Problem| it.help_lines().first());
            let fix = help.map_or(SETUP, String::as_str);
            let text = format!("{error:#}");
            // The line begins with it.
            let found = text.strip_prefix(&format!("{title} ")).unwrap_or(&text);
            missing(title, found, fix)
        }
    }
}

fn vm_tools() -> Item {
    let tools = GuestTools::HOST;
    match tools.read_versions().filter(|_| tools.is_whole()) {
        Some(versions) => ok("VM tools", versions),
        None => missing(
            "VM tools",
            "busybox and bpftool for the inside of the VM are not here",
            SETUP,
        ),
    }
}

/// A guest has 256 MB, and QEMU and a build beside it want as much again.
const MEMORY_MB: u64 = 512;

fn memory() -> Item {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    match available_mb(&text) {
        None => item(
            "memory",
            State::Note,
            "/proc/meminfo does not say how much is available",
        ),
        Some(free) if free < MEMORY_MB => missing(
            "memory",
            format!("{free} MB available, a VM needs {MEMORY_MB} MB"),
            "end other programs",
        ),
        Some(free) => ok("memory", format!("{free} MB available")),
    }
}

fn available_mb(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024)
}

/// The built lessons take most of it.
const DISK_MB: u64 = 2000;

fn disk() -> Item {
    let cache = workspace::cache_directory();
    // The cache may not be there yet; its nearest existing parent is on the same disk.
    let directory = cache
        .ancestors()
        .find(|directory| directory.is_dir())
        .unwrap_or(Path::new("/"));
    match space::free_space(directory).map(|bytes| bytes / 1_000_000) {
        None => item(
            "disk",
            State::Note,
            format!("cannot tell the free space of {}", directory.display()),
        ),
        Some(free) if free < DISK_MB => {
            let found = format!(
                "{free} MB free in {}, {DISK_MB} MB are wanted",
                directory.display()
            );
            missing(
                "disk",
                found,
                "make room, or keep the cache elsewhere: XTASK_CACHE=DIRECTORY",
            )
        }
        Some(free) => ok("disk", format!("{free} MB free, cache {}", cache.display())),
    }
}

/// Whether other users could change what is started or booted.
fn cache() -> Item {
    match exposure::find_any_exposure() {
        Some(exposure) => missing("cache", exposure.describe(), exposure.fix()),
        None => ok("cache", exposure::describe_cache_rights()),
    }
}

fn kvm() -> Result<Item> {
    let slower = "VMs run by emulation, which only costs time; XTASK_ACCEL=kvm overrides this";
    let verdict = workspace::own_cache().join("kvm-verdict.json");
    let state = testvm::find_kvm_state(&workspace::own_cache(), Architecture::HOST)?;
    Ok(match state {
        KvmState::Promising => ok(
            "KVM",
            "may work; the next VM will show (without it: XTASK_ACCEL=tcg)",
        ),
        KvmState::Forced(Accel::Kvm) => ok("KVM", "used, because XTASK_ACCEL says so"),
        KvmState::Forced(Accel::Tcg) => {
            item("KVM", State::Note, "not used, because XTASK_ACCEL says so")
        }
        KvmState::Unusable(why) => Item {
            fix: kvm_fix(may_open_kvm(), &verdict),
            ..item(
                "KVM",
                State::Note,
                format!("not usable because {why}; {slower}"),
            )
        },
    })
}

/// Where there is something to do about it: a right that is missing, or a verdict that may be out
/// of date.
fn kvm_fix(may_open: bool, verdict: &Path) -> Option<String> {
    if !may_open {
        return Some("sudo usermod -aG kvm $USER   (then log in again)".to_owned());
    }
    verdict.exists().then(|| {
        format!(
            "rm {}   (forgets the boot that failed: the next VM tries again)",
            verdict.display()
        )
    })
}

/// False only where the right is what is missing.
fn may_open_kvm() -> bool {
    let opened = fs::File::options().read(true).write(true).open("/dev/kvm");
    !opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

fn privileges() -> Item {
    match packages::is_root() {
        true => ok("root", "yes"),
        false => item(
            "root",
            State::Note,
            "no; VMs need none, only `run --host` does",
        ),
    }
}

fn host_kernel() -> Item {
    let release = kernel::running_release();
    let btf = Path::new("/sys/kernel/btf/vmlinux").exists();
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    let lsm = modules.trim().split(',').any(|name| name == "bpf");
    let word = |yes: bool, what: &str| format!("{} {what}", if yes { "with" } else { "without" });
    let found = format!(
        "Linux {release}, {}, {}",
        word(btf, "BTF"),
        word(lsm, "bpf among the active LSMs")
    );
    item(
        "host kernel",
        if btf { State::Ok } else { State::Note },
        found,
    )
}

/// What `run --host` could do here; VMs run every lesson whatever the host is.
fn host_lessons() -> Result<Item> {
    let release = kernel::running_release();
    let lessons = catalog::read_lessons()?;
    let (able, unable): (Vec<_>, Vec<_>) = lessons
        .iter()
        .partition(|lesson| is_at_least(&release, &lesson.about.oldest_kernel));
    let numbers = |lessons: &[&catalog::Lesson]| {
        lessons
            .iter()
            .map(|lesson| lesson.number.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut found = match able.as_slice() {
        [] => "no lesson: this kernel is too old".to_owned(),
        able => format!("kernel is new enough for lessons {}", numbers(able)),
    };
    if !able.is_empty() && !packages::is_root() {
        found += ", as root";
    }
    if !unable.is_empty() {
        found += &format!("; too old for {}", numbers(&unable));
    }
    Ok(item(
        "run --host",
        if able.is_empty() {
            State::Note
        } else {
            State::Ok
        },
        found,
    ))
}

fn is_at_least(release: &str, oldest: &str) -> bool {
    Version::parse(release) >= Version::parse(oldest)
}

fn terminal() -> Item {
    let kind = std::env::var("TERM").unwrap_or_else(|_| "no TERM".to_owned());
    let marks = if Mark::Good.symbol().is_ascii() {
        "ASCII marks"
    } else {
        "UTF-8 marks"
    };
    let place = if std::io::stdout().is_terminal() {
        kind
    } else {
        "output goes to a file or pipe".to_owned()
    };
    ok("terminal", format!("{place}, {marks}"))
}

fn table(items: &[Item]) -> String {
    let width = items.iter().map(|item| item.item.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Item {
        item,
        state,
        found,
        fix,
    } in items
    {
        let (mark, word) = match state {
            State::Ok => (Mark::Good, "ok"),
            State::Note => (Mark::Note, "note"),
            State::Missing => (Mark::Bad, "missing"),
        };
        text += &format!("{} {item:<width$}  {word:<7}  {found}\n", mark.symbol());
        if let Some(fix) = fix {
            text += &format!("  {:<width$}  {:<7}  fix: {fix}\n", "", "");
        }
    }
    text
}

#[cfg(test)]
pub fn json_sample() -> Result<String> {
    Ok(serde_json::to_string(&[missing("QEMU", "none", SETUP)])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_with_its_fix() {
        let text = table(&[
            ok("Rust", "1.95.0"),
            missing("QEMU", "no program", "apt-get install qemu"),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("Rust  ok       1.95.0"), "{text}");
        assert!(lines[1].ends_with("QEMU  missing  no program"), "{text}");
        assert!(lines[2].ends_with("fix: apt-get install qemu"), "{text}");
    }

    #[test]
    fn a_kernel_that_the_lock_left_is_told_from_a_damaged_one() {
        let problem =
            Problem::machine("kernel 6.12 is 6.12.1-1 here, and kernels.lock wants 6.12.2-1");
        let moved = judge_kernel("kernel 6.12", Err(problem.help(SETUP).into()), || true);
        let found = "is 6.12.1-1 here, and kernels.lock wants 6.12.2-1";
        assert_eq!(moved, missing("kernel 6.12", found, SETUP));

        let kernel = || {
            Ok(Kernel {
                name: "6.12".to_owned(),
                architecture: Architecture::HOST,
                origin: "Debian trixie".to_owned(),
                image: "vmlinux".into(),
                modules: None,
                config: None,
                release: "6.12.1".to_owned(),
            })
        };
        let damaged = judge_kernel("kernel 6.12", kernel(), || false);
        assert!(damaged.found.contains("changed or damaged"), "{damaged:?}");
        let whole = judge_kernel("kernel 6.12", kernel(), || true);
        assert_eq!(whole, ok("kernel 6.12", "Linux 6.12.1, Debian trixie"));
    }

    #[test]
    fn json_names_the_state() {
        let json =
            serde_json::to_value([ok("Rust", "1"), missing("QEMU", "none", "install")]).unwrap();
        assert_eq!(
            json[0],
            serde_json::json!({"item": "Rust", "state": "ok", "found": "1"})
        );
        assert_eq!(json[1]["state"], "missing");
        assert_eq!(json[1]["fix"], "install");
    }

    #[test]
    fn kvm_has_a_fix_for_a_missing_right_and_for_an_old_verdict() {
        let directory = tempfile::tempdir().unwrap();
        let verdict = directory.path().join("verdict");
        assert!(
            kvm_fix(false, &verdict)
                .unwrap()
                .starts_with("sudo usermod -aG kvm")
        );
        assert_eq!(kvm_fix(true, &verdict), None);
        fs::write(&verdict, "{}").unwrap();
        let fix = kvm_fix(true, &verdict).unwrap();
        assert!(fix.contains(&format!("rm {}", verdict.display())), "{fix}");
    }

    #[test]
    fn kernels_compare_by_number() {
        assert!(is_at_least("6.1.0-50-cloud-amd64", "5.10"));
        assert!(is_at_least("5.10.0", "5.10"));
        assert!(!is_at_least("5.4.0-200-generic", "5.10"));
        assert!(is_at_least("5.10", "5.8"), "as numbers, not as text");
    }

    #[test]
    fn available_memory_is_read() {
        assert_eq!(
            available_mb("MemTotal: 9 kB\nMemAvailable:  2097152 kB\n"),
            Some(2048)
        );
        assert_eq!(available_mb("MemTotal: 9 kB\n"), None);
    }
}
