//! Guests that are resumed instead of booted: what they know, what stays of a plan, and snapshots that do not work.
//!
//! Snapshots lie in the checkout's own cache. The tests that break them do it to a kernel of their own, a copy under
//! a name that nobody else has, so that the user's snapshots and other tests are left alone.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Run, fake_qemu, run, shell, start_with_tools, stderr, stdout};
use plan::{Outcome, Step};
use rustix::process::{Pid, Signal, kill_process};
use xtask::image::{self, Archive};
use xtask::kernel::MATRIX;
use xtask::setup::{self, Need};
use xtask::vm::{self, Accel, Failure, How, PlanReport, Started};
use xtask::{build, catalog, demo, workspace};

/// What lesson 01 says when it worked.
const WORKED: &str = "seen      2 removals";

/// A VM with lesson 01 and the tools in it.
fn start_with_lesson(kernel: &str) -> Started {
    let needs = [&demo::BUILD_NEEDS[..], &[Need::Qemu, Need::GuestTools, Need::Kernel(kernel.into())]];
    setup::ensure(&needs.concat()).unwrap();
    let lessons = catalog::lessons().unwrap();
    let program = build::lesson(catalog::find(&lessons, "01").unwrap()).unwrap();
    let mut archive = Archive::default();
    image::add_program(&mut archive, &program).unwrap();
    image::add_tools(&mut archive).unwrap();
    let machine = demo::machine(&setup::kernels::get(kernel).unwrap()).unwrap();
    vm::start(&machine, &archive.finish().unwrap()).map_err(Failure::into_error).unwrap()
}

fn lesson(implementation: &str) -> Step {
    let args = ["--impl", implementation, "--demo"].map(str::to_owned).to_vec();
    Step { program: "/bin/hello-kprobe".into(), args, ..shell("") }
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
    (report, printed.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect())
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_tidy_plan_leaves_nothing_to_the_next() {
    let mut started = start_with_lesson("6.12");
    let cgroup = "mkdir /sys/fs/cgroup/x && rmdir /sys/fs/cgroup/x";
    let instance = "mkdir /sys/kernel/tracing/instances/x && rmdir /sys/kernel/tracing/instances/x";
    let files = "for folder in /root /run /tmp /var; do echo x > $folder/x && mkdir $folder/y; done; \
                 mount -t tmpfs none /tmp/y && echo x > /tmp/y/x; sleep 1000 &";
    let steps = vec![lesson("aya"), lesson("libbpf"), shell(files), shell(cgroup), shell(instance)];
    let (report, printed) = run_steps(&mut started, steps);
    assert!(printed[0].contains(WORKED) && printed[1].contains(WORKED), "{printed:#?}");
    assert_eq!(report.left_behind, [""; 0]);

    let look = "find /root /run /tmp /var -mindepth 1; grep -c ' /tmp/y ' /proc/mounts; pidof sleep; true";
    let steps = vec![shell(look), lesson("aya")];
    let (report, printed) = run_steps(&mut started, steps);
    assert_eq!(printed[0], "0\n", "the folders should be fresh");
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
    for line in ["echo x > /bin/new", "rm /bin/busybox", "echo x >> /bin/busybox", "mkdir /new"] {
        let said = format!("({line}) 2>&1 || true");
        let (_, printed) = run_lines(&mut started, &[&said]);
        assert!(printed[0].contains("Read-only file system"), "{line}: '{}'", printed[0]);
    }
}

/// Each kind of thing that can outlive a plan: how it is made, how it is named, how it is taken away.
const LEAVINGS: [(&str, &str, &str); 6] = [
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
    ("mkdir /sys/fs/cgroup/left", "control group left", "rmdir /sys/fs/cgroup/left"),
    ("echo x > /dev/left", "device left", "rm /dev/left"),
    // The kernels of the matrix make no other interface without a module.
    ("ip link set lo name left", "network interface left", "ip link set left name lo"),
];

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_a_plan_leaves_behind_is_named() {
    let mut started = start_with_tools("6.12");
    let (report, _) = run_lines(&mut started, &LEAVINGS.map(|(make, ..)| make));
    for (_, name, _) in LEAVINGS {
        assert!(report.left_behind.iter().any(|thing| thing == name), "{name}: {:#?}", report.left_behind);
    }
    // The pinned map is named under its own kind too.
    let of_maps = report.left_behind.iter().filter(|thing| thing.starts_with("map ")).count();
    assert_eq!((of_maps, report.left_behind.len()), (1, LEAVINGS.len() + 1), "{:#?}", report.left_behind);

    let (report, _) = run_lines(&mut started, &LEAVINGS.map(|(.., remove)| remove));
    assert_eq!(report.left_behind, [""; 0], "all was taken away");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_resumed_guest_knows_the_time() {
    drop(start_with_tools("6.12"));
    // Longer than the error that is accepted: a clock that stands still would be noticed.
    std::thread::sleep(Duration::from_secs(3));
    let mut first = start_with_tools("6.12");
    assert_quick(&first);
    assert_right_clock(&mut first);
    std::thread::sleep(Duration::from_secs(3));
    assert_right_clock(&mut first);
    drop(first);
    let mut second = start_with_tools("6.12");
    assert_quick(&second);
    assert_right_clock(&mut second);
}

/// With KVM a guest is always booted, and has to know the same.
fn assert_quick(started: &Started) {
    assert!(started.how == How::Resumed || started.accel == Accel::Kvm, "booted: {:?}", started.notes);
}

fn assert_right_clock(started: &mut Started) {
    let before = now();
    let (_, printed) = run_lines(started, &["date +%s"]);
    let guest: f64 = printed[0].trim().parse().unwrap();
    assert!(before - 2.0 <= guest && guest <= now() + 2.0, "guest {guest}, host {before} to {}", now());
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
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
            assert_quick(&started);
            run_lines(&mut started, &[line]).1.remove(0)
        });
        assert_eq!(one.lines().count(), 4, "{one}");
        for (line, same) in one.lines().zip(other.lines()) {
            assert_ne!(line, same, "twice the same on {kernel}");
        }
    }
}

