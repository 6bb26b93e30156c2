//! Runs on a machine that has too little of something, or on which something is missing, and runs
//! that end at a bad moment: no right answer is called wrong, nothing stays, and the next run
//! works.
//!
//! What is tested for each stage of a run, and who gets the signal:
//!
//! | stage    | the tool                              | QEMU                                  |
//! |----------|---------------------------------------|---------------------------------------|
//! | build    | `a_signal_during_a_build` here        | there is none                         |
//! | boot     | `command`: ctrl_c_while_booting       | `command`: a_qemu_that_dies           |
//! | resume   | `a_signal_at_each_moment` here,       | `resume`: a_qemu_that_dies_or_hangs   |
//! |          | `resume`: sigkill_during_a_resume     |                                       |
//! | save     | `resume`: sigkill_during_a_save       | `resume`: a_save_that_fails           |
//! | step     | `command`: ctrl_c_reaches_the_lesson, | `a_qemu_that_is_ended_is_no_verdict`  |
//! |          | sigterm_ends_the_vm, sigkill_takes    | here; `command`: a_vm_that_is_killed, |
//! |          |                                       | a_vm_that_hangs                       |
//! | a judge  | `learner`: a_right_answer_is_not_wrong| `a_qemu_that_is_ended_is_no_verdict`  |
//! | report   | `a_signal_at_each_moment` here        | it has ended                          |

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use common::checkout_copy::CheckoutCopy;
use common::moved_clock::MovedClock;
use common::{Run, skip, stderr, stdout, wait_for};
use course::Implementation;
use course::exercises::{self, Exercise, Variant};
use kernel::{Architecture, MATRIX};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use processes::child::pid_of;
use xtask::pipeline::{answer_build, needs};

/// Its answers are built and judged on this machine.
const HERE: &str = "00/decode-instruction";

const IN_VM: &str = "03/count-by-comm";

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL];

/// Somebody whose answer is right.
struct Learner {
    checkout: CheckoutCopy,
    exercise: Exercise,
    progress: tempfile::TempDir,
}

impl Learner {
    fn at(name: &str) -> Self {
        let all = exercises::read_exercises().unwrap();
        let learner = Self {
            checkout: CheckoutCopy::open(),
            exercise: exercises::find_exercise(&all, name).unwrap().clone(),
            progress: tempfile::tempdir().unwrap(),
        };
        for implementation in Implementation::ALL {
            let [solution, answer] = [Variant::Solution, Variant::Answer]
                .map(|variant| learner.path(variant, implementation));
            fs::copy(solution, answer).unwrap();
        }
        learner
    }

    fn path(&self, variant: Variant, implementation: Implementation) -> PathBuf {
        let path = self.exercise.program_path(variant, implementation);
        self.checkout.path(&path)
    }

    /// Changes the answer's text and not what it does: it has to be built again.
    fn add_comment(&self, implementation: Implementation) {
        let answer = self.path(Variant::Answer, implementation);
        let text = fs::read_to_string(&answer).unwrap() + "// Not built yet.\n";
        fs::write(&answer, text).unwrap();
    }

    fn check(&self, implementation: Implementation) -> Run {
        let language = implementation.to_string();
        let arguments = ["check", &self.exercise.name, "--impl", &language];
        let mut run = self.checkout.run(&arguments);
        run.command
            .env("XTASK_PROGRESS", self.progress.path())
            .stdin(Stdio::null());
        run
    }

    /// In a namespace in which this line of shell has run.
    fn check_after(&self, line: &str) -> Output {
        self.check_in(Implementation::Libbpf, line)
    }

