//! How far a guest is with a plan, by what it says.

use std::time::Duration;

use plan::{News, Observed, Plan, Step, Token};

use crate::plan_report::{PlanReport, StepReport};

/// Bytes that a step may print beyond its limit: a guest looks at what was printed from time to
/// time, and what is in the pipes then still comes.
const OVERRUN: u64 = 16 << 20;

/// A guest may run anything, so what it says is not taken on trust: it tells of the plan's steps,
/// of each once and in their order, and of all of them before it has finished. Otherwise a plan of
/// which nothing ran would look like one in which nothing failed.
pub struct PlanProgress<'plan> {
    plan: &'plan Plan,
    token: Token,
    report: PlanReport,
    /// Of the running step, the bytes that it printed. `None`: no step runs.
    printed: Option<u64>,
    observed: Option<Result<Observed, String>>,
}

/// What news of a plan comes to.
#[derive(Debug)]
pub enum PlanTurn {
    /// The step with this index runs.
    Started(usize),
    /// The step with this index has ended, and the report has it.
    Ended(usize),
    /// The running step can take more of its input.
    WantsInput,
    Finished,
    /// The report has it.
    Noted,
}

impl<'plan> PlanProgress<'plan> {
    pub fn new(plan: &'plan Plan, token: Token) -> Self {
        Self {
            plan,
            token,
            report: PlanReport::default(),
            printed: None,
            observed: None,
        }
    }

    /// # Errors
    /// Returns what is wrong with news that no honest guest has.
    pub fn take_news(&mut self, news: News) -> Result<PlanTurn, String> {
        let next = self.report.steps.len();
        match (news, self.running_step()) {
            (News::Ended { token, .. } | News::Finished(token), _) if token != self.token => {
                Err("something in the guest made a result up".to_owned())
            }
            (News::Started(index), None) if index == next && next < self.plan.steps.len() => {
                self.printed = Some(0);
                Ok(PlanTurn::Started(index))
            }
            (News::Observed(observed), Some(step)) if step.observe => {
                self.observed = Some(observed);
                Ok(PlanTurn::Noted)
            }
            (News::WantsInput, Some(step)) if takes_input(step) => Ok(PlanTurn::WantsInput),
            (
                News::Ended {
                    step,
                    outcome,
                    micros,
                    ..
                },
                Some(_),
            ) if step == next => {
                self.printed = None;
                self.report.steps.push(StepReport {
                    outcome,
                    duration: Duration::from_micros(micros),
                    observed: self.observed.take(),
                });
                Ok(PlanTurn::Ended(step))
            }
            (News::KernelComplained(lines), None) if self.has_run_all() => {
                self.report.complaints = lines;
                Ok(PlanTurn::Noted)
            }
            (News::LeftBehind(things), None) if self.has_run_all() => {
                self.report.left_behind = things;
                Ok(PlanTurn::Noted)
            }
            (News::Finished(_), None) if self.has_run_all() => Ok(PlanTurn::Finished),
            (news, _) => Err(format!(
                "the guest said {} out of turn",
                describe_news(&news)
            )),
        }
    }

    /// Takes note of what the running step printed.
    ///
    /// # Errors
    /// Returns what is wrong with output that no honest guest passes on.
    pub fn count_output(&mut self, bytes: usize) -> Result<(), String> {
        let limit = self.running_step().and_then(|step| step.output_limit);
        let Some(printed) = &mut self.printed else {
            return Err("the guest passed on output, and no step runs".to_owned());
        };
        *printed = printed.saturating_add(bytes as u64);
        match limit {
            Some(limit) if *printed > limit.saturating_add(OVERRUN) => Err(format!(
                "the guest passed on {printed} bytes of a step that may print {limit}"
            )),
            _ => Ok(()),
        }
    }

    pub fn report(&self) -> &PlanReport {
        &self.report
    }

    pub fn into_report(self) -> PlanReport {
        self.report
    }

    fn running_step(&self) -> Option<&'plan Step> {
        self.printed?;
        self.plan.steps.get(self.report.steps.len())
    }

    fn has_run_all(&self) -> bool {
        self.report.steps.len() == self.plan.steps.len()
    }
}

fn takes_input(step: &Step) -> bool {
    step.terminal.is_none() && step.surroundings.as_ref().is_some_and(|it| it.input)
}

