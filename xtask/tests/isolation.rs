//! What separates a guest from this machine: seen from inside the guest, and from the host.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use common::fake_qemu::FakeQemu;
use common::{Run, run, run_step, scratch, shell, skip, start_with_tools, stderr, stdout};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use plan::frame::{FrameKind, encode_message};
use plan::{News, Outcome};
use requirements::qemu;
use testvm::{Failure, Started};

/// One guest for everything: the last look ends it.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_guest_reaches_nothing_of_this_machine() {
    let secret = inheritable_file();
    // A shell may have set it to none, as QEMU's is to be.
    let (_, most) = getrlimit(Resource::RLIMIT_CORE).unwrap();
    setrlimit(Resource::RLIMIT_CORE, most, most).unwrap();
    let mut started = start_with_tools("6.12");
    let qemu = Qemu::of_this_process();
    qemu.has_no_rights();
    qemu.has_nothing_of_its_caller(&secret.path);
    qemu.has_no_network();
    has_no_device_but_these(&mut started);
    sees_no_process_and_no_file(&mut started, &secret.path);
    reaches_no_port(&mut started);
    cannot_make_a_result_up_by_chance(started);
}

/// A file of the host that a program started by this one could use.
struct Inheritable {
    path: PathBuf,
    _file: File,
}

fn inheritable_file() -> Inheritable {
    let path = scratch().join(format!("a-secret-of-{}", process::id()));
    fs::write(&path, "a secret of the host").unwrap();
    let file = File::open(&path).unwrap();
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    assert!(file.as_raw_fd() > 2);
    Inheritable { path, _file: file }
}

impl Drop for Inheritable {
    fn drop(&mut self) {
        fs::remove_file(&self.path).unwrap();
    }
}

/// The running QEMU, as /proc shows it.
struct Qemu {
    proc: PathBuf,
}

impl Qemu {
    fn of_this_process() -> Self {
        let parent = format!("\nPPid:\t{}\n", process::id());
        let is_child = |proc: &PathBuf| {
            let read = |name| fs::read_to_string(proc.join(name)).unwrap_or_default();
            // Other tests have started other programs.
            read("status").contains(&parent) && read("cmdline").contains("q35")
        };
        let mut found = fs::read_dir("/proc").unwrap().flatten();
        let proc = found.find_map(|entry| Some(entry.path()).filter(is_child));
        Self {
            proc: proc.unwrap(),
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.proc.join(name)).unwrap()
    }

    fn has_no_rights(&self) {
        let status = self.read("status");
        let mut expected = vec![
            "NoNewPrivs:\t1",
            "CapEff:\t0000000000000000",
            "CapPrm:\t0000000000000000",
        ];
        match qemu::has_sandbox(&qemu::find_qemu(kernel::Architecture::HOST).unwrap()) {
            true => expected.push("Seccomp:\t2"),
            false => skip("QEMU's sandbox", "this QEMU has none"),
        }
        for line in expected {
            assert!(status.contains(line), "{line} is missing: {status}");
        }
        let limits = self.read("limits");
        let limit = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(limit("Max core file size"), "0");
        // Not 0 where this guest was booted, and saved.
        assert!(limit("Max file size").parse::<u64>().unwrap() < 1 << 30);
    }

    fn has_nothing_of_its_caller(&self, secret: &Path) {
        let mut open = BTreeSet::new();
        for entry in fs::read_dir(self.proc.join("fd")).unwrap().flatten() {
            // Some come and go while it runs.
            let Ok(target) = fs::read_link(entry.path()) else {
                continue;
            };
            assert_ne!(target, secret);
            let name = target.to_string_lossy().into_owned();
            let kind = match name.split_once(':') {
                Some((kind @ ("socket" | "pipe"), _)) => kind.to_owned(),
                _ => name,
            };
            open.insert(kind);
        }
        let is_own = |name: &&String| {
            let memory = ["/memfd:programs", "/memfd:guest", "/memfd:initramfs"];
            ["socket", "pipe", "/dev/null", "/dev/kvm"].contains(&name.as_str())
                || name.starts_with("anon_inode:")
                || name.contains("/snapshots/")
                || name.ends_with("/vmlinux")
                || memory.iter().any(|file| name.starts_with(file))
        };
        let others: Vec<_> = open.iter().filter(|name| !is_own(name)).collect();
        assert!(others.is_empty(), "{others:?}");
        assert_eq!(
            fs::read_link(self.proc.join("cwd")).unwrap(),
            Path::new("/")
        );
        let environment = self.read("environ");
        let of_cargo = environment.split('\0').find(|it| it.starts_with("CARGO"));
        assert_eq!(of_cargo, None);
    }