/// A copy of a kernel, which has its snapshots to itself.
struct OwnKernel {
    folder: PathBuf,
}

impl OwnKernel {
    fn copy_of(kernel: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        setup::ensure(&[Need::Qemu, Need::Kernel(kernel.into())]).unwrap();
        let folder = std::env::temp_dir().join(format!("xtask-resume-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let own = Self { folder };
        fs::copy(setup::kernels::get(kernel).unwrap().image, own.image()).unwrap();
        own
    }

    /// With a snapshot that works.
    fn with_snapshot(kernel: &str) -> Self {
        let own = Self::copy_of(kernel);
        worked(own.run(), How::Booted);
        own
    }

    fn image(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    /// `run 01` on this kernel, emulated: elsewhere nothing is resumed.
    fn run(&self) -> Run {
        let mut run = Run::new(&["run", "01", "-v", "--kernel", self.image().to_str().unwrap()]);
        run.command.env("XTASK_ACCEL", "tcg").env_remove("XTASK_SNAPSHOTS");
        run
    }

    /// The same with a script in QEMU's place, where `qemu` goes on to the real one.
    fn run_with(&self, script: &str) -> Run {
        let script = format!("#!/bin/sh\nqemu() {{ exec qemu-system-x86_64 \"$@\"; }}\n{script}\n");
        let path = self.folder.join("fake/qemu-system-x86_64");
        // A script that stays as it is keeps its snapshot.
        if fs::read_to_string(&path).ok().as_ref() != Some(&script) {
            fake_qemu(path.parent().unwrap(), &script);
        }
        let mut run = self.run();
        run.command.env("XTASK_QEMU", path);
        run
    }

    /// This kernel's files among the snapshots, locks left out.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = self.all_files();
        files.retain(|path| path.extension().is_none_or(|ending| ending != "lock"));
        files
    }

    fn all_files(&self) -> Vec<PathBuf> {
        let mark = format!("{}-vmlinux-", self.folder.file_name().unwrap().to_str().unwrap());
        let folder = fs::read_dir(workspace::own_cache().join("snapshots")).into_iter().flatten().flatten();
        folder
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
        while !self.files().iter().any(|path| path.extension().is_some() && begun(path)) {
            assert!(Instant::now() < deadline, "no snapshot was ever written");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for OwnKernel {
    fn drop(&mut self) {
        for path in self.all_files() {
            remove(&path);
        }
        remove(&self.folder);
    }
}

/// A drop that panics while a test fails would hide why.
fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// A run that ended well, with its guest started like this and nothing left of it; returns what it said.
fn worked(mut run: Run, how: How) -> String {
    let output = run.output();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(stdout(&output).contains(WORKED), "{said}{}", stdout(&output));
    let word = if how == How::Resumed { "resumed in" } else { "booted in" };
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
const FAULTS: [Fault; 7] = [
    ("cut short", cut_short, "cut short"),
    (
        "open to all",
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap(),
        "by others",
    ),
    ("of another user", give_away, "by others"),
    ("a folder", replace_by_folder, "the snapshot was dropped"),
    ("garbage", fill_with_garbage, "the snapshot was dropped"),
    ("of another kernel", replace_by_another_kernels, "the snapshot was dropped"),
    ("known to be bad", mark_as_bad, "has failed again and again"),
];

fn cut_short(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// Only root can: for others it is the same as one that is open to all.
fn give_away(path: &Path) {
    let given = chown(path, Some(1), None);
    given.or_else(|_| fs::set_permissions(path, fs::Permissions::from_mode(0o666))).unwrap();
}

fn replace_by_folder(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
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
    let ending = format!("-u{}", rustix::process::geteuid().as_raw());
    let is_one = |name: &str| name.starts_with("6.12-vmlinux-") && name.ends_with(&ending);
    let mut entries = fs::read_dir(path.parent().unwrap()).unwrap().flatten();
    let other = entries.find(|entry| is_one(&entry.file_name().to_string_lossy())).unwrap();
    fs::copy(other.path(), path).unwrap();
}

/// A line for each time; one alone may have been chance.
fn mark_as_bad(path: &Path) {
    fs::write(format!("{}.bad", path.display()), "it did not run\n".repeat(9)).unwrap();
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_snapshot_that_does_not_work_costs_a_boot_and_is_told() {
    let kernel = OwnKernel::with_snapshot("6.1");
    let path = kernel.snapshot();
    let good = kernel.folder.join("good");
    fs::copy(&path, &good).unwrap();
    let mut wrong = Vec::new();
    for (name, spoil, why) in FAULTS {
        kernel.files().iter().for_each(|path| remove(path));
        fs::copy(&good, &path).unwrap();
        spoil(&path);
        // All faults are tried, so that one does not hide the others.
        let tried = std::panic::catch_unwind(|| {
            let said = worked(kernel.run(), How::Booted);
            assert_says(&said, why);
            assert_says(&said, "on Linux 6.1.");
        });
        if tried.is_err() {
            wrong.push(name);
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_snapshot_that_was_cut_short_is_made_anew() {
    let kernel = OwnKernel::with_snapshot("6.1");
    cut_short(&kernel.snapshot());
    worked(kernel.run(), How::Booted);
    let data = kernel.snapshot().metadata().unwrap();
    assert_eq!((data.mode() & 0o777, data.uid()), (0o600, rustix::process::geteuid().as_raw()));
    worked(kernel.run(), How::Resumed);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn another_qemu_makes_its_own_snapshot_in_place_of_the_old() {
    let kernel = OwnKernel::copy_of("6.1");
    worked(kernel.run_with("qemu \"$@\""), How::Booted);
    let before = kernel.snapshot();
    worked(kernel.run_with("qemu \"$@\""), How::Resumed);
    worked(kernel.run_with("# an update\nqemu \"$@\""), How::Booted);
    assert_ne!(kernel.snapshot(), before);
    worked(kernel.run_with("# an update\nqemu \"$@\""), How::Resumed);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_qemu_without_shared_memory_boots() {
    let kernel = OwnKernel::copy_of("6.1");
    let said = worked(
        kernel.run_with(
            "case \"$*\" in *ivshmem*)
                 echo \"qemu: -device ivshmem-plain: 'ivshmem-plain' is not a valid device model name\" >&2
                 exit 1
             esac
             qemu \"$@\"",
        ),
        How::Booted,
    );
    assert_says(&said, "not a valid device model name");
    assert_eq!(kernel.files(), [""; 0].map(PathBuf::from));
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_qemu_that_dies_or_hangs_at_a_resume_costs_a_boot() {
    let kernel = OwnKernel::copy_of("6.1");
    // It reads what to do from a file: the script must stay the same, or the snapshot would be another.
    let order = kernel.folder.join("order");
    fs::write(&order, "").unwrap();
    let script = format!("case \"$*\" in *-incoming*) . {};; esac\nqemu \"$@\"", order.display());
    worked(kernel.run_with(&script), How::Booted);
    let (path, good) = (kernel.snapshot(), kernel.folder.join("good"));
    fs::copy(&path, &good).unwrap();
    worked(kernel.run_with(&script), How::Resumed);
    for (end, why) in [("kill -KILL $$", "signal 9"), ("exec sleep 1000", "the snapshot was dropped")] {
        kernel.files().iter().for_each(|path| remove(path));
        fs::copy(&good, &path).unwrap();
        fs::write(&order, end).unwrap();
        assert_says(&worked(kernel.run_with(&script), How::Booted), why);
    }
    // It may have been chance: the boot made a new snapshot.
    fs::write(&order, "").unwrap();
    worked(kernel.run_with(&script), How::Resumed);
}

/// What happens to QEMU when it has written this much of a snapshot: the disk is full, or it is killed.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_save_that_fails_leaves_no_file_and_the_run_goes_on() {
    for what_happens in ["trap '' XFSZ", "trap - XFSZ"] {
        let kernel = OwnKernel::copy_of("6.1");
        let said = worked(
            kernel.run_with(&format!("{what_happens}; ulimit -c 0; ulimit -f 20000; qemu \"$@\"")),
            How::Booted,
        );
        assert_says(&said, "snapshot");
        assert_eq!(kernel.files(), [""; 0].map(PathBuf::from), "{what_happens}");
    }
}

fn spawn(run: &mut Run) -> Child {
    run.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn kill(child: &mut Child) {
    kill_process(Pid::from_child(child), Signal::KILL).unwrap();
    assert!(!child.wait().unwrap().success(), "it ended before it was killed");
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
    assert!(fs::read(kernel.snapshot()).unwrap() == before, "a resume wrote to the snapshot");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn two_runs_that_need_the_same_snapshot_make_it_once() {
    let kernel = OwnKernel::copy_of("6.1");
    let mut runs = [kernel.run(), kernel.run()];
    let children = [0, 1].map(|index| spawn(&mut runs[index]));
    let outputs = children.map(|child| child.wait_with_output().unwrap());
    for output in &outputs {
        assert!(output.status.success() && stdout(output).contains(WORKED), "{}", stderr(output));
    }
    let resumed = outputs.iter().filter(|output| stderr(output).contains("resumed in")).count();
    assert_eq!(resumed, 1, "{}{}", stderr(&outputs[0]), stderr(&outputs[1]));
    kernel.snapshot();
    assert!(runs.iter().all(|run| run.left_behind().is_empty()));
}

/// Known programs over all kernels, `XTASK_STRESS` times: each must do what it always does.
#[test]
#[ignore = "long: XTASK_STRESS=200 cargo test -p xtask --test resume -- --ignored stress --nocapture"]
fn stress() {
    let Some(rounds) = std::env::var("XTASK_STRESS").ok().and_then(|text| text.parse::<usize>().ok()) else {
        return;
    };
    let begin = Instant::now();
    let (mut wrong, mut booted) = (Vec::new(), 0);
    for round in 0..rounds {
        let kernel = MATRIX[round % MATRIX.len()];
        // Over all kernels with the one program, then with the next.
        let known = &KNOWN[round / MATRIX.len() % KNOWN.len()];
        let mut run = Run::new(&[&["run", "01", "-v", "--kernel", kernel], known.arguments].concat());
        let output = run.command.env("XTASK_ACCEL", "tcg").output().unwrap();
        booted += usize::from(stderr(&output).contains("booted in"));
        let right = output.status.code() == Some(known.exit)
            && (stdout(&output) + &stderr(&output)).contains(known.says)
            && stderr(&output).contains(&format!("on Linux {kernel}."))
            && run.left_behind().is_empty();
        if !right {
            let text = format!("round {round}: {kernel} {:?}: {:?}\n", known.arguments, output.status);
            // As it happens: a long test is watched.
            eprintln!("{text}{}{}", stdout(&output), stderr(&output));
            wrong.push(text);
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let wrongs = wrong.len();
    // To standard error of the process itself: the test harness keeps the rest of a test that passes.
    writeln!(std::io::stderr(), "{rounds} runs in {seconds:.0} s: {wrongs} false, {booted} booted").unwrap();
    assert_eq!(wrong, [""; 0]);
}

/// A program whose outcome is known, good or bad.
struct Known {
    arguments: &'static [&'static str],
    exit: i32,
    says: &'static str,
}

const KNOWN: [Known; 4] = [
    Known { arguments: &["--impl", "aya"], exit: 0, says: WORKED },
    Known { arguments: &["--impl", "libbpf"], exit: 0, says: WORKED },
    Known { arguments: &["--impl", "both"], exit: 0, says: WORKED },
    Known { arguments: &["--", "--no-such-flag"], exit: 1, says: "it ended with exit status 2" },
];
