//! How one implementation did on one kernel, and the table of them that `--kernel all` ends with.

use std::time::Duration;

use course::Implementation;
use plan::Outcome;
use problem::Exit;

use crate::output::screen::seconds;

#[derive(Clone, Debug)]
pub struct Row {
    pub kernel: String,
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

impl Row {
    pub fn new(kernel: &str, implementation: Implementation, ready: Duration) -> Self {
        Self {
            kernel: kernel.to_owned(),
            implementation,
            ready,
            lesson: Duration::ZERO,
            failure: None,
        }
    }

    /// The first failure counts: the ones after it may follow from it.
    pub fn fail(&mut self, why: impl Into<String>, exit: Exit) {
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
            // By this a lesson's program says that its kernel lacks something.
            Outcome::Exited(3) => self.fail(
                "this kernel cannot run it; see above",
                Exit::MachineNotReady,
            ),
            Outcome::Exited(code) => {
                self.fail(format!("it ended with exit status {code}"), Exit::NotYet)
            }
            Outcome::Killed(signal) => self.fail(format!("signal {signal} ended it"), Exit::NotYet),
            Outcome::TimedOut => self.fail("it was ended at its time limit", Exit::NotYet),
            Outcome::Flooded => self.fail("it was ended because it printed too much", Exit::NotYet),
            Outcome::NotStarted(why) => self.fail(why.clone(), Exit::NotYet),
        }
    }
}

/// The worst of all: no before not ready before done.
pub fn exit(rows: &[Row]) -> Exit {
    let of = |wanted: Exit| {
        rows.iter()
            .filter_map(|row| row.failure.as_ref())
            .any(|failed| failed.exit == wanted)
    };
    if of(Exit::NotYet) {
        Exit::NotYet
    } else if of(Exit::MachineNotReady) {
        Exit::MachineNotReady
    } else {
        Exit::Done
    }
}

pub fn table(rows: &[Row]) -> String {
    let mut table = String::from("\nkernel  impl    result  VM     lesson\n");
    for row in rows {
        let result = if row.failure.is_none() {
            "ok"
        } else {
            "FAILED"
        };
        let (ready, lesson) = (seconds(row.ready), seconds(row.lesson));
        table += &format!(
            "{:<7} {:<7} {result:<7} {ready:<6} {lesson}\n",
            row.kernel, row.implementation
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcomes: &[Outcome]) -> Row {
        let mut row = Row::new("6.12", Implementation::Aya, Duration::from_millis(2100));
        outcomes
            .iter()
            .for_each(|outcome| row.step_ended(outcome, Duration::from_millis(300)));
        row
    }

    #[test]
    fn a_lessons_own_no_outweighs_a_kernel_that_lacks_something() {
        let (good, lacking, wrong) = (
            row(&[Outcome::Exited(0)]),
            row(&[Outcome::Exited(3)]),
            row(&[Outcome::TimedOut]),
        );
        assert_eq!(exit(std::slice::from_ref(&good)), Exit::Done);
        assert_eq!(
            exit(&[good.clone(), lacking.clone()]),
            Exit::MachineNotReady
        );
        assert_eq!(exit(&[good, lacking, wrong]), Exit::NotYet);
    }

    #[test]
    fn the_table_shows_every_row() {
        let rows = [
            row(&[Outcome::Exited(0)]),
            row(&[Outcome::Exited(0), Outcome::Exited(1)]),
        ];
        insta::assert_snapshot!(table(&rows));
    }

    #[test]
    fn the_first_failure_is_told() {
        let failed = row(&[Outcome::Killed(9), Outcome::Exited(1)])
            .failure
            .unwrap();
        assert_eq!(failed.why, "signal 9 ended it");
    }
}