    fn has_no_network(&self) {
        let unshare = |option| {
            let mut command = Command::new("unshare");
            command.args([option, "true"]).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        if !unshare("-n") && !unshare("-Un") {
            return skip("QEMU's network", "no namespaces may be made here");
        }
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        assert_ne!(fs::read_link(self.proc.join("ns/net")).unwrap(), ours);
    }
}

/// The host bridge, and the bridge to the serial ports and clocks.
const PCI: &str = "0x2918 0x8086 0x29c0 0x8086";

/// The memory with the programs; they may have come with the boot.
const PROGRAMS: &str = "0x1110 0x1af4 ";

fn has_no_device_but_these(started: &mut Started) {
    let text = run_step(
        started,
        shell(
            "echo network $(busybox ls /sys/class/net); \
             echo disks $(busybox ls /sys/block); \
             echo pci $(for it in /sys/bus/pci/devices/*; do \
                 busybox cat $it/device $it/vendor; done | busybox xargs -n 2 | busybox sort -u); \
             echo usb $(busybox ls /sys/bus/usb/devices 2>/dev/null); \
             echo virtio $(busybox ls /sys/bus/virtio/devices 2>/dev/null); \
             echo input $(busybox ls /sys/class/input 2>/dev/null); \
             echo shared $(busybox grep -cE '9p|virtiofs|nfs|cifs|fuse' /proc/mounts); \
             echo ports $(busybox grep -c 16550A /proc/tty/driver/serial)",
        ),
        "devices",
    );
    let expected = format!("network lo\ndisks\npci {PCI}\nusb\nvirtio\ninput\nshared 0\nports 2\n");
    assert_eq!(text.replace(PROGRAMS, ""), expected);
}

fn sees_no_process_and_no_file(started: &mut Started, secret: &Path) {
    let name = secret.file_name().unwrap().to_string_lossy();
    let text = run_step(
        started,
        shell(&format!(
            "echo processes $(for it in /proc/[0-9]*; do \
                 busybox readlink $it/exe; done | busybox sort -u); \
             echo found $(busybox find / -xdev -name '{name}' 2>/dev/null); \
             busybox cat {} > /dev/null 2>&1 || echo no file",
            secret.display()
        )),
        "the host's processes and files",
    );
    assert_eq!(text, "processes /bin/busybox /init\nfound\nno file\n");
}

/// A server of the host on each of its addresses. What the guest has of a network is itself.
fn reaches_no_port(started: &mut Started) {
    let server = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let addresses = "127.0.0.1 10.0.2.2 10.0.2.3 192.168.0.1 172.17.0.1";
    let text = run_step(
        started,
        shell(&format!(
            "for to in {addresses}; do \
             echo hello | busybox nc -w 1 $to {port} 2>&1 | busybox sed 's/.*: //'; done"
        )),
        "the host's ports",
    );
    assert_eq!(text.lines().count(), 5, "{text}");
    server.set_nonblocking(true).unwrap();
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// As a program may that writes all it has to each serial line: frames, as they would be if the
/// step had succeeded, of another plan.
fn cannot_make_a_result_up_by_chance(mut started: Started) {
    let ended = News::Ended {
        step: 0,
        outcome: Outcome::Exited(0),
        micros: 1,
        token: 0,
    };
    let frames = [ended, News::Finished(0)].map(|it| encode_message(FrameKind::News, &it).unwrap());
    let octal: String = frames
        .concat()
        .iter()
        .map(|it| format!("\\{it:03o}"))
        .collect();
    let step = shell(&format!("busybox printf '{octal}' > /dev/ttyS1; exit 1"));
    let (report, _) = run(&mut started, vec![step]);
    let Err(Failure::Died(death)) = report else {
        panic!("the host believed it")
    };
    assert_eq!(death.why, "something in the guest made a result up");
}

fn said_with(qemu: &FakeQemu, arguments: &[&str]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let qemu = qemu.write_to(directory.path());
    let mut run = Run::new(arguments);
    let output = run.command.env("XTASK_QEMU", &qemu).output().unwrap();
    (
        output.status.code(),
        format!("{}{}", stdout(&output), stderr(&output)),
    )
}

#[test]
fn a_qemu_without_a_sandbox_is_told_by_doctor() {
    let refuses = FakeQemu::default().without("-sandbox", "seccomp support is disabled");
    let (_, said) = said_with(&refuses, &["doctor"]);
    assert!(said.contains("without a seccomp sandbox"), "{said}");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_end_by_the_sandbox_is_told_in_words() {
    let dies = FakeQemu::default().with_case("-accel", "kill -SYS $$");
    let (code, said) = said_with(&dies, &["run", "01"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("its seccomp sandbox forbids"), "{said}");
    assert!(said.contains("XTASK_SANDBOX=off"), "{said}");
}

/// A directory for a cache, in one with this mode.
fn cache_in(mode: u32) -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let cache = parent.path().join("cache");
    fs::create_dir(&cache).unwrap();
    set_mode(&cache, 0o755);
    set_mode(parent.path(), mode);
    (parent, cache)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn said_with_cache(cache: &Path, command: &str) -> (Option<i32>, String) {
    let mut run = Run::new(&command.split(' ').collect::<Vec<_>>());
    for trusting in ["XTASK_TRUST", "CI"] {
        run.command.env_remove(trusting);
    }
    let output = run.command.env("XTASK_CACHE", cache).output().unwrap();
    (
        output.status.code(),
        format!("{}{}", stdout(&output), stderr(&output)),
    )
}

#[test]
fn a_cache_that_others_can_write_starts_nothing() {
    let (parent, cache) = cache_in(0o755);
    set_mode(&cache, 0o777);
    let refused = |path: &Path| {
        let (code, said) = said_with_cache(&cache, "run 01");
        let expected = format!("{} can be written by everybody", path.display());
        assert!(said.contains(&expected), "{said}");
        assert!(said.contains("chmod"), "{said}");
        assert_eq!(code, Some(3));
    };
    refused(&cache);
    set_mode(&cache, 0o755);
    set_mode(parent.path(), 0o777);
    refused(parent.path());
}

/// A teacher's directory serves a class. One that somebody made first in a place for everybody does
/// not.
#[test]
fn a_named_cache_may_be_of_another_user() {
    let nobody = 65534;
    let (_class, of_teacher) = cache_in(0o755);
    let (_open, of_anybody) = cache_in(0o1777);
    for cache in [&of_teacher, &of_anybody] {
        if chown(cache, Some(nobody), Some(nobody)).is_err() {
            return skip("a cache of another user", "only root can make one");
        }
    }
    let (_, said) = said_with_cache(&of_teacher, "doctor");
    assert!(said.contains("you only read it"), "{said}");
    let (code, said) = said_with_cache(&of_anybody, "run 01");
    assert!(said.contains("belongs to user"), "{said}");
    assert_eq!(code, Some(3));
}

#[test]
fn what_is_made_cannot_be_written_by_others_whatever_the_umask() {
    let directory = tempfile::tempdir().unwrap();
    let project = directory.path().join("project");
    let script = "umask 000; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(common::program());
    command.args(["new", "project"]).arg(&project);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let made: Vec<_> = fs::read_dir(&project).unwrap().flatten().collect();
    assert!(!made.is_empty());
    for entry in made {
        let mode = entry.metadata().unwrap().mode();
        assert_eq!(mode & 0o022, 0, "{}", entry.path().display());
    }
}
