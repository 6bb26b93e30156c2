//! What runs must not become slower: instructions that the guest executes, which are the same on
//! every machine. Times are not compared.
//!
//! `cost.toml` has the figures. To accept others, write those there that the failed test shows.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use checkout::workspace;
use common::test_vm::TestVm;
use course::Implementation;
use course::catalog::{self, Lesson, StepPlace};
use kernel::DEFAULT;
use testvm::{Guest, Machine, NANOSECONDS, VmClock};
use xtask::pipeline::demo::Script;
use xtask::pipeline::{build, needs};

/// A figure may be this much worse: timer interrupts, and the order in which processes run, differ
/// from run to run, by a tenth where a demo waits for the kernel.
const MARGIN: f64 = 1.25;

/// Millions of instructions, by lesson and implementation.
type Costs = BTreeMap<String, BTreeMap<String, u64>>;

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn no_demo_costs_more_than_it_did() {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let lessons = catalog::read_lessons().unwrap();
    let mut vm = TestVm::on(DEFAULT).with_machine(|machine| Machine {
        clock: VmClock::Instructions,
        ..machine
    });
    for lesson in &lessons {
        vm = vm.with_program(&build::build_lesson(lesson).unwrap());
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
    let worse = compare_costs(&read_costs(), &costs);
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

fn read_costs() -> Costs {
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