    fn check_in(&self, implementation: Implementation, line: &str) -> Output {
        let run = self.check(implementation);
        let mut command = Command::new("unshare");
        let script = format!("{line} && exec \"$@\"");
        command
            .args(["-m", "sh", "-c", &script, "sh"])
            .arg(run.command.get_program())
            .args(run.command.get_args())
            .current_dir(run.command.get_current_dir().unwrap())
            .stdin(Stdio::null());
        let set = run.command.get_envs();
        command.envs(set.filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        assert_eq!(run.left_behind(), [""; 0]);
        output
    }

    fn assert_right(&self, implementation: Implementation) {
        let mut run = self.check(implementation);
        let output = run.output();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(run.left_behind(), [""; 0]);
    }

    /// Right, or no verdict and a reason.
    fn assert_not_wrong(&self, trouble: &str, output: &Output) {
        let said = said(output);
        let code = output.status.code();
        assert!(code == Some(0) || code == Some(3), "{trouble}: {said}");
        assert!(
            code == Some(0) || said.contains("error: "),
            "{trouble}: {said}"
        );
        for word in ["not yet", "panicked"] {
            assert!(!said.contains(word), "{trouble}: {said}");
        }
        let record = fs::read_to_string(self.progress.path().join(".progress")).unwrap();
        let done = format!("done {} libbpf\n", self.exercise.name);
        assert_eq!(record, done, "{trouble}: it was done before");
    }
}

fn said(output: &Output) -> String {
    stdout(output) + &stderr(output)
}

/// Each as much as ends the command early, or the compiler, or nothing. Less memory ends cargo
/// itself, which then waits for itself.
const LIMITS: [(Resource, &[u64]); 5] = [
    (Resource::RLIMIT_NOFILE, &[6, 9, 12, 32]),
    (Resource::RLIMIT_FSIZE, &[0, 900, 20_000]),
    (Resource::RLIMIT_AS, &[100 << 20]),
    (Resource::RLIMIT_CPU, &[1]),
    (Resource::RLIMIT_MEMLOCK, &[0]),
];

#[test]
fn a_limit_makes_no_right_answer_wrong() {
    let learner = Learner::at(HERE);
    let in_c = Implementation::Libbpf;
    learner.assert_right(in_c);
    for (resource, limits) in LIMITS {
        for &limit in limits {
            let mut run = learner.check(in_c);
            let set = move || Ok(setrlimit(resource, limit, limit)?);
            // SAFETY: only one system call is made between fork and exec.
            unsafe { run.command.pre_exec(set) };
            let output = run.output();
            learner.assert_not_wrong(&format!("{resource:?} {limit}"), &output);
            assert_eq!(run.left_behind(), [""; 0]);
        }
    }
    learner.assert_right(in_c);
}

/// A control group with a limit, as a container is one.
struct ControlGroup {
    path: PathBuf,
    limit: &'static str,
}

impl ControlGroup {
    const PROCESSES: [(&str, &str); 2] = [("pids", "pids.max"), ("", "pids.max")];

    const BYTES: [(&str, &str); 2] = [("memory", "memory.limit_in_bytes"), ("", "memory.max")];

