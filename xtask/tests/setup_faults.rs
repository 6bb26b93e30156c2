//! A set-up that anything goes wrong with: the network, a mirror, the disk, a signal, another
//! program at work. It takes nothing half or tampered for whole, says what to do, and the next
//! set-up works.
//!
//! Nothing of this machine is changed: each test has its own checkout, cache and mirror.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;
mod setup_machine;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use common::{Run, stderr, stdout};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use problem::Exit;
use setup_machine::{Fault, Machine, Mirror, SLOW_SECONDS, Server};

/// The mirror of these tests has no kernel: this is how a set-up ends that did all the rest.
const REST_IS_DONE: &str = "Debian trixie no longer has a kernel 6.12";

/// A machine with a mirror that it trusts.
fn with_mirror(what: &str) -> Option<(Machine, Mirror, Server)> {
    let mut machine = Machine::open(what)?;
    let mirror = Mirror::at(&machine.path("mirror"));
    let server = Server::start(&machine.path("mirror"));
    machine.set_mirror(&server.address());
    // What this machine tells its apt must not count.
    machine.write("apt.conf.d/quick", "Acquire::Retries::Delay \"false\";\n");
    machine.mount("apt.conf.d", "/etc/apt/apt.conf.d");
    machine.trust(&mirror);
    machine.mount(
        "trusted.gpg",
        "/usr/share/keyrings/debian-archive-keyring.gpg",
    );
    Some((machine, mirror, server))
}

/// Runs a set-up that cannot go on: it says why in one error, and what to type.
fn refused(run: &mut Run) -> String {
    let output = run.output();
    let said = stderr(&output);
    let code = Exit::MachineNotReady as i32;
    assert_eq!(output.status.code(), Some(code), "{said}");
    let errors = said.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{said}");
    assert!(said.contains("help: "), "{said}");
    assert_eq!(run.left_behind(), [""; 0], "{said}");
    said
}

fn assert_refused(machine: &Machine, what: &str, why: &str) {
    let said = refused(&mut machine.set_up());
    assert!(said.contains(why), "{what}: {said}");
    assert!(!machine.cache().join("tools").exists(), "{what}: {said}");
}

fn assert_works(machine: &Machine) {
    let said = refused(&mut machine.set_up());
    assert!(said.contains(REST_IS_DONE), "{said}");
    assert!(machine.has_tools(), "{said}");
}

/// A set-up at work. It ends with the test, also with one that fails.
struct Working {
    run: Run,
    child: Child,
    said: Receiver<String>,
}

impl Working {
    fn start(mut run: Run) -> Self {
        let mut child = run.command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, said) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { run, child, said }
    }

    /// The line that has this text in it.
    fn wait_for(&self, text: &str) -> String {
        let mut before = String::new();
        loop {
            match self.said.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => before += &format!("{line}\n"),
                Err(error) => panic!("{error} before {text}: {before}"),
            }
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Ends it by a signal: that is what it dies of, with all that it started.
    fn end_by(mut self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal as i32), "{status}");
        assert_eq!(self.run.left_behind(), [""; 0], "{signal}");
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // It has mostly ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_list_of_packages_that_is_not_debians_is_refused() {
    let Some((mut machine, mirror, server)) = with_mirror("the faults of a list") else {
        return;
    };
    for (part, fault, why) in [
        ("InRelease", Fault::Page, "a proxy or a sign-in page"),
        ("InRelease", Fault::Changed, "signature is not valid"),
        ("InRelease", Fault::Cut, "the download is damaged"),
        ("Packages", Fault::Page, "the download is damaged"),
        ("Packages", Fault::Changed, "the download is damaged"),
    ] {
        server.set_fault(part, fault);
        assert_refused(&machine, &format!("{part} {fault:?}"), why);
    }
    server.remove_fault();
    mirror.sign("");
    assert_refused(&machine, "another key", "signature is not valid");
    mirror.sign("Valid-Until: Thu, 01 Jan 2026 00:00:00 UTC\n");
    machine.trust(&mirror);
    assert_refused(&machine, "an old list", "this machine's clock");
    mirror.sign("");
    machine.trust(&mirror);
    machine.set_mirror("http://127.0.0.1:9");
    assert_refused(&machine, "nobody there", "no connection to the server");
    machine.set_mirror(&server.address());
    assert_works(&machine);
}

