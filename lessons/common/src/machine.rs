//! Whether this machine can run a lesson. Said first, in plain words: the kernel would say only
//! EPERM or EINVAL.

use std::env::consts::ARCH;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::libc;

use crate::NotReady;

/// What a lesson can need of the machine it runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    Root,
    Btf,
    Kprobes,
    Tracefs,
    /// fentry, fexit and LSM programs go through a trampoline, which only machine code can use. On
    /// arm64, the kernel has had them for less long.
    Trampolines,
}

const BTF: &str = "sys/kernel/btf/vmlinux";
const KPROBES: &str = "sys/bus/event_source/devices/kprobe";
const JIT: &str = "proc/sys/net/core/bpf_jit_enable";
const RELEASE: &str = "proc/sys/kernel/osrelease";
const SECURITYFS: &str = "sys/kernel/security";
/// Debian and most others mount it at the first place; the second is where it used to be.
const TRACEFS: [&str; 2] = ["sys/kernel/tracing", "sys/kernel/debug/tracing"];

/// How the kernel refuses to trace a function: ENOENT (it has none of this name), EBUSY (there is
/// other code where a trampoline would go), EINVAL (it must not be probed) and EOPNOTSUPP (ftrace
/// does not know it).
const UNTRACEABLE: [i32; 4] = [libc::ENOENT, libc::EBUSY, libc::EINVAL, libc::EOPNOTSUPP];

/// The first Linux that can attach to its functions by trampolines on arm64. Older ones fail with
/// ENOTSUPP, an error of the kernel's own that has no name outside.
const ARM64_TRAMPOLINES: (u32, u32) = (6, 4);

/// Where the kernel's own file systems are mounted. Tests have another place.
const SLASH: &str = "/";

/// Fails with the first need that is not met. `Root` comes first: others cannot look into tracefs.
/// `lesson` is what `cargo xtask run` calls it.
pub fn check(lesson: &str, needs: &[Need]) -> Result<(), NotReady> {
    check_in(Path::new(SLASH), lesson, needs)
}

fn check_in(slash: &Path, lesson: &str, needs: &[Need]) -> Result<(), NotReady> {
    match needs.iter().find(|need| !need.is_met(slash)) {
        Some(need) => Err(need.missing(slash).help(format!(
            "cargo xtask run {lesson} runs the lesson in a virtual machine"
        ))),
        None => Ok(()),
    }
}

impl Need {
    fn is_met(self, slash: &Path) -> bool {
        match self {
            Self::Root => is_root(),
            Self::Btf => slash.join(BTF).exists(),
            Self::Kprobes => slash.join(KPROBES).exists(),
            Self::Tracefs => tracefs_in(slash).is_ok(),
            Self::Trampolines => jit_in(slash) != Some(false) && has_trampolines_in(slash),
        }
    }

    pub(crate) fn missing(self, slash: &Path) -> NotReady {
        match self {
            Self::Root => NotReady::new("cannot load an eBPF program: only root may do that here")
                .help("sudo, with the same command"),
            Self::Btf => NotReady::new(
                "cannot find the kernel's types: it has no BTF (CONFIG_DEBUG_INFO_BTF)",
            ),
            Self::Kprobes => NotReady::new(
                "cannot attach a kprobe: this kernel was built without them (CONFIG_KPROBE_EVENTS)",
            ),
            Self::Tracefs => NotReady::new("cannot look into tracefs: it is not mounted")
                .help("mount -t tracefs tracefs /sys/kernel/tracing"),
            Self::Trampolines if has_trampolines_in(slash) => NotReady::new(
                "cannot attach to a kernel function: the JIT compiler for eBPF is off",
            )
            .help("sysctl net.core.bpf_jit_enable=1"),
            Self::Trampolines => NotReady::new(
                "cannot attach to a kernel function: on arm64, Linux can do that since 6.4",
            )
            .help("boot a newer kernel; in a virtual machine: --kernel 6.12"),
        }
    }
}

