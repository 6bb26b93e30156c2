//! How one implementation did on one kernel, and the table of them that `--kernel all` ends with.

use std::time::Duration;

use course::Implementation;
use kernel::{Architecture, Kernel};
use plan::Outcome;
use problem::Exit;
use testvm::Death;

use crate::output::screen::format_seconds;

#[derive(Clone, Debug)]
pub struct Row {
    pub kernel: String,
    pub architecture: Architecture,
    pub implementation: Implementation,
    /// Until the VM was ready.
    pub ready: Duration,
    pub lesson: Duration,
    /// `None`: it did what it should.
    pub failure: Option<Failed>,
}

/// What went wrong, and whose fault it is.
#[derive(Clone, Debug)]
pub struct Failed {
    pub why: String,
    pub exit: Exit,
}

impl Failed {
    /// A QEMU that was ended from outside is not the program's fault.
    pub fn of_death(death: &Death) -> Self {
        let exit = match death.qemu_failed {
            Some(_) => Exit::MachineNotReady,
            None => Exit::NotYet,
        };
        Self {
            why: death.to_string(),
            exit,
        }
    }
}

impl Row {
    pub fn new(kernel: &Kernel, implementation: Implementation, ready: Duration) -> Self {
        Self {
            kernel: kernel.name.clone(),
            architecture: kernel.architecture,
            implementation,
            ready,
            lesson: Duration::ZERO,
            failure: None,
        }
    }

    /// Its kernel, as people say it.
    pub fn label(&self) -> String {
        self.architecture.label(&self.kernel)
    }

    /// The first failure counts: the ones after it may follow from it.
    pub fn record_failure(&mut self, why: impl Into<String>, exit: Exit) {
        self.failure.get_or_insert_with(|| Failed {
            why: why.into(),
            exit,
        });
    }

    /// Takes the end of one step into account.
    pub fn step_ended(&mut self, outcome: &Outcome, took: Duration) {
        self.lesson += took;
        match outcome {
            Outcome::Exited(0) => {}
            // By this a lesson's program says that its kernel is missing something.
            Outcome::Exited(3) => self.record_failure(
                "this kernel cannot run it; see above",
                Exit::MachineNotReady,
            ),
            Outcome::Exited(code) => {
                self.record_failure(format!("it ended with exit status {code}"), Exit::NotYet)
            }
            Outcome::Killed(signal) => {
                self.record_failure(format!("signal {signal} ended it"), Exit::NotYet)
            }
            Outcome::TimedOut => {
                self.record_failure("it was ended at its time limit", Exit::NotYet)
            }
            Outcome::Flooded => {
                self.record_failure("it was ended because it printed too much", Exit::NotYet)
            }
            Outcome::NotStarted(why) => self.record_failure(why.clone(), Exit::NotYet),
        }
    }
}

/// The worst of all: no before not ready before done.
pub fn worst_exit<'a>(failures: impl IntoIterator<Item = &'a Failed>) -> Exit {
    let mut worst = Exit::Done;
    for failed in failures {
        if worst != Exit::NotYet {
            worst = failed.exit;
        }
    }
    worst
}

pub fn format_table(rows: &[Row]) -> String {
    let labels = rows.iter().map(|row| row.label().len());
    let width = labels.max().unwrap_or_default().max("kernel ".len());
    let mut table = format!("\n{:<width$} impl    result  VM     lesson\n", "kernel");
    for row in rows {
        let result = if row.failure.is_none() {
            "ok"
        } else {
            "FAILED"
        };
        let (ready, lesson) = (format_seconds(row.ready), format_seconds(row.lesson));
        table += &format!(
            "{:<width$} {:<7} {result:<7} {ready:<6} {lesson}\n",
            row.label(),
            row.implementation
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcomes: &[Outcome]) -> Row {
        let mut row = Row {
            kernel: "6.12".to_owned(),
            architecture: Architecture::HOST,
            implementation: Implementation::Aya,
            ready: Duration::from_millis(2100),
            lesson: Duration::ZERO,
            failure: None,
        };
        outcomes
            .iter()
            .for_each(|outcome| row.step_ended(outcome, Duration::from_millis(300)));
        row
    }

    fn worst_exit_of(rows: &[Row]) -> Exit {
        worst_exit(rows.iter().filter_map(|row| row.failure.as_ref()))
    }

    #[test]
    fn a_lessons_own_no_outweighs_a_kernel_that_lacks_something() {
        let (good, lacking, wrong) = (
            row(&[Outcome::Exited(0)]),
            row(&[Outcome::Exited(3)]),
            row(&[Outcome::TimedOut]),
        );
        assert_eq!(worst_exit_of(std::slice::from_ref(&good)), Exit::Done);
        assert_eq!(
            worst_exit_of(&[good.clone(), lacking.clone()]),
            Exit::MachineNotReady
        );
        assert_eq!(worst_exit_of(&[good, lacking, wrong]), Exit::NotYet);
    }

    #[test]
    fn the_table_shows_every_row() {
        let rows = [
            row(&[Outcome::Exited(0)]),
            row(&[Outcome::Exited(0), Outcome::Exited(1)]),
        ];
        insta::assert_snapshot!(format_table(&rows));
    }

    #[test]
    fn another_architecture_has_its_name() {
        let mut there = row(&[Outcome::Exited(0)]);
        let mut others = Architecture::ALL.into_iter();
        there.architecture = others.find(|it| *it != Architecture::HOST).unwrap();
        let name = there.architecture.name();
        let label = format!("6.12 {name}");
        assert_eq!(there.label(), label);
        let table = format_table(&[row(&[Outcome::Exited(0)]), there]);
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert!(lines[0].starts_with("6.12       aya"), "{table}");
        assert!(lines[1].starts_with(&format!("{label} aya")), "{table}");
    }

    #[test]
    fn the_first_failure_is_told() {
        let failed = row(&[Outcome::Killed(9), Outcome::Exited(1)])
            .failure
            .unwrap();
        assert_eq!(failed.why, "signal 9 ended it");
    }
}
