//! What runs must not become slower: instructions that the guest executes, which are the same on
//! every machine, and the CPU time of a run as a part of the CPU time of a boot on the same
//! machine. Times alone are not compared.
//!
//! `cost.toml` has the figures. To accept others, write those there that the failed test shows.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use checkout::workspace;
use common::test_vm::TestVm;
use course::Implementation;
use course::catalog::{self, Lesson, StepPlace};
use kernel::{Architecture, DEFAULT};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use requirements::{Qemu, kernels, require_kernel};
use serde::Deserialize;
use testvm::{Accel, Guest, How, Machine, NANOSECONDS, VmClock, find_kvm_state};
use xtask::pipeline::demo::{self, Script};
use xtask::pipeline::{bare_boot, build, needs};

/// A figure may be this much worse: timer interrupts, and the order in which processes run, differ
/// from run to run, by a tenth where a demo waits for the kernel.
const MARGIN: f64 = 1.25;

/// How often a boot and a run are measured in turn. The quickest of each count: other programs
/// make both slower, never quicker.
const ROUNDS: usize = 5;

/// The CPU time of one test's VMs is not to count for another.
static ALONE: Mutex<()> = Mutex::new(());

/// Millions of instructions, by lesson and implementation.
type Costs = BTreeMap<String, BTreeMap<String, u64>>;

#[derive(Deserialize)]
struct Figures {
    run_in_boots: f64,
    demos: Costs,
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_run_is_no_larger_part_of_a_boot_than_it_was() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    needs::ensure_needs(&[
        &Qemu::HOST,
        require_kernel(DEFAULT, Architecture::HOST).unwrap(),
    ])
    .unwrap();
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let machine =
        demo::describe_machine(&kernels::find_kernel(DEFAULT, Architecture::HOST).unwrap())
            .unwrap();
    if find_kvm_state(&machine.state, Architecture::HOST)
        .unwrap()
        .choose_accel()
        == Accel::Kvm
    {
        common::skip("a run as a part of a boot", "with KVM nothing is resumed");
        return;
    }
    let lessons = catalog::read_lessons().unwrap();
    let lesson = catalog::find_lesson(&lessons, "01").unwrap();
    let programs =
        demo::pack_programs(&[&build::build_lesson(lesson, Architecture::HOST).unwrap()]).unwrap();
    let script = Script::of_demo(lesson, &[Implementation::Aya], |_| true);
    let initramfs = bare_boot::pack_initramfs(Architecture::HOST).unwrap();

    let boot = || {
        testvm::time_shortest_vm(&machine, Accel::Tcg, &initramfs).unwrap();
    };
    let run = || {
        let mut started = testvm::start_guest(&machine, &programs).unwrap();
        assert_eq!(started.how, How::Resumed);
        started.guest.run_plan(&script.plan, |_| Ok(())).unwrap();
    };
    // The first makes the snapshot, if there is none.
    drop(testvm::start_guest(&machine, &programs).unwrap());
    let (boots, runs): (Vec<_>, Vec<_>) = (0..ROUNDS)
        .map(|_| (measure_cpu_time(boot), measure_cpu_time(run)))
        .unzip();
    let quickest = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    let now = quickest(&runs) / quickest(&boots);
    let limit = read_figures().run_in_boots * MARGIN;
    assert!(
        now <= limit,
        "run_in_boots = {now:.2}: {runs:.2?} of {boots:.2?} s"
    );
}

/// Seconds of CPU time of the VM that this starts and ends.
fn measure_cpu_time(work: impl FnOnce()) -> f64 {
    let before = cpu_time_of_children();
    work();
    cpu_time_of_children() - before
}

fn cpu_time_of_children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    times
        .map(|time| time.num_microseconds() as f64)
        .iter()
        .sum::<f64>()
        / 1e6
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn no_demo_costs_more_than_it_did() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let lessons = catalog::read_lessons().unwrap();
    let mut vm = TestVm::on(DEFAULT).with_machine(|machine| Machine {
        clock: VmClock::Instructions,
        ..machine
    });
    for lesson in &lessons {
        vm = vm.with_program(&build::build_lesson(lesson, Architecture::HOST).unwrap());
    }
    let mut guest = vm.start().guest;
    let mut costs = Costs::new();
    for lesson in &lessons {
        let of_lesson = Implementation::ALL.map(|implementation| {
            let cost = measure_demo(&mut guest, lesson, implementation);
            (implementation.to_string(), cost)
        });
        costs.insert(lesson.full_name(), BTreeMap::from(of_lesson));
    }
    let worse = compare_costs(&read_figures().demos, &costs);
    assert_eq!(worse, [""; 0], "measured now:\n{}", write_costs(&costs));
}

fn measure_demo(guest: &mut Guest, lesson: &Lesson, implementation: Implementation) -> u64 {
    let script = Script::of_demo(lesson, &[implementation], |place| {
        place == StepPlace::Kernel
    });
    let report = guest.run_plan(&script.plan, |_| Ok(())).unwrap();
    let mut nanoseconds = 0;
    for step in &report.steps {
        assert!(step.outcome.succeeded(), "{}: {step:?}", lesson.full_name());
        nanoseconds += step.duration.as_nanos();
    }
    u64::try_from(nanoseconds).unwrap() / NANOSECONDS / 1_000_000
}

fn read_figures() -> Figures {
    let file = workspace::workspace_root().join("xtask/tests/cost.toml");
    toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn write_costs(costs: &Costs) -> String {
    let mut text = String::new();
    for (lesson, figures) in costs {
        let figures: Vec<_> = figures
            .iter()
            .map(|(implementation, cost)| format!("{implementation} = {cost}"))
            .collect();
        writeln!(text, "{lesson} = {{ {} }}", figures.join(", ")).unwrap();
    }
    text
}

/// A line for each figure that is above its limit, or has none.
fn compare_costs(known: &Costs, now: &Costs) -> Vec<String> {
    let mut worse = Vec::new();
    for (lesson, figures) in now {
        for (implementation, &cost) in figures {
            let limit = known.get(lesson).and_then(|it| it.get(implementation));
            let is_within = limit.is_some_and(|limit| cost as f64 <= *limit as f64 * MARGIN);
            if !is_within {
                worse.push(format!(
                    "{lesson} with {implementation}: {cost}, was {limit:?}"
                ));
            }
        }
    }
    worse
}

#[test]
fn what_is_worse_than_the_margin_is_named() {
    let of = |cost| {
        let figures = BTreeMap::from([("aya".to_owned(), cost)]);
        Costs::from([("01-hello-kprobe".to_owned(), figures)])
    };
    assert_eq!(compare_costs(&of(100), &of(125)), [""; 0]);
    assert_eq!(
        compare_costs(&of(100), &of(126)),
        ["01-hello-kprobe with aya: 126, was Some(100)"]
    );
    assert_eq!(compare_costs(&Costs::new(), &of(1)).len(), 1);
}