/// What a learner can do when the kernel refused to load the lesson's programs. A container or a
/// lockdown may forbid even root to load tracing programs: EPERM, where the verifier answers
/// EACCES. `lesson` is what `cargo xtask run` calls it.
pub fn explain_refusal(lesson: &str, error: anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    if text.contains("cannot load") && text.contains("(os error 1)") {
        let what = "cannot load the program: this machine does not let root do that (EPERM)";
        let help = format!("cargo xtask run {lesson} runs the lesson in a virtual machine");
        return NotReady::new(what).help(help).into();
    }
    error
}

/// What a learner can do when the kernel refused to attach a program to `function`: not every
/// function can be traced.
pub fn explain_untraceable(function: &str, error: anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    let is_refused = UNTRACEABLE
        .iter()
        .any(|number| text.contains(&format!("(os error {number})")));
    if !is_refused || !text.contains("cannot attach") {
        return error;
    }
    let functions = "/sys/kernel/tracing/available_filter_functions";
    let help = format!("grep -w {function} {functions} shows whether it can be traced");
    NotReady::new(text).help(help).into()
}

/// Fails where this setting of the kernel, such as `kernel.perf_event_max_stack`, is lower than
/// something needs. The kernel itself would say only EINVAL. `what` is what cannot be done then.
pub fn check_sysctl(name: &str, least: u64, what: &str) -> Result<(), NotReady> {
    check_sysctl_in(Path::new(SLASH), name, least, what)
}

fn check_sysctl_in(slash: &Path, name: &str, least: u64, what: &str) -> Result<(), NotReady> {
    let path = slash.join("proc/sys").join(name.replace('.', "/"));
    let text = fs::read_to_string(path).unwrap_or_default();
    match text.trim().parse::<u64>() {
        // What cannot be read is left to the kernel.
        Ok(value) if value < least => Err(NotReady::new(format!(
            "cannot {what}: this kernel allows {value}, {name}"
        ))
        .help(format!("sysctl {name}={least}"))),
        _ => Ok(()),
    }
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The kernel's name for itself, as `uname -r` prints it.
pub fn kernel_release() -> String {
    match nix::sys::utsname::uname() {
        Ok(names) => names.release().to_string_lossy().into_owned(),
        Err(_) => "unknown".to_owned(),
    }
}

/// Whether the kernel describes its own types.
pub fn has_btf() -> bool {
    Path::new(SLASH).join(BTF).exists()
}

/// Whether programs become machine code. `None` where the kernel does not tell.
pub fn jit_state() -> Option<bool> {
    jit_in(Path::new(SLASH))
}

fn has_trampolines_in(slash: &Path) -> bool {
    let release = fs::read_to_string(slash.join(RELEASE)).unwrap_or_default();
    ARCH != "aarch64" || has_arm64_trampolines(&release)
}

/// What cannot be read is left to the kernel.
fn has_arm64_trampolines(release: &str) -> bool {
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= ARM64_TRAMPOLINES,
        _ => true,
    }
}

fn jit_in(slash: &Path) -> Option<bool> {
    Some(fs::read_to_string(slash.join(JIT)).ok()?.trim() != "0")
}

/// Where tracefs is mounted.
pub fn find_tracefs() -> Result<PathBuf, NotReady> {
    tracefs_in(Path::new(SLASH))
}

fn tracefs_in(slash: &Path) -> Result<PathBuf, NotReady> {
    let mount = TRACEFS
        .iter()
        .map(|mount| slash.join(mount))
        .find(|mount| mount.join("instances").exists());
    mount.ok_or_else(|| Need::Tracefs.missing(slash))
}

/// The Linux security modules that are asked, in their order. eBPF programs can refuse something
/// only when `bpf` is one of them; where it is not, they attach all the same, and nothing happens.
pub fn active_lsms() -> Result<Vec<String>, NotReady> {
    active_lsms_in(Path::new(SLASH))
}

