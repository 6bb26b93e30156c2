//! Plans in a real guest: what a step gets, what its limits do, and how a guest ends.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use checkout::workspace;
use common::test_vm::TestVm;
use common::{run, shell, start_with_tools};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use plan::{Outcome, Step};
use processes::child::end_with_us;
use requirements::Clang;
use serde_json::Value;
use testvm::{Failure, How, Machine, Started, VmClock};
use xtask::pipeline::needs;

fn died(failure: Failure) -> testvm::Death {
    match failure {
        Failure::Died(death) => death,
        other => panic!("the guest should have died: {:#}", other.into_error()),
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn steps_report_their_own_outcome_and_leave_nothing_running() {
    let mut started = start_with_tools("6.12");
    let steps = vec![
        shell("echo one; echo two >&2; exit 7"),
        shell("kill -TERM $$"),
        shell("busybox sleep 1000 & echo started"),
        shell("busybox ps | busybox grep -c 'sleep 100[0]'"),
        Step {
            program: "/bin/nothing".into(),
            ..shell("")
        },
        shell("busybox printf '\\000\\377'"),
        shell(
            "busybox mount | busybox grep -cE ' (/proc|/sys|/dev|/tmp|/sys/fs/bpf\
             |/sys/kernel/tracing|/sys/kernel/security|/sys/fs/cgroup) '",
        ),
    ];
    let (report, printed) = run(&mut started, steps);
    let report = report.map_err(Failure::into_error).unwrap();
    let outcomes: Vec<_> = report
        .steps
        .iter()
        .map(|step| step.outcome.clone())
        .collect();
    assert_eq!(outcomes[0], Outcome::Exited(7));
    assert_eq!(printed[0], b"one\n");
    assert_eq!(outcomes[1], Outcome::Killed(15));
    assert_eq!(outcomes[2], Outcome::Exited(0));
    assert_eq!(
        printed[3], b"0\n",
        "a background process of a step outlived it"
    );
    assert!(
        matches!(&outcomes[4], Outcome::NotStarted(why) if why.contains("/bin/nothing")),
        "{:?}",
        outcomes[4]
    );
    assert_eq!(printed[5], b"\x00\xff");
    assert_eq!(printed[6], b"8\n");
    assert!(report.complaints.is_empty(), "{:?}", report.complaints);

    // The same guest takes another plan.
    let (report, printed) = run(&mut started, vec![shell("echo again")]);
    assert!(report.is_ok());
    assert_eq!(printed[0], b"again\n");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn limits_end_a_step_and_not_the_guest() {
    const LONGEST: Duration = Duration::from_secs(5);
    let mut started = start_with_tools("6.12");
    let endless = Step {
        seconds: Some(2),
        ..shell("trap '' INT TERM; while :; do :; done")
    };
    let flood = Step {
        output_limit: Some(100_000),
        ..shell("busybox yes flooding")
    };
    let (report, printed) = run(
        &mut started,
        vec![endless.clone(), flood, shell("echo alive")],
    );
    let report = report.map_err(Failure::into_error).unwrap();
    assert_eq!(report.steps[0].outcome, Outcome::TimedOut);
    let mut took = report.steps[0].duration;
    // Other VMs may have had this machine's CPUs meanwhile, but not each time.
    for _ in 0..2 {
        if took >= LONGEST {
            let (again, _) = run(&mut started, vec![endless.clone()]);
            took = again.map_err(Failure::into_error).unwrap().steps[0].duration;
        }
    }
    assert!(took < LONGEST, "{took:?}");
    assert_eq!(report.steps[1].outcome, Outcome::Flooded);
    assert_eq!(printed[2], b"alive\n");
}

/// What keeps one CPU busy, until it is dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn on_cpu(cpu: usize, processes: usize) -> Self {
        let start = || {
            let mut program = Command::new("taskset");
            program.args(["-c", &cpu.to_string(), "yes"]);
            end_with_us(&mut program);
            program.stdout(Stdio::null()).spawn().unwrap()
        };
        Self((0..processes).map(|_| start()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for process in &mut self.0 {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

/// QEMU gets a ninth of a CPU at most: the step takes longer than its limit, by the clock of the
/// guest too.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_time_limit_waits_for_a_busy_machine() {
    let mut cpus = CpuSet::new();
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let cpu = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu).unwrap());
    cpus.set(cpu.unwrap()).unwrap();
    // QEMU will have it from this thread.
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
    let mut started = start_with_tools("6.12");
    // Well under two seconds of a CPU, and well over a ninth of them.
    let limit = 2;
    let count = Step {
        seconds: Some(limit),
        ..shell("i=0; while [ $i -lt 25000 ]; do i=$((i + 1)); done")
    };
    let busy = Busy::on_cpu(cpu.unwrap(), 8);
    let begin = Instant::now();
    let (report, _) = run(&mut started, vec![count]);
    let took = begin.elapsed();
    drop(busy);
    let report = report.map_err(Failure::into_error).unwrap();
    let outcome = &report.steps[0].outcome;
    assert_eq!(*outcome, Outcome::Exited(0), "after {took:?}");
    assert!(
        took > Duration::from_secs(limit),
        "not busy enough: {took:?}"
    );
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_panic_is_told_with_the_kernels_last_words() {
    let mut started = start_with_tools("6.12");
    let (report, _) = run(
        &mut started,
        vec![shell(
            "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger",
        )],
    );
    let death = died(report.unwrap_err());
    assert!(death.why.contains("kernel crashed"), "{}", death.why);
    assert!(
        death.last_words.iter().any(|line| line.contains("sysrq")),
        "{:#?}",
        death.last_words
    );
    assert!(death.last_words.len() <= 41);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_flooded_console_ends_at_the_time_limit() {
    let mut started = start_with_tools("6.12");
    let flood = "busybox yes 'a line for the console, again and again' | busybox head -c 100000000 \
        > /dev/ttyS0";
    let begin = Instant::now();
    let (report, _) = run(
        &mut started,
        vec![
            Step {
                seconds: Some(4),
                ..shell(flood)
            },
            shell("echo alive"),
        ],
    );
    let report = report.map_err(Failure::into_error).unwrap();
    assert_eq!(report.steps[0].outcome, Outcome::TimedOut);
    assert_eq!(report.steps[1].outcome, Outcome::Exited(0));
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_a_program_writes_to_the_kernels_log_is_no_complaint_of_the_kernel() {
    let mut started = start_with_tools("6.12");
    let (report, _) = run(
        &mut started,
        vec![shell("echo 'WARNING: said a program' > /dev/kmsg")],
    );
    assert!(
        report
            .map_err(Failure::into_error)
            .unwrap()
            .complaints
            .is_empty()
    );
}

/// Resuming, the next kind of start, will have to hold this too.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn another_step_costs_little() {
    let mut started = start_with_tools("6.12");
    let steps = vec![shell("true"); 9];
    let begin = Instant::now();
    let (report, _) = run(&mut started, steps);
    report.map_err(Failure::into_error).unwrap();
    let each = begin.elapsed() / 9;
    // Ten times what it takes: this is no benchmark, it notices a sleep in the path of a step.
    assert!(each < Duration::from_secs(1), "{each:?}");
}

/// As on every machine with KVM, where no VM is resumed.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn programs_that_come_with_the_boot_have_room() {
    let mut started = TestVm::on("6.12")
        .with_tools()
        .with_file("lib/large", &vec![1; 30_000_000])
        .with_machine(|machine| Machine {
            clock: VmClock::Instructions,
            memory_mib: 128,
            ..machine
        })
        .start();
    assert_eq!(started.how, How::Booted);
    let (report, printed) = run(&mut started, vec![shell("wc -c < /lib/large")]);
    report.map_err(Failure::into_error).unwrap();
    assert_eq!(printed[0], b"30000000\n");
}

/// All three get their memory from kmalloc_nolock() on new kernels, which needs a CPU with
/// cmpxchg16b or a kernel that was told to do without.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn timers_fire_and_task_storage_and_arenas_keep_values() {
    needs::ensure_needs(&[&Clang]).unwrap();
    // Linux 5.10 has none of them, and arenas came in 6.9.
    for (kernel, has_arenas) in [
        ("6.1", false),
        ("6.12", true),
        ("6.18", true),
        ("7.3", true),
    ] {
        let mut started = start_with_objects(kernel, &["timer", "arena"]);
        let counts = counts_after(&mut started, "timer");
        let [opened, again] = [count(&counts, "opened"), count(&counts, "opened_again")];
        assert!(opened > 10 && again > 10, "{kernel}: {counts}");
        assert_eq!(count(&counts, "timer_failed"), 0, "{kernel}: {counts}");
        assert_eq!(count(&counts, "fired"), opened, "{kernel}: {counts}");
        assert_eq!(count(&counts, "storage_failed"), 0, "{kernel}: {counts}");
        if has_arenas {
            let counts = counts_after(&mut started, "arena");
            let executed = count(&counts, "executed");
            assert!(executed > 10, "{kernel}: {counts}");
            assert_eq!(count(&counts, "allocation_failed"), 0, "{kernel}: {counts}");
            assert_eq!(count(&counts, "in_arena"), executed, "{kernel}: {counts}");
        }
        let (_, printed) = run(
            &mut started,
            vec![shell("dmesg | grep -c 'unhashed kernel memory addresses'")],
        );
        assert_eq!(printed[0], b"0\n", "{kernel} prints addresses as they are");
    }
}

/// A VM with the tools and these programs of `tests/programs`, as `/lib/NAME.o`.
fn start_with_objects(kernel: &str, names: &[&str]) -> Started {
    let directory = tempfile::tempdir().unwrap();
    let mut vm = TestVm::on(kernel).with_tools();
    for name in names {
        let object = directory.path().join(name);
        let mut clang = Command::new(workspace::workspace_root().join(".cache/bin/clang"));
        clang.args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-c"]);
        clang
            .arg(Path::new("tests/programs").join(format!("{name}.bpf.c")))
            .arg("-o")
            .arg(&object);
        assert!(clang.status().unwrap().success(), "{name}");
        vm = vm.with_file(&format!("lib/{name}.o"), &std::fs::read(&object).unwrap());
    }
    vm.start()
}

/// Attaches the programs of an object while a shell opens files and runs programs: its global
/// variables after that.
fn counts_after(started: &mut Started, name: &str) -> Value {
    let load = format!(
        "bpftool prog loadall /lib/{name}.o /sys/fs/bpf/links pinmaps /sys/fs/bpf/maps autoattach \
         2>&1"
    );
    let work =
        "for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do : < /dev/null; /bin/busybox true; done";
    // Timers that were started last have to fire, too.
    let detach = "rm -r /sys/fs/bpf/links && /bin/busybox usleep 100000";
    let dump = format!("bpftool --json map dump pinned /sys/fs/bpf/maps/{name}_bss");
    let steps = [&load, work, detach, &dump, "rm -r /sys/fs/bpf/maps"]
        .map(shell)
        .to_vec();
    let (report, printed) = run(started, steps);
    let report = report.map_err(Failure::into_error).unwrap();
    for (step, printed) in report.steps.iter().zip(&printed) {
        let printed = String::from_utf8_lossy(printed);
        assert_eq!(
            step.outcome,
            Outcome::Exited(0),
            "{} {name}: {printed}",
            started.release
        );
    }
    let mut dump: Value = serde_json::from_slice(&printed[3]).unwrap();
    dump[0]["formatted"]["value"][".bss"].take()
}

fn count(counts: &Value, name: &str) -> u64 {
    let found = counts
        .as_array()
        .unwrap()
        .iter()
        .find_map(|variable| variable[name].as_u64());
    found.unwrap_or_else(|| panic!("no {name} in {counts}"))
}