/// As images of containers have it, for the packages of the system's.
#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_list_without_a_signature_is_refused_where_the_system_allows_it() {
    let Some((machine, mirror, _server)) = with_mirror("a list without a signature") else {
        return;
    };
    mirror.remove_signature();
    let allow = "Acquire::AllowInsecureRepositories \"true\";\n\
        Acquire::AllowDowngradeToInsecureRepositories \"true\";\n\
        APT::Get::AllowUnauthenticated \"true\";\n";
    machine.write("apt.conf.d/allow", allow);
    assert_refused(&machine, "no signature", "signature is not valid");
}

#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_package_that_is_not_the_lists_is_refused() {
    let Some((machine, _mirror, server)) = with_mirror("the faults of a package") else {
        return;
    };
    for fault in [Fault::Page, Fault::Changed, Fault::Cut] {
        server.set_fault("bpftool_", fault);
        assert_refused(&machine, &format!("{fault:?}"), "the download is damaged");
    }
    server.remove_fault();
    // What an earlier set-up had fetched, and the disk has not kept as it was.
    let name = "bpftool_1-1_amd64.deb";
    let mut package = fs::read(machine.path("mirror").join(name)).unwrap();
    package[1000] ^= 1;
    fs::create_dir_all(machine.cache().join("setup/downloads")).unwrap();
    fs::write(machine.cache().join("setup/downloads").join(name), package).unwrap();
    let said = refused(&mut machine.set_up());
    if !said.contains(REST_IS_DONE) {
        assert!(said.contains("the download is damaged"), "{said}");
    }
    assert_works(&machine);
}

#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_mirror_that_is_slow_and_goes_on_is_waited_for() {
    let Some((machine, _mirror, server)) = with_mirror("a slow mirror") else {
        return;
    };
    server.set_fault("bpftool_", Fault::Slow);
    let begin = Instant::now();
    assert_works(&machine);
    assert!(begin.elapsed().as_secs() >= SLOW_SECONDS as u64);
}

#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_mirror_that_says_nothing_more_is_given_up() {
    let Some((machine, _mirror, server)) = with_mirror("a silent mirror") else {
        return;
    };
    server.set_fault("InRelease", Fault::Stall);
    let said = refused(&mut machine.set_up());
    assert!(said.contains("no connection to the server"), "{said}");
    server.remove_fault();
    assert_works(&machine);
}

/// Each set-up starts on what the killed one before left, and comes as far or further.
#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_set_up_that_is_killed_leaves_nothing_half() {
    let Some((machine, _mirror, server)) = with_mirror("signals at each stage") else {
        return;
    };
    for (part, signal) in [
        ("InRelease", Signal::SIGINT),
        ("InRelease", Signal::SIGKILL),
        ("bpftool_", Signal::SIGTERM),
        ("bpftool_", Signal::SIGKILL),
    ] {
        server.set_fault(part, Fault::Stall);
        let working = Working::start(machine.set_up());
        server.wait_for_stall();
        working.end_by(signal);
        server.remove_fault();
        assert!(!machine.cache().join("tools").exists(), "{part} {signal}");
    }
    // Unpacking, and writing the record.
    for (program, signal) in [
        ("dpkg-deb", Signal::SIGINT),
        ("dpkg-deb", Signal::SIGKILL),
        ("sha256sum", Signal::SIGTERM),
        ("sha256sum", Signal::SIGKILL),
    ] {
        machine.prepend(program, "echo reached > \"$REACHED\"; exec sleep 600");
        let reached = machine.path("reached");
        nix::unistd::mkfifo(&reached, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut run = machine.set_up();
        run.command.env("REACHED", &reached);
        let working = Working::start(run);
        assert_eq!(fs::read_to_string(&reached).unwrap(), "reached\n");
        working.end_by(signal);
        fs::remove_file(reached).unwrap();
        machine.restore(program);
        assert!(
            !machine.cache().join("tools").exists(),
            "{program} {signal}"
        );
    }
    assert_works(&machine);
}