    /// With the first of these limits that can be set here: each is a file of a hierarchy.
    fn with_limit(limits: [(&str, &'static str); 2]) -> Option<Self> {
        limits.into_iter().find_map(|(hierarchy, limit)| {
            // Tests with other limits run beside this one.
            let name = format!("xtask-{}-{limit}", std::process::id());
            let path = Path::new("/sys/fs/cgroup").join(hierarchy).join(name);
            let is_made = fs::create_dir(&path).is_ok();
            let group = Self { path, limit };
            (is_made && group.path.join(limit).exists()).then_some(group)
        })
    }

    fn set_limit(&self, number: u64) {
        fs::write(self.path.join(self.limit), number.to_string()).unwrap();
    }

    /// The line of shell with which a process joins it.
    fn enter(&self) -> String {
        format!("echo 0 > {}/cgroup.procs", self.path.display())
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // It has no processes any more, or was never made.
        let _ = fs::remove_dir(&self.path);
    }
}

const NO_CONTROL_GROUP: &str = "no control group can be made here";

/// At each of them, another program or thread is the first that cannot be started.
const MOST_PROCESSES: [u64; 4] = [1, 2, 4, 12];

/// With so few, rustc is started, and fails.
const TOO_FEW_FOR_RUSTC: u64 = 6;

#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn too_few_processes_make_no_right_answer_wrong() {
    let Some(group) = ControlGroup::with_limit(ControlGroup::PROCESSES) else {
        return skip("a limit on processes", NO_CONTROL_GROUP);
    };
    let learner = Learner::at(HERE);
    learner.assert_right(Implementation::Libbpf);
    let before = learner.checkout.file_names();
    for number in MOST_PROCESSES {
        group.set_limit(number);
        let output = learner.check_after(&group.enter());
        learner.assert_not_wrong(&format!("{number} processes"), &output);
    }
    learner.add_comment(Implementation::Aya);
    group.set_limit(TOO_FEW_FOR_RUSTC);
    let output = learner.check_in(Implementation::Aya, &group.enter());
    learner.assert_not_wrong("too few for rustc", &output);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(learner.checkout.file_names(), before);
    learner.assert_right(Implementation::Aya);
}

/// With the least, the compiler is killed; with the others, a VM or nothing.
const MOST_MEBIBYTES: [u64; 5] = [24, 56, 72, 84, 120];

/// Whoever takes most of a group's memory is killed, without a word.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn too_little_memory_makes_no_right_answer_wrong() {
    let Some(group) = ControlGroup::with_limit(ControlGroup::BYTES) else {
        return skip("a limit on memory", NO_CONTROL_GROUP);
    };
    let learner = Learner::at(IN_VM);
    learner.assert_right(Implementation::Libbpf);
    for mebibytes in MOST_MEBIBYTES {
        learner.add_comment(Implementation::Libbpf);
        group.set_limit(mebibytes << 20);
        let output = learner.check_after(&group.enter());
        // The command itself may be the one.
        if output.status.signal() != Some(Signal::SIGKILL as i32) {
            learner.assert_not_wrong(&format!("{mebibytes} MiB"), &output);
        }
    }
    learner.assert_right(Implementation::Libbpf);
}

/// What happens to the machine, and what is said then; nothing, if the command works.
const TROUBLES: [(&str, &str); 7] = [
    ("export TMPDIR=/nowhere", ""),
    (
        "mount -t tmpfs -o size=4k none $ROOM && echo > $ROOM/x && export TMPDIR=$ROOM",
        "No space left on device",
    ),
    (
        "cargo=${CARGO_HOME:-$HOME/.cargo}; \
         mount --bind $cargo $cargo && mount -o remount,bind,ro $cargo",
        "",
    ),
    ("mount -t tmpfs none /dev/shm -o ro", ""),
    ("mount -t tmpfs none /dev/pts -o ro", ""),
    ("mount -t tmpfs none /proc", "/proc"),
    ("mkdir $ROOM/x && cd $ROOM/x && rmdir $ROOM/x", ""),
];

#[test]
fn what_is_missing_makes_no_right_answer_wrong() {
    let unshared = Command::new("unshare").args(["-m", "true"]).status();
    if !unshared.is_ok_and(|status| status.success()) {
        let what = "a machine without /proc, /dev/shm, or room";
        return skip(what, "only root can take them away");
    }
    let learner = Learner::at(HERE);
    learner.assert_right(Implementation::Libbpf);
    let room = tempfile::tempdir().unwrap();
    for (line, why) in TROUBLES {
        // Directories that are made are this namespace's own.
        let room = format!("ROOM={}; mount -t tmpfs none $ROOM", room.path().display());
        let output = learner.check_after(&format!("{room} && {line}"));
        learner.assert_not_wrong(line, &output);
        assert_eq!(
            output.status.success(),
            why.is_empty(),
            "{line}: {}",
            said(&output)
        );
        assert!(said(&output).contains(why), "{line}: {}", said(&output));
    }
    learner.assert_right(Implementation::Libbpf);
}

fn spawn(run: &mut Run) -> Child {
    let command = run.command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Ended by the signal, without a verdict.
fn assert_ended(run: &Run, child: Child, signal: Signal) {
    let output = child.wait_with_output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.signal(), Some(signal as i32), "{said}");
    assert!(!said.contains("not yet"), "{said}");
    assert_eq!(run.left_behind(), [""; 0]);
}

#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn a_signal_during_a_build() {
    let learner = Learner::at(HERE);
    for signal in SIGNALS {
        learner.add_comment(Implementation::Aya);
        let mut run = learner.check(Implementation::Aya);
        let child = spawn(&mut run);
        run.wait_for_program("--crate-name e00");
        kill(pid_of(&child), signal).unwrap();
        assert_ended(&run, child, signal);
    }
    learner.assert_right(Implementation::Aya);
}

/// The clock was set back before it was saved, or it is a copy with the time that it had.
#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn an_answer_with_an_old_time_is_the_one_that_is_judged() {
    let learner = Learner::at(HERE);
    let answer = learner.path(Variant::Answer, Implementation::Aya);
    let write = |variant| {
        fs::copy(learner.path(variant, Implementation::Aya), &answer).unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let file = File::options().append(true).open(&answer).unwrap();
        file.set_modified(old).unwrap();
    };
    write(Variant::Solution);
    learner.assert_right(Implementation::Aya);
    write(Variant::Starter);
    let output = learner.check(Implementation::Aya).output();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    write(Variant::Solution);
    learner.assert_right(Implementation::Aya);
}

const DAY: i64 = 24 * 60 * 60;

