//! Guests that are resumed instead of booted: what they know, what stays of a plan, and snapshots
//! that do not work.
//!
//! Snapshots lie in the checkout's own cache. The tests that break them do it to a kernel of their
//! own, a copy under a name that nobody else has, so that the user's snapshots and other tests are
//! left alone.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use checkout::workspace;
use common::fake_qemu::FakeQemu;
use common::test_vm::TestVm;
use common::{Run, run, shell, skip, start_with_tools, stderr, stdout};
use course::catalog;
use kernel::{Architecture, Kernel, MATRIX};
use nix::sys::signal::{self, Signal};
use nix::unistd::geteuid;
use plan::{Outcome, Step};
use processes::child::pid_of;
use requirements::kernels::find_kernel;
use requirements::{Qemu, require_kernel};
use testvm::timeline::{RETRY, TIMELINE};
use testvm::{Accel, Failure, How, Machine, PlanReport, Started, WRONG_CLOCK};
use xtask::pipeline::{build, demo, needs};

/// What lesson 01 says when it worked.
const WORKED: &str = "exit ret=-2\n\ndetached  ";

/// A VM with lesson 01 and the tools in it.
fn start_with_lesson(kernel: &str) -> Started {
    TestVm::on(kernel).with_lesson("01").with_tools().start()
}

fn lesson(implementation: &str) -> Step {
    let args = ["--impl", implementation, "--demo"]
        .map(str::to_owned)
        .to_vec();
    Step {
        program: "/bin/hello-kprobe".into(),
        args,
        ..shell("")
    }
}

/// Runs lines of shell as one plan that must succeed: the report, and what each line printed.
fn run_lines(started: &mut Started, lines: &[&str]) -> (PlanReport, Vec<String>) {
    run_steps(started, lines.iter().map(|line| shell(line)).collect())
}