/// The second waits, says for whom, and goes on when the first is dead.
#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_set_up_waits_for_another_one_until_that_is_dead() {
    let Some((machine, _mirror, server)) = with_mirror("two set-ups at once") else {
        return;
    };
    server.set_fault("bpftool_", Fault::Stall);
    let first = Working::start(machine.set_up());
    server.wait_for_stall();
    let mut second = Working::start(machine.set_up());
    let said = second.wait_for("waiting for it");
    let holder = format!("another set-up (process {} on ", first.pid());
    assert!(said.contains(&holder), "{said}");
    first.end_by(Signal::SIGKILL);
    server.remove_fault();
    second.wait_for(REST_IS_DONE);
    second.child.wait().unwrap();
    assert!(machine.has_tools());
}

/// A small disk, which another program fills while the set-up is at work.
#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_full_disk_is_told_with_what_is_needed() {
    let Some((mut machine, _mirror, _server)) = with_mirror("a full disk") else {
        return;
    };
    let cache = machine.cache();
    fs::create_dir(&cache).unwrap();
    let cache = cache.to_str().unwrap();
    machine.add_line(&format!("mount -t tmpfs -o size=450m tmpfs '{cache}'"));
    // A disk of the size that is used is a full one.
    let fill = "case \"${0##*/} $*\" in *\"$FULL_AT\"*) \
        used=$(df --output=used \"$XTASK_CACHE\" | tail -n 1); \
        mount -o remount,size=$((used))k \"$XTASK_CACHE\";; esac";
    for program in ["apt-get", "dpkg-deb", "sha256sum"] {
        machine.prepend(program, fill);
    }
    let script = "for at in update download dpkg-deb bin/busybox nowhere; do \
        echo \"== $at\"; FULL_AT=$at \"$0\" setup --kernel 6.12 2>&1; \
        mount -o remount,size=450m \"$XTASK_CACHE\"; \
        test -e \"$XTASK_CACHE/tools\" && echo 'tools are there'; \
        done; mount -o remount,size=300m \"$XTASK_CACHE\"; \
        echo '== small'; \"$0\" setup --kernel 6.12 2>&1";
    let mut run = machine.run(script);
    let said = stdout(&run.output());
    let parts: Vec<&str> = said.split("== ").skip(1).collect();
    let [full @ .., whole, small] = parts.as_slice() else {
        panic!("{said}");
    };
    assert_eq!(full.len(), 4, "{said}");
    for part in full {
        assert_eq!(part.matches("error: ").count(), 1, "{part}");
        assert!(part.contains(cache), "{part}");
        assert!(part.contains("help: make room"), "{part}");
        assert!(part.contains("VM tools needs 120 MB in "), "{part}");
        assert!(!part.contains("tools are there"), "{part}");
    }
    assert!(whole.contains(REST_IS_DONE), "{whole}");
    assert!(whole.contains("tools are there"), "{whole}");
    let needed = format!("not enough room in {cache}/setup: set-up needs 400 MB, ");
    assert!(small.contains(&needed), "{small}");
}

/// apt writes keys there, and calls a signature wrong when it cannot.
#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn no_room_for_temporary_files_is_no_wrong_signature() {
    let Some((mut machine, _mirror, _server)) = with_mirror("a full directory for files") else {
        return;
    };
    machine.write("tmp/any", "");
    let place = machine.path("tmp");
    let full = place.display();
    machine.add_line(&format!("mount -t tmpfs -o size=4k tmpfs '{full}'"));
    machine.add_line(&format!("head -c 4096 /dev/zero > '{full}/any'"));
    let mut run = machine.set_up();
    run.command.env("TMPDIR", &place);
    let said = refused(&mut run);
    assert!(said.contains(REST_IS_DONE), "{said}");
    assert!(machine.has_tools(), "{said}");
}

#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_cache_that_cannot_be_written_says_who_can_help() {
    let Some((mut machine, _mirror, _server)) = with_mirror("a read-only cache") else {
        return;
    };
    machine.write("cache/any", "");
    machine.mount("cache", machine.cache().to_str().unwrap());
    let read_only = format!("mount -o remount,bind,ro '{}'", machine.cache().display());
    machine.add_line(&read_only);
    let said = refused(&mut machine.set_up());
    assert!(said.contains("no right to write there"), "{said}");
    assert!(said.contains("ask whoever owns it"), "{said}");
}