/// In a few words: the texts in it may be long.
pub fn describe_news(news: &News) -> String {
    const LONGEST: usize = 200;
    let text = format!("{news:?}");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use plan::{Outcome, Surroundings};

    use super::*;

    const TOKEN: Token = 7;

    fn step(seconds: u64) -> Step {
        Step {
            program: "/bin/true".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            seconds: Some(seconds),
            output_limit: Some(100),
            terminal: None,
            observe: false,
            surroundings: None,
        }
    }

    fn plan() -> Plan {
        Plan {
            steps: vec![step(1), step(2)],
        }
    }

    fn ended(step: usize) -> News {
        News::Ended {
            step,
            outcome: Outcome::Exited(0),
            micros: 1,
            token: TOKEN,
        }
    }

    fn honest() -> Vec<News> {
        let left = News::LeftBehind(vec!["a map".to_owned()]);
        let first = [News::Started(0), ended(0), News::Started(1), ended(1)];
        first
            .into_iter()
            .chain([left, News::Finished(TOKEN)])
            .collect()
    }

    /// The first thing that is wrong with what a guest says.
    fn fault_in(plan: &Plan, news: Vec<News>) -> Option<String> {
        let mut progress = PlanProgress::new(plan, TOKEN);
        news.into_iter()
            .find_map(|news| progress.take_news(news).err())
    }

    #[test]
    fn an_honest_guest_is_believed() {
        let plan = plan();
        let mut progress = PlanProgress::new(&plan, TOKEN);
        for news in honest() {
            progress.take_news(news).unwrap();
        }
        let report = progress.into_report();
        assert_eq!((report.steps.len(), report.left_behind.len()), (2, 1));
    }

    #[test]
    fn what_is_left_out_or_said_twice_is_noticed() {
        let plan = plan();
        // The last two only say what else there is to say.
        for number in 0..4 {
            let mut news = honest();
            news.remove(number);
            assert!(fault_in(&plan, news).is_some(), "without {number}");
            let mut news = honest();
            news.insert(number, news[number].clone());
            assert!(fault_in(&plan, news).is_some(), "{number} twice");
        }
        let nothing_ran = fault_in(&plan, vec![News::Finished(TOKEN)]);
        let out_of_turn = "the guest said Finished(7) out of turn";
        assert_eq!(nothing_ran.unwrap(), out_of_turn);
    }

    #[test]
    fn results_of_another_plan_are_not_believed() {
        let plan = plan();
        let mut news = honest();
        *news.last_mut().unwrap() = News::Finished(TOKEN + 1);
        assert!(fault_in(&plan, news).unwrap().contains("made a result up"));
        let mut news = honest();
        news[1] = News::Ended {
            step: 0,
            outcome: Outcome::Exited(0),
            micros: 1,
            token: TOKEN + 1,
        };
        assert!(fault_in(&plan, news).unwrap().contains("made a result up"));
    }

    #[test]
    fn steps_that_no_plan_has_are_not_believed() {
        let plan = plan();
        for index in [1, 2, usize::MAX] {
            assert!(fault_in(&plan, vec![News::Started(index)]).is_some());
            assert!(fault_in(&plan, vec![News::Started(0), ended(index)]).is_some());
        }
        let more = [News::Started(2), ended(2)];
        let mut news = honest();
        news.splice(5.., more);
        assert!(fault_in(&plan, news).is_some());
    }

    #[test]
    fn only_what_was_asked_for_is_told() {
        let observed = News::Observed(Ok(Observed::default()));
        for told in [observed, News::WantsInput, News::Unpacked] {
            let (news, mut plan) = (vec![News::Started(0), told.clone()], plan());
            assert!(fault_in(&plan, news.clone()).is_some(), "{told:?}");
            plan.steps[0].observe = true;
            plan.steps[0].surroundings = Some(Surroundings {
                directory: "/".to_owned(),
                input: true,
            });
            let is_wrong = fault_in(&plan, news).is_some();
            assert_eq!(is_wrong, told == News::Unpacked, "{told:?}");
        }
    }

    #[test]
    fn a_flood_has_an_end() {
        let plan = plan();
        let mut progress = PlanProgress::new(&plan, TOKEN);
        assert!(progress.count_output(1).is_err(), "no step runs");
        progress.take_news(News::Started(0)).unwrap();
        progress.count_output(100 + OVERRUN as usize).unwrap();
        assert!(progress.count_output(1).is_err());
    }

    #[test]
    fn news_are_told_in_few_words() {
        let long = News::LeftBehind(vec!["é".repeat(100_000)]);
        let fault = fault_in(&plan(), vec![long]).unwrap();
        assert!(fault.chars().count() < 300, "{fault}");
    }
}