fn run_steps(started: &mut Started, steps: Vec<Step>) -> (PlanReport, Vec<String>) {
    let (report, printed) = run(started, steps.clone());
    let report = report.map_err(Failure::into_error).unwrap();
    for (step, ended) in steps.iter().zip(&report.steps) {
        assert_eq!(ended.outcome, Outcome::Exited(0), "{:?}", step.args);
    }
    (
        report,
        printed
            .into_iter()
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect(),
    )
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_tidy_plan_leaves_nothing_to_the_next() {
    let mut started = start_with_lesson("6.12");
    let cgroup = "mkdir /sys/fs/cgroup/x && rmdir /sys/fs/cgroup/x";
    let instance = "mkdir /sys/kernel/tracing/instances/x && rmdir /sys/kernel/tracing/instances/x";
    let files = "for directory in /root /run /tmp /var; do echo x > $directory/x \
        && mkdir $directory/y; done; \
                 mount -t tmpfs none /tmp/y && echo x > /tmp/y/x; sleep 1000 &";
    let steps = vec![
        lesson("aya"),
        lesson("libbpf"),
        shell(files),
        shell(cgroup),
        shell(instance),
    ];
    let (report, printed) = run_steps(&mut started, steps);
    assert!(
        printed[0].contains(WORKED) && printed[1].contains(WORKED),
        "{printed:#?}"
    );
    assert_eq!(report.left_behind, [""; 0]);

    let look =
        "find /root /run /tmp /var -mindepth 1; grep -c ' /tmp/y ' /proc/mounts; pidof sleep; true";
    let steps = vec![shell(look), lesson("aya")];
    let (report, printed) = run_steps(&mut started, steps);
    assert_eq!(printed[0], "0\n", "the directories should be fresh");
    assert!(printed[1].contains(WORKED), "{}", printed[1]);
    assert_eq!(report.left_behind, [""; 0]);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn files_of_a_step_reach_the_next_step_of_the_plan() {
    let mut started = start_with_tools("6.12");
    let (_, printed) = run_lines(&mut started, &["echo kept > /tmp/x", "cat /tmp/x"]);
    assert_eq!(printed[1], "kept\n");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn no_plan_can_change_the_programs() {
    let mut started = start_with_tools("6.12");
    for line in [
        "echo x > /bin/new",
        "rm /bin/busybox",
        "echo x >> /bin/busybox",
        "mkdir /new",
    ] {
        let said = format!("({line}) 2>&1 || true");
        let (_, printed) = run_lines(&mut started, &[&said]);
        assert!(
            printed[0].contains("Read-only file system"),
            "{line}: '{}'",
            printed[0]
        );
    }
}

/// Each kind of thing that can outlive a plan: how it is made, how it is named, how it is taken
/// away.
const LEAVINGS: [(&str, &str, &str); 20] = [
    (
        "mkdir /sys/kernel/tracing/instances/left",
        "trace instance left",
        "rmdir /sys/kernel/tracing/instances/left",
    ),
    (
        "echo p:left/left do_exit >> /sys/kernel/tracing/kprobe_events",
        "kprobe p:left/left",
        "echo > /sys/kernel/tracing/kprobe_events",
    ),
    (
        "bpftool map create /sys/fs/bpf/left type array key 4 value 4 entries 1 name left",
        "pinned object left",
        "rm /sys/fs/bpf/left",
    ),
    (
        "mkdir /sys/fs/cgroup/left",
        "control group left",
        "rmdir /sys/fs/cgroup/left",
    ),
    ("echo x > /dev/left", "device left", "rm /dev/left"),
    (
        "hostname left",
        "sysctl kernel/hostname ((none) before, left now)",
        "hostname '(none)'",
    ),
    (
        "echo left > /proc/sys/kernel/domainname",
        "sysctl kernel/domainname ((none) before, left now)",
        "echo '(none)' > /proc/sys/kernel/domainname",
    ),
    (
        "echo 1 > /proc/sys/kernel/bpf_stats_enabled",
        "sysctl kernel/bpf_stats_enabled (0 before, 1 now)",
        "echo 0 > /proc/sys/kernel/bpf_stats_enabled",
    ),
    (
        "echo 7 > /proc/sys/vm/swappiness",
        "sysctl vm/swappiness (60 before, 7 now)",
        "echo 60 > /proc/sys/vm/swappiness",
    ),
    (
        "echo 1 > /proc/sys/net/ipv4/conf/all/log_martians",
        "sysctl net/ipv4/conf/all/log_martians (0 before, 1 now)",
        "echo 0 > /proc/sys/net/ipv4/conf/all/log_martians",
    ),
    (
        "echo 0 > /sys/kernel/tracing/tracing_on",
        "tracing's tracing_on (1 before, 0 now)",
        "echo 1 > /sys/kernel/tracing/tracing_on",
    ),
    (
        "echo do_exit > /sys/kernel/tracing/set_ftrace_filter",
        "tracing's set_ftrace_filter (#### all functions enabled #### before, do_exit now)",
        "echo > /sys/kernel/tracing/set_ftrace_filter",
    ),
    (
        "echo function > /sys/kernel/tracing/current_tracer",
        "tracing's current_tracer (nop before, function now)",
        "echo nop > /sys/kernel/tracing/current_tracer",
    ),
    (
        "echo sched:sched_process_exec > /sys/kernel/tracing/set_event",
        "traced event sched:sched_process_exec",
        "echo > /sys/kernel/tracing/set_event",
    ),
    (
        "echo noprint-parent > /sys/kernel/tracing/trace_options",
        "tracing option noprint-parent",
        "echo print-parent > /sys/kernel/tracing/trace_options",
    ),
    (
        "mount -t tmpfs left /sys/kernel/security",
        "mount /sys/kernel/security (2 before, 3 now)",
        "umount /sys/kernel/security",
    ),
    // Its device leaves the list of names too.
    (
        "mv /dev/fuse /dev/gone",
        "no device fuse any more",
        "mv /dev/gone /dev/fuse",
    ),
    (
        "ip link add left type veth",
        "network interface left",
        "ip link del left",
    ),
    (
        "ip rule add to 192.0.2.1 table 77",
        "routing rule 32765 for table 77",
        "ip rule del to 192.0.2.1 table 77",
    ),
    (
        "ip addr add 192.0.2.9/32 dev lo",
        "address 192.0.2.9/32 on lo",
        "ip addr del 192.0.2.9/32 dev lo",
    ),
];

/// The pinned map under its own kind, the moved device, the other end of the pair, an address's
/// route, and the options that tracers have of their own.
const COMING_ALONG: [&str; 6] = [
    "map ",
    "device gone",
    "network interface veth0",
    "route to 192.0.2.9/32",
    "tracing option nofunc",
    "no tracing option ",
];

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_a_plan_leaves_behind_is_named() {
    let mut started = start_with_tools("6.12");
    let (report, _) = run_lines(&mut started, &LEAVINGS.map(|(make, ..)| make));
    for (_, name, _) in LEAVINGS {
        assert!(
            report.left_behind.iter().any(|thing| thing == name),
            "{name}: {:#?}",
            report.left_behind
        );
    }
    let known = |thing: &&String| LEAVINGS.iter().any(|(_, name, _)| name == thing);
    let comes_along = |thing: &&String| COMING_ALONG.iter().any(|start| thing.starts_with(start));
    let others: Vec<_> = report
        .left_behind
        .iter()
        .filter(|thing| !known(thing) && !comes_along(thing))
        .collect();
    assert_eq!(others, [""; 0]);

    let (report, _) = run_lines(&mut started, &LEAVINGS.map(|(.., remove)| remove));
    assert_eq!(report.left_behind, [""; 0], "all was taken away");
}

/// Its state, addresses and routes; and the queueing discipline of one that is new.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn an_interface_that_was_there_before_is_looked_at() {
    let mut started = start_with_tools("6.12");
    let lines = [
        "ip link set lo down mtu 1400",
        "ip addr add 127.0.0.2/8 dev lo",
        "ip link add left type veth && ip link set left up",
    ];
    let (report, _) = run_lines(&mut started, &lines);
    for name in [
        "network interface lo (up, mtu 65536 before, down, mtu 1400 now)",
        "address 127.0.0.2/8 on lo",
        "route to 127.0.0.2/32 on lo in table 255",
        "no route to 127.255.255.255/32 on lo in table 255 any more",
        "queueing discipline noqueue on left",
    ] {
        assert!(
            report.left_behind.iter().any(|thing| thing == name),
            "{name}: {:#?}",
            report.left_behind
        );
    }
}

/// Lessons do these in their own network namespace, which goes with them.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn every_kernel_has_a_pair_of_interfaces_and_tc_and_a_clean_lesson() {
    for kernel in MATRIX {
        let mut started = start_with_lesson(kernel);
        let pair = "unshare -n sh -ec 'ip link add left type veth; ip link | grep -c @'";
        let modules = "cut -d' ' -f1 /proc/modules | sort | tr '\n' ' '";
        let steps = vec![lesson("aya"), lesson("libbpf"), shell(pair), shell(modules)];
        let (report, printed) = run_steps(&mut started, steps);
        assert_eq!(report.left_behind, [""; 0], "{kernel}");
        assert_eq!(
            (printed[2].as_str(), printed[3].as_str()),
            ("2\n", "act_bpf cls_bpf sch_ingress veth "),
            "{kernel}"
        );
    }
}

/// The host's clock may be set while a VM is up, and a plan may set the guest's.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_clock_that_a_plan_has_set_is_named_and_right_again_in_the_next() {
    let mut started = start_with_tools("6.12");
    let (report, _) = run_lines(&mut started, &["date -s @2000000000"]);
    let moved = |thing: &String| thing.starts_with("clock (moved by ");
    assert_eq!(report.left_behind.len(), 1, "{:#?}", report.left_behind);
    assert!(
        report.left_behind.iter().all(moved),
        "{:#?}",
        report.left_behind
    );
    assert_right_clock(&mut started);
}