#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_changed_file_of_the_cache_is_fetched_again() {
    let Some((machine, _mirror, _server)) = with_mirror("a damaged cache") else {
        return;
    };
    assert_works(&machine);
    for file in ["tools/root/bin/busybox", "tools/record"] {
        let file = machine.cache().join(file);
        change_one_bit(&file);
        assert_works(&machine);
        let content = fs::read(&file).unwrap();
        fs::write(&file, &content[..content.len() / 2]).unwrap();
        assert_works(&machine);
    }
    // The linker is not in the cache, but where cargo looks for it.
    let linker = machine.path("checkout/.cache/bin/whole/bpf-linker");
    let whole = fs::read(&linker).unwrap();
    change_one_bit(&linker);
    assert_works(&machine);
    assert!(fs::read(&linker).unwrap() == whole);
}

/// As a failing disk does: its time and size stay.
fn change_one_bit(file: &Path) {
    let time = file.metadata().unwrap().modified().unwrap();
    let mut content = fs::read(file).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(file, content).unwrap();
    let file = File::options().write(true).open(file).unwrap();
    file.set_modified(time).unwrap();
}

/// The system's updates may be at work for minutes after a start.
#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_package_manager_at_work_is_waited_for() {
    let Some(mut machine) = Machine::open("a lock of the package manager") else {
        return;
    };
    machine.mount("dpkg", "/var/lib/dpkg");
    machine.mount("nothing", "/etc/apt/sources.list.d");
    machine.add_line("mount --bind /dev/null /usr/include/zlib.h");
    machine.write("nothing/any", "");
    machine.write("dpkg/status", "");
    machine.write("dpkg/lock", "");
    machine.write("dpkg/lock-frontend", "");
    let lock = File::options()
        .write(true)
        .open(machine.path("dpkg/lock-frontend"))
        .unwrap();
    let whole = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&lock, FcntlArg::F_SETLK(&whole)).unwrap();
    let working = Working::start(machine.set_up());
    let said = working.wait_for("Waiting for cache lock");
    let holder = format!("It is held by process {}", std::process::id());
    assert!(said.contains(&holder), "{said}");
    working.end_by(Signal::SIGINT);
}

#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn a_cargo_at_work_is_waited_for() {
    let Some(mut machine) = Machine::open("a lock of cargo's") else {
        return;
    };
    let server = Server::start(&machine.path("mirror"));
    machine.offer_linker(&server.address(), "");
    machine.write("cargo/.package-cache", "");
    let lock = File::open(machine.path("cargo/.package-cache")).unwrap();
    lock.lock().unwrap();
    let working = Working::start(machine.set_up());
    working.wait_for("waiting for file lock");
    working.end_by(Signal::SIGINT);
}

/// The registry's index has the checksum of what it offers: only ours can tell.
#[test]
#[ignore = "needs the VM's tools: cargo xtask test vm"]
fn another_source_of_the_linker_is_refused_before_it_runs() {
    let Some(mut machine) = Machine::open("a tampered crate") else {
        return;
    };
    let server = Server::start(&machine.path("mirror"));
    let ran = machine.path("ran");
    let script = format!("fn main() {{ std::fs::write({ran:?}, \"\").unwrap() }}");
    machine.offer_linker(&server.address(), &script);
    server.set_fault("config.json", Fault::Page);
    let said = refused(&mut machine.set_up());
    assert!(said.contains("a proxy or a sign-in page"), "{said}");
    server.remove_fault();
    server.set_fault("download", Fault::Changed);
    let said = refused(&mut machine.set_up());
    assert!(said.contains("the download is damaged"), "{said}");
    server.set_fault("download", Fault::Stall);
    let working = Working::start(machine.set_up());
    server.wait_for_stall();
    working.end_by(Signal::SIGKILL);
    server.remove_fault();
    let said = refused(&mut machine.set_up());
    assert!(said.contains("is not the source of bpf-linker"), "{said}");
    assert!(!ran.exists(), "its build script was run");
}