/// Between two runs, the clock is set back by a day, forward by a year, and right again. Set back,
/// it costs a build of everything: only the exercise that needs little is tried.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_moved_clock_changes_no_verdict() {
    let clocks = [-DAY, 365 * DAY].map(MovedClock::moved_by);
    let [back, forward] = clocks.each_ref().map(Some);
    let in_turn = [None, back, None, forward, None];
    for (name, implementation, clocks) in [
        (IN_VM, Implementation::Libbpf, &in_turn[2..]),
        (HERE, Implementation::Aya, &in_turn),
    ] {
        let learner = Learner::at(name);
        let answer = learner.path(Variant::Answer, implementation);
        for clock in clocks {
            for (variant, code) in [(Variant::Starter, 1), (Variant::Solution, 0)] {
                fs::copy(learner.path(variant, implementation), &answer).unwrap();
                let mut run = learner.check(implementation);
                if let Some(clock) = clock {
                    clock.show_to(&mut run);
                }
                let output = run.output();
                assert_eq!(output.status.code(), Some(code), "{}", said(&output));
                assert_eq!(run.left_behind(), [""; 0]);
            }
        }
    }
}

/// At these lines of a run; the first comes before its guest is resumed.
const MOMENTS: [&str; 2] = ["", "detached"];

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_signal_at_each_moment() {
    let worked = |run: &mut Run| {
        let output = run.output();
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    worked(&mut Run::new(&["run", "01", "-v"]));
    for moment in MOMENTS {
        for signal in SIGNALS {
            let mut run = Run::new(&["run", "01", "-v"]);
            let mut child = spawn(&mut run);
            run.wait_for_qemu();
            wait_for(child.stdout.as_mut().unwrap(), moment);
            kill(pid_of(&child), signal).unwrap();
            let output = child.wait_with_output().unwrap();
            let ended = output.status.signal() == Some(signal as i32);
            // At the end, it may have been quicker.
            let is_right = ended || moment == "detached" && output.status.success();
            assert!(is_right, "'{moment}' {signal}: {}", said(&output));
            assert_eq!(run.left_behind(), [""; 0]);
        }
    }
    let said = worked(&mut Run::new(&["run", "01", "-v"]));
    let is_emulated = !said.contains("with KVM");
    assert!(!is_emulated || said.contains("resumed in"), "{said}");
}

/// As one does who ends all QEMUs of a machine.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_qemu_that_is_ended_is_no_verdict() {
    let learner = Learner::at(IN_VM);
    learner.assert_right(Implementation::Libbpf);
    for (milliseconds, signal) in [0, 250, 500].into_iter().zip(SIGNALS) {
        let mut run = learner.check(Implementation::Libbpf);
        let child = spawn(&mut run);
        run.wait_for_qemu();
        let qemu = run.qemu();
        thread::sleep(Duration::from_millis(milliseconds));
        // It may have ended already.
        let _ = kill(qemu, signal);
        let output = child.wait_with_output().unwrap();
        learner.assert_not_wrong(signal.as_str(), &output);
        assert_eq!(run.left_behind(), [""; 0]);
    }
    learner.assert_right(Implementation::Libbpf);
}

/// Without `XTASK_AT_ONCE`. More than these are on each kernel.
const AT_ONCE: usize = 4;

/// Each resumes the snapshot of its kernel, or waits for the run that makes it.
#[test]
#[ignore = "needs a VM: XTASK_AT_ONCE=10 cargo test -p xtask --test run_faults -- --ignored"]
fn runs_at_once_are_all_right() {
    let number = std::env::var("XTASK_AT_ONCE").map_or(AT_ONCE, |text| text.parse().unwrap());
    let here = Learner::at(HERE);
    let all = exercises::read_exercises().unwrap();
    let exercise = exercises::find_exercise(&all, IN_VM).unwrap();
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let built = answer_build::build_answer(
        exercise,
        Implementation::Libbpf,
        Variant::Solution,
        Architecture::HOST,
    );
    let object = built.unwrap().unwrap().file;
    let kernels = if number > AT_ONCE {
        &MATRIX[..]
    } else {
        &["6.12"]
    };
    let mut runs: Vec<_> = (0..number)
        .map(|index| match index % 4 {
            0 => here.check(Implementation::Libbpf),
            1 => Run::new(&["verify", "--kernel", "6.12", object.to_str().unwrap()]),
            _ => Run::new(&["run", "01", "--kernel", kernels[index % kernels.len()]]),
        })
        .collect();
    let children: Vec<_> = runs.iter_mut().map(spawn).collect();
    for (index, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{index}: {}", said(&output));
        assert_eq!(runs[index].left_behind(), [""; 0]);
    }
}