/// The same for a run as for a host whose clock was set back: now is before the time of the
/// snapshot.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_guest_from_the_future_knows_the_time() {
    let kernel = OwnKernel::copy_of("6.12");
    // From here on it is 2035 for the guest, until it is told.
    let qemu = FakeQemu::default().with_arguments("-rtc base=2035-01-01");
    for how in [How::Booted, How::Resumed] {
        let machine = demo::describe_machine(&Kernel::from_file(&kernel.image()).unwrap());
        let mut started = TestVm::on("6.12")
            .with_tools()
            .with_machine(|_| Machine {
                qemu: kernel.write_qemu(&qemu),
                ..machine.unwrap()
            })
            .start();
        assert_how(&started, how);
        assert_right_clock(&mut started);
        let (report, printed) = run_lines(
            &mut started,
            &["cat /sys/class/rtc/rtc0/since_epoch", "true"],
        );
        assert!(
            printed[0].trim().parse::<u64>().unwrap() > 2_000_000_000,
            "it is not 2035: {}",
            printed[0]
        );
        assert_eq!(report.left_behind, [""; 0]);
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_resumed_guest_knows_the_time() {
    drop(start_with_tools("6.12"));
    // Longer than the error that is accepted: a clock that stands still would be noticed.
    std::thread::sleep(Duration::from_secs(3));
    let mut first = start_with_tools("6.12");
    assert_how(&first, How::Resumed);
    assert_right_clock(&mut first);
    std::thread::sleep(Duration::from_secs(3));
    assert_right_clock(&mut first);
    drop(first);
    let mut second = start_with_tools("6.12");
    assert_how(&second, How::Resumed);
    assert_right_clock(&mut second);
}

/// With KVM a guest is always booted.
fn assert_how(started: &Started, how: How) {
    if how == How::Resumed && started.accel == Accel::Kvm {
        return skip("a guest that is resumed", "with KVM, guests are booted");
    }
    assert_eq!(started.how, how, "{:?}", started.notes);
}

fn assert_right_clock(started: &mut Started) {
    let before = now();
    // `date` of busybox knows whole seconds only.
    let (_, printed) = run_lines(
        started,
        &["touch /tmp/now; date -u +%s; stat -c %y /tmp/now"],
    );
    let (seconds, time) = printed[0].trim().split_once('\n').unwrap();
    let fraction = time.split(['.', ' ']).nth(2).unwrap();
    let guest: f64 = format!("{seconds}.{fraction}").parse().unwrap();
    // The second may have changed between the two.
    let right = [guest - 1.0, guest]
        .iter()
        .any(|guest| before - 1.0 <= *guest && *guest <= now() + 1.0);
    assert!(right, "guest {guest}, host {before} to {}", now());
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn two_resumes_have_different_random_numbers() {
    for kernel in ["5.10", "6.12"] {
        drop(start_with_tools(kernel));
        // Each CPU has a generator of its own.
        let line = "for cpu in 1 2; do taskset $cpu od -An -tx1 -N16 /dev/urandom; \
                    taskset $cpu cat /proc/sys/kernel/random/uuid; done";
        let [one, other] = [(); 2].map(|()| {
            let mut started = start_with_tools(kernel);
            assert_how(&started, How::Resumed);
            run_lines(&mut started, &[line]).1.remove(0)
        });
        assert_eq!(one.lines().count(), 4, "{one}");
        for (line, same) in one.lines().zip(other.lines()) {
            assert_ne!(line, same, "twice the same on {kernel}");
        }
    }
}

/// So that no run has to build it: one that does starts a second guest, which may resume from the
/// snapshot that the first has made.
fn build_lesson() {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let lessons = catalog::read_lessons().unwrap();
    build::build_lesson(
        catalog::find_lesson(&lessons, "01").unwrap(),
        Architecture::HOST,
    )
    .unwrap();
}

/// A copy of a kernel, which has its snapshots to itself: their names begin with that of its
/// directory.
struct OwnKernel {
    directory: tempfile::TempDir,
}

impl OwnKernel {
    fn copy_of(kernel: &str) -> Self {
        needs::ensure_needs(&[
            &Qemu::HOST,
            require_kernel(kernel, Architecture::HOST).unwrap(),
        ])
        .unwrap();
        build_lesson();
        let mut directory = tempfile::Builder::new();
        let directory = directory.prefix("xtask-resume-").tempdir().unwrap();
        let own = Self { directory };
        fs::copy(
            find_kernel(kernel, Architecture::HOST).unwrap().image,
            own.image(),
        )
        .unwrap();
        own
    }

    /// With a snapshot that works.
    fn with_snapshot(kernel: &str) -> Self {
        let own = Self::copy_of(kernel);
        worked(own.run(), How::Booted);
        own
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn image(&self) -> PathBuf {
        self.path("vmlinux")
    }

    /// `run 01` on this kernel, emulated: elsewhere nothing is resumed.
    fn run(&self) -> Run {
        let image = self.image();
        Self::emulated(Run::new(&run_arguments(&image)))
    }

    /// The same, and something is mounted there for it alone: with it, that is gone.
    fn run_with_mount(&self, place: &Path) -> Run {
        let (image, program) = (self.image(), common::program());
        let script = format!("mount -t tmpfs none '{}' && exec \"$@\"", place.display());
        let mut arguments = vec!["--mount", "sh", "-c", &script, "sh"];
        arguments.push(program.to_str().unwrap());
        arguments.extend(run_arguments(&image));
        Self::emulated(Run::of(Path::new("unshare"), &arguments))
    }

    fn emulated(mut run: Run) -> Run {
        run.command
            .env("XTASK_ACCEL", "tcg")
            .env_remove("XTASK_SNAPSHOTS");
        run
    }

    /// The same with another QEMU.
    fn run_with(&self, qemu: &FakeQemu) -> Run {
        let mut run = self.run();
        run.command.env("XTASK_QEMU", self.write_qemu(qemu));
        run
    }

    fn write_qemu(&self, qemu: &FakeQemu) -> PathBuf {
        qemu.write_to(&self.path("fake"))
    }

    /// This kernel's files among the snapshots, locks left out.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = self.all_files();
        files.retain(|path| path.extension().is_none_or(|ending| ending != "lock"));
        files
    }

    fn all_files(&self) -> Vec<PathBuf> {
        let name = self.directory.path().file_name().unwrap();
        let mark = format!("{}-vmlinux-", name.to_str().unwrap());
        let directory = fs::read_dir(workspace::own_cache().join("snapshots"))
            .into_iter()
            .flatten()
            .flatten();
        directory
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&mark))
            .map(|entry| entry.path())
            .collect()
    }

    /// The only file, which is a whole snapshot by its name and its size.
    fn snapshot(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(files[0].extension().is_none(), "{files:?}");
        assert!(files[0].metadata().unwrap().len() > 10_000_000, "{files:?}");
        files[0].clone()
    }

    /// Waits until a snapshot is being written.
    fn wait_for_save(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let begun = |path: &PathBuf| path.metadata().is_ok_and(|data| data.len() > 1_000_000);
        while !self
            .files()
            .iter()
            .any(|path| path.extension().is_some() && begun(path))
        {
            assert!(Instant::now() < deadline, "no snapshot was ever written");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn run_arguments(image: &Path) -> [&str; 5] {
    ["run", "01", "-v", "--kernel", image.to_str().unwrap()]
}

impl Drop for OwnKernel {
    fn drop(&mut self) {
        for path in self.all_files() {
            remove(&path);
        }
    }
}

/// A drop that panics while a test fails would hide why.
fn remove(path: &Path) {
    let _ = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
}

/// A run that ended well, with its guest started like this and nothing left of it; returns what it
/// said.
fn worked(mut run: Run, how: How) -> String {
    let output = run.output();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        stdout(&output).contains(WORKED),
        "{said}{}",
        stdout(&output)
    );
    let word = if how == How::Resumed {
        "resumed in"
    } else {
        "booted in"
    };
    assert!(said.contains(word), "should have {word}: {said}");
    assert_eq!(run.left_behind(), [""; 0]);
    said
}

fn assert_says(said: &str, why: &str) {
    assert!(said.contains(why), "no word of '{why}': {said}");
}

/// Its name, how to make it, and what a run then says.
type Fault = (&'static str, fn(&Path), &'static str);

/// What may become of a snapshot, and what a run then says. Each is planted where a good one was.
const FAULTS: [Fault; 9] = [
    ("cut short", cut_short, "cut short"),
    (
        "open to all",
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap(),
        "by others",
    ),
    ("of another user", give_away, "by others"),
    ("a directory", replace_by_directory, "is not a file"),
    ("a pipe", replace_by_pipe, "is not a file"),
    (
        "with one bit flipped",
        flip_one_bit,
        "bytes are not those that were written",
    ),
    ("garbage", fill_with_garbage, "the snapshot was dropped"),
    (
        "of another kernel",
        replace_by_another_kernels,
        "the snapshot was dropped",
    ),
    ("known to be bad", mark_as_bad, "has failed again and again"),
];

/// These are noticed only while the guest resumes: that is counted in a file of its own, until a
/// resume works.
const MARKED: [&str; 2] = ["with one bit flipped", "garbage"];

fn cut_short(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// Only root can. For others it is the same as one that is open to all.
fn give_away(path: &Path) {
    if let Err(error) = chown(path, Some(1), None) {
        skip(
            "a snapshot of another user",
            &format!("cannot give one away: {error}"),
        );
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    }
}

fn replace_by_directory(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir_all(path.join("with/something/in/it")).unwrap();
}

/// Whoever opens one waits for a writer.
fn replace_by_pipe(path: &Path) {
    fs::remove_file(path).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
}

/// In the middle, which is some page of the guest's memory.
fn flip_one_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// The seal, at the end, stays right.
fn fill_with_garbage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let length = bytes.len() - 256;
    bytes[..length].fill(b'x');
    fs::write(path, bytes).unwrap();
}

fn replace_by_another_kernels(path: &Path) {
    drop(start_with_tools("6.12"));
    let ending = format!("-u{}", geteuid().as_raw());
    let is_one = |name: &str| name.starts_with("6.12-vmlinux-") && name.ends_with(&ending);
    let mut entries = fs::read_dir(path.parent().unwrap()).unwrap().flatten();
    let other = entries
        .find(|entry| is_one(&entry.file_name().to_string_lossy()))
        .unwrap();
    fs::copy(other.path(), path).unwrap();
}

/// A line for each time; one alone may have been chance.
fn mark_as_bad(path: &Path) {
    fs::write(
        format!("{}.bad", path.display()),
        "it did not run\n".repeat(9),
    )
    .unwrap();
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_snapshot_that_does_not_work_costs_a_boot_and_is_told() {
    let kernel = OwnKernel::with_snapshot("6.1");
    let path = kernel.snapshot();
    let good = kernel.path("good");
    fs::copy(&path, &good).unwrap();
    let mut wrong = Vec::new();
    for (name, spoil, why) in FAULTS {
        kernel.files().iter().for_each(|path| remove(path));
        fs::copy(&good, &path).unwrap();
        spoil(&path);
        // All faults are tried, so that one does not hide the others.
        let tried = std::panic::catch_unwind(|| {
            let (mut run, timeline) = (kernel.run(), kernel.path("timeline"));
            fs::write(&timeline, "").unwrap();
            run.command.env(TIMELINE, &timeline);
            let said = worked(run, How::Booted);
            assert_says(&said, why);
            assert_says(&said, "on Linux 6.1.");
            let noted = fs::read_to_string(&timeline).unwrap();
            // Other tests' VMs may keep the boot waiting, which is not the snapshot's fault.
            let is_of_snapshot = |it: &&str| it.contains(RETRY) && !it.contains(WRONG_CLOCK);
            let retries: Vec<&str> = noted.lines().filter(is_of_snapshot).collect();
            assert!(matches!(retries[..], [it] if it.contains(why)), "{noted}");
            if !said.contains("again and again") {
                let marks = usize::from(MARKED.contains(&name));
                assert_eq!(kernel.files().len(), 1 + marks);
                let data = path.metadata().unwrap();
                let (mode, owner) = (data.mode() & 0o777, data.uid());
                assert_eq!((mode, owner), (0o600, geteuid().as_raw()));
                worked(kernel.run(), How::Resumed);
                kernel.snapshot();
            }
        });
        if tried.is_err() {
            wrong.push(name);
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// A clock that was set back, or a file that was copied here with its time.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_snapshot_from_the_future_is_as_good() {
    let kernel = OwnKernel::with_snapshot("6.1");
    let snapshot = File::options().write(true).open(kernel.snapshot()).unwrap();
    snapshot
        .set_modified(SystemTime::now() + Duration::from_secs(10 * 365 * 86400))
        .unwrap();
    worked(kernel.run(), How::Resumed);
    // A kernel that was replaced is noticed whichever way its time moved.
    let image = File::options().write(true).open(kernel.image()).unwrap();
    image
        .set_modified(UNIX_EPOCH + Duration::from_secs(86400))
        .unwrap();
    worked(kernel.run(), How::Booted);
    worked(kernel.run(), How::Resumed);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_cannot_be_cleared_away_costs_a_boot_and_is_told() {
    let kernel = OwnKernel::with_snapshot("6.1");
    let path = kernel.snapshot();
    remove(&path);
    fs::create_dir(&path).unwrap();
    // Not even root can remove a directory that something is mounted on; others cannot set it up.
    let unshared = std::process::Command::new("unshare")
        .args(["--mount", "true"])
        .status();
    if !unshared.is_ok_and(|status| status.success()) {
        let what = "a snapshot's place that cannot be cleared";
        return skip(what, "only root can mount something there");
    }
    let said = worked(kernel.run_with_mount(&path), How::Booted);
    assert_says(&said, "cannot clear");
    assert_says(&said, "the snapshot could not be made");
    worked(kernel.run(), How::Booted);
    worked(kernel.run(), How::Resumed);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn another_qemu_makes_its_own_snapshot_in_place_of_the_old() {
    let kernel = OwnKernel::copy_of("6.1");
    let old = FakeQemu::default();
    worked(kernel.run_with(&old), How::Booted);
    let before = kernel.snapshot();
    worked(kernel.run_with(&old), How::Resumed);
    let new = FakeQemu::default().with_comment("an update");
    worked(kernel.run_with(&new), How::Booted);
    assert_ne!(kernel.snapshot(), before);
    worked(kernel.run_with(&new), How::Resumed);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_qemu_without_shared_memory_boots() {
    let kernel = OwnKernel::copy_of("6.1");
    let message = "qemu: -device ivshmem-plain: 'ivshmem-plain' is not a valid device model name";
    let qemu = FakeQemu::default().without("ivshmem", message);
    let said = worked(kernel.run_with(&qemu), How::Booted);
    assert_says(&said, "not a valid device model name");
    assert_eq!(kernel.files(), [""; 0].map(PathBuf::from));
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_qemu_that_dies_or_hangs_at_a_resume_costs_a_boot() {
    let kernel = OwnKernel::copy_of("6.1");
    // It reads its orders from a file: if it changed itself, the snapshot would be another's.
    let order = kernel.path("order");
    fs::write(&order, "").unwrap();
    let qemu = FakeQemu::default().with_orders("-incoming", &order);
    worked(kernel.run_with(&qemu), How::Booted);
    let (path, good) = (kernel.snapshot(), kernel.path("good"));
    fs::copy(&path, &good).unwrap();
    worked(kernel.run_with(&qemu), How::Resumed);
    for (end, why) in [
        ("kill -SEGV $$", "signal 11"),
        ("exec sleep 1000", "the snapshot was dropped"),
    ] {
        kernel.files().iter().for_each(|path| remove(path));
        fs::copy(&good, &path).unwrap();
        fs::write(&order, end).unwrap();
        assert_says(&worked(kernel.run_with(&qemu), How::Booted), why);
    }
    // It may have been chance: the boot made a new snapshot.
    fs::write(&order, "").unwrap();
    worked(kernel.run_with(&qemu), How::Resumed);
}

/// However often that happens.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_qemu_that_is_killed_at_a_resume_spoils_no_snapshot() {
    let kernel = OwnKernel::copy_of("6.1");
    let (order, is_killed) = (kernel.path("order"), kernel.path("killed"));
    fs::write(&order, "").unwrap();
    let qemu = FakeQemu::default().with_orders("-incoming", &order);
    worked(kernel.run_with(&qemu), How::Booted);
    let before = kernel.snapshot().metadata().unwrap().ino();
    let once = format!("mkdir '{}' && kill -KILL $$", is_killed.display());
    fs::write(&order, once).unwrap();
    for _ in 0..4 {
        let said = worked(kernel.run_with(&qemu), How::Resumed);
        assert_says(&said, "killed from outside, with signal 9");
        fs::remove_dir(&is_killed).unwrap();
    }
    assert_eq!(kernel.snapshot().metadata().unwrap().ino(), before);
    // If not even the second try works, it costs a boot, and still says nothing of the snapshot.
    fs::write(&order, "kill -KILL $$").unwrap();
    for _ in 0..4 {
        worked(kernel.run_with(&qemu), How::Booted);
    }
    fs::write(&order, "").unwrap();
    worked(kernel.run_with(&qemu), How::Resumed);
}

/// Neither the resume nor the boot after it works: when there is memory again, all is as before.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_lack_of_memory_costs_no_snapshot() {
    let kernel = OwnKernel::copy_of("6.1");
    let order = kernel.path("order");
    fs::write(&order, "").unwrap();
    let qemu = FakeQemu::default().with_orders("q35", &order);
    worked(kernel.run_with(&qemu), How::Booted);
    let before = kernel.snapshot().metadata().unwrap().ino();
    fs::write(&order, "ulimit -v 400000").unwrap();
    let output = kernel.run_with(&qemu).output();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_says(&stderr(&output), "Cannot allocate memory");
    fs::write(&order, "").unwrap();
    worked(kernel.run_with(&qemu), How::Resumed);
    assert_eq!(kernel.snapshot().metadata().unwrap().ino(), before);
}

/// What happens to QEMU when it has written this much of a snapshot: the disk is full, or it is
/// killed.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_save_that_fails_leaves_no_file_and_the_run_goes_on() {
    for is_ignored in [true, false] {
        let kernel = OwnKernel::copy_of("6.1");
        let qemu = FakeQemu::default()
            .with_signal("XFSZ", is_ignored)
            .with_limit('c', 0)
            .with_limit('f', 20_000);
        let said = worked(kernel.run_with(&qemu), How::Booted);
        assert_says(&said, "snapshot");
        assert_eq!(kernel.files(), [""; 0].map(PathBuf::from), "{is_ignored}");
    }
}

fn spawn(run: &mut Run) -> Child {
    run.command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn kill(child: &mut Child) {
    signal::kill(pid_of(child), Signal::SIGKILL).unwrap();
    assert!(
        !child.wait().unwrap().success(),
        "it ended before it was killed"
    );
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn sigkill_during_a_save_leaves_no_process_and_the_next_run_saves() {
    let kernel = OwnKernel::copy_of("6.1");
    let mut run = kernel.run();
    let mut child = spawn(&mut run);
    kernel.wait_for_save();
    kill(&mut child);
    assert_eq!(run.left_behind(), [""; 0]);
    worked(kernel.run(), How::Booted);
    kernel.snapshot();
    worked(kernel.run(), How::Resumed);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn sigkill_during_a_resume_leaves_no_process_and_the_snapshot_good() {
    let kernel = OwnKernel::with_snapshot("6.1");
    let before = fs::read(kernel.snapshot()).unwrap();
    let mut run = kernel.run();
    let mut child = spawn(&mut run);
    run.wait_for_qemu();
    kill(&mut child);
    assert_eq!(run.left_behind(), [""; 0]);
    worked(kernel.run(), How::Resumed);
    assert!(
        fs::read(kernel.snapshot()).unwrap() == before,
        "a resume wrote to the snapshot"
    );
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn two_runs_that_need_the_same_snapshot_make_it_once() {
    let kernel = OwnKernel::copy_of("6.1");
    let mut runs = [kernel.run(), kernel.run()];
    let children = [0, 1].map(|index| spawn(&mut runs[index]));
    let outputs = children.map(|child| child.wait_with_output().unwrap());
    for output in &outputs {
        assert!(
            output.status.success() && stdout(output).contains(WORKED),
            "{}",
            stderr(output)
        );
    }
    let resumed = outputs
        .iter()
        .filter(|output| stderr(output).contains("resumed in"))
        .count();
    assert_eq!(resumed, 1, "{}{}", stderr(&outputs[0]), stderr(&outputs[1]));
    kernel.snapshot();
    assert!(runs.iter().all(|run| run.left_behind().is_empty()));
}