// ANCHOR: active
/// Fails where `bpf` is not among the active LSMs: there LSM programs load and attach, and no hook
/// ever calls them. `lesson` is what `cargo xtask run` calls it.
pub fn check_bpf_lsm(lesson: &str) -> Result<(), NotReady> {
    check_bpf_among(&active_lsms()?, lesson)
}

fn check_bpf_among(active: &[String], lesson: &str) -> Result<(), NotReady> {
    if active.iter().any(|name| name == "bpf") {
        return Ok(());
    }
    let active = active.join(",");
    let what = format!("cannot deny anything: bpf is not among the active LSMs, {active}");
    Err(NotReady::new(what)
        .help(format!(
            "boot with lsm={active},bpf on the kernel command line"
        ))
        .help("in Debian: GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and reboot")
        .help(format!(
            "cargo xtask run {lesson} runs it in a virtual machine that has bpf"
        )))
}
// ANCHOR_END: active

fn active_lsms_in(slash: &Path) -> Result<Vec<String>, NotReady> {
    let directory = slash.join(SECURITYFS);
    match fs::read_to_string(directory.join("lsm")) {
        Ok(names) => Ok(names.trim().split(',').map(str::to_owned).collect()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(NotReady::new(format!(
            "cannot read the active LSMs in /sys/kernel/security/lsm: {error}"
        ))),
        // The kernel makes the empty directory itself, to be mounted on.
        Err(_) if directory.exists() => Err(NotReady::new(
            "cannot read the active LSMs: securityfs is not mounted at /sys/kernel/security",
        )
        .help("mount -t securityfs securityfs /sys/kernel/security")),
        Err(_) => Err(NotReady::new(
            "cannot read the active LSMs: this kernel was built without them (CONFIG_SECURITYFS)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A directory that looks like `/` of a machine with these files.
    fn machine(files: &[(&str, &str)]) -> TempDir {
        let slash = TempDir::new().expect("a temporary directory can be made");
        for (path, text) in files {
            let path = slash.path().join(path);
            fs::create_dir_all(path.parent().expect("a file has a directory"))
                .expect("the directory can be made");
            fs::write(path, text).expect("the file can be written");
        }
        slash
    }

    #[test]
    fn each_is_missing_from_an_empty_machine() {
        let empty = machine(&[]);
        for (need, word) in [
            (Need::Btf, "BTF"),
            (Need::Kprobes, "kprobe"),
            (Need::Tracefs, "tracefs"),
        ] {
            let problem =
                check_in(empty.path(), "a-lesson", &[need]).expect_err("nothing is there");
            assert!(problem.to_string().contains(word), "{problem}");
            let last = problem.help_lines().last().map(String::as_str);
            assert_eq!(
                last,
                Some("cargo xtask run a-lesson runs the lesson in a virtual machine")
            );
        }
    }

    #[test]
    fn a_machine_with_everything_is_ready() {
        let instance = format!("{}/instances/x", TRACEFS[1]);
        let slash = machine(&[(BTF, ""), (KPROBES, ""), (JIT, "1\n"), (&instance, "")]);
        let needs = [Need::Btf, Need::Kprobes, Need::Trampolines, Need::Tracefs];
        check_in(slash.path(), "a-lesson", &needs).expect("all is there");
        assert_eq!(
            tracefs_in(slash.path()).expect("it is there"),
            slash.path().join(TRACEFS[1])
        );
    }

    #[test]
    fn what_is_forbidden_is_not_what_the_verifier_refuses() {
        let is_not_ready = |number, context: &'static str| {
            let error = anyhow::Error::new(std::io::Error::from_raw_os_error(number));
            explain_refusal("a-lesson", error.context(context)).is::<NotReady>()
        };
        assert!(is_not_ready(1, "cannot load a program"));
        assert!(!is_not_ready(13, "cannot load a program"));
        assert!(!is_not_ready(1, "cannot open a file"));
        assert!(!is_not_ready(16, "cannot attach a program to a hook"));
    }

    #[test]
    fn only_a_function_that_cannot_be_traced_gets_the_command_that_shows_it() {
        let explain = |number, context: &'static str| {
            let error = anyhow::Error::new(std::io::Error::from_raw_os_error(number));
            explain_untraceable("do_sys_openat2", error.context(context))
        };
        for number in UNTRACEABLE {
            let error = explain(number, "cannot attach a program");
            let problem = error.downcast::<NotReady>().expect("it is explained");
            assert!(problem.to_string().starts_with("cannot attach a program: "));
            assert_eq!(
                problem.help_lines(),
                [
                    "grep -w do_sys_openat2 /sys/kernel/tracing/available_filter_functions \
                    shows whether it can be traced"
                ]
            );
        }
        assert!(!explain(libc::ENOMEM, "cannot attach a program").is::<NotReady>());
        assert!(!explain(libc::EINVAL, "cannot load a program").is::<NotReady>());
    }

    #[test]
    fn the_first_need_that_is_not_met_is_told() {
        let slash = machine(&[(BTF, "")]);
        let needs = [Need::Btf, Need::Kprobes, Need::Tracefs];
        let problem = check_in(slash.path(), "a-lesson", &needs).expect_err("there are no kprobes");
        assert!(problem.to_string().contains("kprobe"), "{problem}");
    }

    #[test]
    fn only_a_jit_that_says_off_is_off() {
        for (text, on) in [("0\n", false), ("1\n", true), ("2\n", true)] {
            let slash = machine(&[(JIT, text)]);
            assert_eq!(jit_in(slash.path()), Some(on));
            assert_eq!(
                check_in(slash.path(), "a-lesson", &[Need::Trampolines]).is_ok(),
                on
            );
        }
        let silent = machine(&[]);
        assert_eq!(jit_in(silent.path()), None);
        check_in(silent.path(), "a-lesson", &[Need::Trampolines])
            .expect("what is not told is not held against it");
    }

    #[test]
    fn trampolines_of_arm64_came_with_linux_6_4() {
        for (release, has) in [
            ("5.10.0-44-cloud-arm64", false),
            ("6.1.0-50-cloud-arm64", false),
            ("6.4.0", true),
            ("6.12.117+deb13-cloud-arm64", true),
            ("7.0-rc1", true),
            ("", true),
        ] {
            assert_eq!(has_arm64_trampolines(release), has, "{release}");
        }
    }

    #[test]
    fn bpf_must_be_an_active_lsm() {
        let names = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        check_bpf_among(&names("lockdown,capability,bpf"), "lsm").expect("it is there");
        let problem = check_bpf_among(&names("lockdown,capability,bpfx"), "lsm")
            .expect_err("it is not there");
        let text = problem.to_string();
        assert!(
            text.ends_with("active LSMs, lockdown,capability,bpfx"),
            "{text}"
        );
        let help = "boot with lsm=lockdown,capability,bpfx,bpf on the kernel command line";
        assert_eq!(problem.help_lines()[0], help);
    }

    #[test]
    fn active_lsms_or_why_they_cannot_be_read() {
        let mounted = machine(&[("sys/kernel/security/lsm", "lockdown,capability,bpf")]);
        let names = active_lsms_in(mounted.path()).expect("it is mounted");
        assert_eq!(names, ["lockdown", "capability", "bpf"]);

        let unreadable = machine(&[("sys/kernel/security/lsm/is-a-directory", "")]);
        let problem = active_lsms_in(unreadable.path()).expect_err("a directory cannot be read");
        assert!(
            problem.to_string().contains("lsm: Is a directory"),
            "{problem}"
        );

        let not_mounted = machine(&[("sys/kernel/security/other", "")]);
        let problem = active_lsms_in(not_mounted.path()).expect_err("it is not mounted");
        assert!(problem.to_string().contains("not mounted"), "{problem}");

        let without = active_lsms_in(machine(&[]).path()).expect_err("there is no such directory");
        assert!(
            without.to_string().contains("CONFIG_SECURITYFS"),
            "{without}"
        );
    }
}
