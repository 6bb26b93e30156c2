//! A class: who is done with what, and which check stops most people. `class --help` tells the
//! fields of its JSON.

use std::cmp::Reverse;

use course::exercises::Exercise;
use serde::Serialize;

use crate::commands::class::score::AnswerScore;

/// What a learner's file holds.
pub struct LearnerScore {
    pub learner: String,
    pub file: String,
    pub answers: Vec<AnswerScore>,
}

#[derive(Serialize)]
pub struct ClassOverview {
    pub version: u32,
    pub learners: Vec<LearnerRow>,
    pub exercises: Vec<ExerciseRow>,
    /// That which stops most people comes first.
    pub checks: Vec<CheckRow>,
    pub broken: Vec<BrokenFile>,
}

#[derive(Serialize)]
pub struct LearnerRow {
    pub learner: String,
    pub file: String,
    pub done: usize,
    pub of: usize,
    pub lessons: Vec<LessonCount>,
    /// Exercises that others have, and this file has not.
    pub not_checked: Vec<String>,
}

#[derive(Serialize)]
pub struct LessonCount {
    pub lesson: String,
    pub done: usize,
    pub of: usize,
}

#[derive(Serialize)]
pub struct ExerciseRow {
    pub exercise: String,
    pub done_by: Vec<String>,
    pub pending: Vec<String>,
}

/// A check at which answers stop.
#[derive(Serialize)]
pub struct CheckRow {
    pub exercise: String,
    pub check: String,
    pub learners: Vec<String>,
    /// So many of them fail as the starter does.
    pub as_starter: usize,
    /// An example: whose, and the reason.
    pub example: StopExample,
}

#[derive(Serialize)]
pub struct StopExample {
    pub learner: String,
    pub why: String,
}

#[derive(Serialize)]
pub struct BrokenFile {
    pub file: String,
    pub why: String,
}

impl ClassOverview {
    pub fn new(scores: &[LearnerScore], broken: Vec<BrokenFile>, course: &[Exercise]) -> Self {
        let exercises = exercises_of(scores);
        Self {
            version: 1,
            learners: scores
                .iter()
                .map(|score| LearnerRow::new(score, &exercises))
                .collect(),
            exercises: exercises
                .iter()
                .map(|exercise| ExerciseRow::new(exercise, scores))
                .collect(),
            checks: checks_of(scores, &exercises, course),
            broken,
        }
    }
}

/// The lesson of an exercise: `03` of `03/count-by-comm`.
fn lesson_of(exercise: &str) -> &str {
    exercise
        .split_once('/')
        .map_or(exercise, |(lesson, _)| lesson)
}

/// All that anybody has, in the order of the course: a file has them in that order.
fn exercises_of(scores: &[LearnerScore]) -> Vec<&str> {
    let mut exercises: Vec<&str> = Vec::new();
    for answer in scores.iter().flat_map(|score| &score.answers) {
        if !exercises.contains(&answer.exercise.as_str()) {
            exercises.push(&answer.exercise);
        }
    }
    exercises.sort_by_key(|exercise| lesson_of(exercise));
    exercises
}

impl LearnerScore {
    fn answers_to(&self, exercise: &str) -> impl Iterator<Item = &AnswerScore> {
        self.answers
            .iter()
            .filter(move |it| it.exercise == exercise)
    }

    /// On each kernel that it was checked on.
    fn is_done(&self, exercise: &str) -> bool {
        let mut answers = self.answers_to(exercise).peekable();
        answers.peek().is_some() && answers.all(|answer| answer.passed)
    }
}

impl LearnerRow {
    fn new(score: &LearnerScore, exercises: &[&str]) -> Self {
        let count = |exercises: &[&str]| exercises.iter().filter(|it| score.is_done(it)).count();
        let of_lessons = exercises.chunk_by(|one, other| lesson_of(one) == lesson_of(other));
        let is_missing = |exercise: &&&str| score.answers_to(exercise).next().is_none();
        let missing = exercises.iter().filter(is_missing);
        Self {
            learner: score.learner.clone(),
            file: score.file.clone(),
            done: count(exercises),
            of: exercises.len(),
            lessons: of_lessons
                .map(|exercises| LessonCount {
                    lesson: lesson_of(exercises[0]).to_owned(),
                    done: count(exercises),
                    of: exercises.len(),
                })
                .collect(),
            not_checked: missing.map(|it| (*it).to_owned()).collect(),
        }
    }
}

impl ExerciseRow {
    fn new(exercise: &str, scores: &[LearnerScore]) -> Self {
        let (done, pending): (Vec<_>, Vec<_>) =
            scores.iter().partition(|score| score.is_done(exercise));
        let names = |scores: Vec<&LearnerScore>| {
            scores
                .into_iter()
                .map(|score| score.learner.clone())
                .collect()
        };
        Self {
            exercise: exercise.to_owned(),
            done_by: names(done),
            pending: names(pending),
        }
    }
}

/// An answer that stops at a check.
struct Stopped<'a> {
    learner: &'a str,
    answer: &'a AnswerScore,
    as_starter: bool,
}

fn checks_of(scores: &[LearnerScore], exercises: &[&str], course: &[Exercise]) -> Vec<CheckRow> {
    let mut rows = Vec::new();
    for exercise in exercises {
        let mut stopped: Vec<(&str, Vec<Stopped<'_>>)> = Vec::new();
        for score in scores {
            let failed = score.answers_to(exercise).find(|answer| !answer.passed);
            let Some((answer, check)) = failed.and_then(|it| Some((it, it.stopped_at()?))) else {
                continue;
            };
            let one = Stopped {
                learner: &score.learner,
                answer,
                as_starter: answer.fails_as_starter(course),
            };
            match stopped.iter_mut().find(|(name, _)| *name == check.check) {
                Some((_, others)) => others.push(one),
                None => stopped.push((&check.check, vec![one])),
            }
        }
        let of_exercise = stopped.iter();
        rows.extend(of_exercise.filter_map(|(check, at)| CheckRow::new(exercise, check, at)));
    }
    rows.sort_by_key(|row| (Reverse(row.stuck()), Reverse(row.learners.len())));
    rows
}

impl CheckRow {
    fn new(exercise: &str, check: &str, stopped: &[Stopped<'_>]) -> Option<Self> {
        // Whoever wrote something is the better example.
        let example = stopped.iter().min_by_key(|it| it.as_starter)?;
        let names = stopped.iter().map(|it| it.learner.to_owned());
        Some(Self {
            exercise: exercise.to_owned(),
            check: check.to_owned(),
            learners: names.collect(),
            as_starter: stopped.iter().filter(|it| it.as_starter).count(),
            example: StopExample {
                learner: example.learner.to_owned(),
                why: example.answer.stopped_at()?.reason(),
            },
        })
    }

    /// How many have begun, and come no further.
    pub fn stuck(&self) -> usize {
        self.learners.len() - self.as_starter
    }
}

#[cfg(test)]
pub mod tests {
    use anyhow::Result;
    use course::exercises::read_exercises;

    use super::*;

    fn score(learner: &str, answers: &str) -> Result<LearnerScore> {
        let file = tempfile::NamedTempFile::new()?;
        let text = format!(r#"{{"version": 1, "exercises": [{answers}]}}"#);
        std::fs::write(file.path(), text)?;
        let answers = super::super::score::read_score(file.path()).map_err(anyhow::Error::msg)?;
        Ok(LearnerScore {
            learner: learner.to_owned(),
            file: format!("{learner}.json"),
            answers,
        })
    }

    fn right(exercise: &str) -> String {
        format!(
            r#"{{"exercise": "{exercise}", "implementation": "aya", "passed": true, "checks": []}}"#
        )
    }

    fn wrong(exercise: &str, check: &str, why: &str) -> String {
        format!(
            r#"{{"exercise": "{exercise}", "implementation": "aya", "passed": false, "checks": [
                {{"check": "builds", "verdict": "passed", "why": null, "log": null}},
                {{"check": "{check}", "verdict": "failed", "why": "{why}", "log": null}},
                {{"check": "more", "verdict": "not run", "why": null, "log": null}}]}}"#
        )
    }

    const FIRST: &str = "00/decode-instruction";
    const SECOND: &str = "00/run-program";
    const LATER: &str = "03/count-by-comm";

    const SIGN: &str = "reads the offset with its sign";
    const COMPARES: &str = "compares with and without sign";

    pub fn sample() -> Result<ClassOverview> {
        let starter = wrong(SECOND, "jumps over instructions", "unknown operation 0x05");
        let offset = "the answer says off=65535, and should say off=-1";
        let compares = wrong(SECOND, COMPARES, "it should return 1, and returned 0");
        let counts = "ls was executed 8 times, and COUNTS says 1";
        let later = wrong(LATER, "counts the executions of one program", counts);
        let scores = [
            score(
                "alice",
                &[right(FIRST), right(SECOND), right(LATER)].join(","),
            )?,
            score("김민수", &[right(FIRST), starter.clone(), later].join(","))?,
            score(
                "bob",
                &[wrong(FIRST, SIGN, offset), starter, right(LATER)].join(","),
            )?,
            score("eve", &[wrong(FIRST, SIGN, offset), compares].join(","))?,
        ];
        let broken = vec![BrokenFile {
            file: "dan.json".to_owned(),
            why: "it is empty: the check did not come to its end".to_owned(),
        }];
        Ok(ClassOverview::new(&scores, broken, &read_exercises()?))
    }

    #[test]
    fn what_is_missing_counts_as_not_done() {
        let overview = sample().unwrap();
        let counts: Vec<_> = overview
            .learners
            .iter()
            .map(|it| (it.done, it.of))
            .collect();
        assert_eq!(counts, [(3, 3), (1, 3), (1, 3), (0, 3)]);
        assert_eq!(overview.learners[3].not_checked, [LATER]);
        let lessons = &overview.learners[0].lessons;
        let lessons: Vec<_> = lessons
            .iter()
            .map(|it| (&*it.lesson, it.done, it.of))
            .collect();
        assert_eq!(lessons, [("00", 2, 2), ("03", 1, 1)]);
        assert_eq!(overview.exercises[2].done_by, ["alice", "bob"]);
        assert_eq!(overview.exercises[2].pending, ["김민수", "eve"]);
    }

    /// Two left the starter as it is, which stops nobody; the check that two wrote something for
    /// comes first.
    #[test]
    fn who_has_not_begun_is_not_stopped() {
        let overview = sample().unwrap();
        let rows: Vec<_> = overview
            .checks
            .iter()
            .map(|row| {
                (
                    &*row.exercise,
                    &*row.check,
                    row.learners.len(),
                    row.as_starter,
                )
            })
            .collect();
        let expected = [
            (FIRST, SIGN, 2, 0),
            (SECOND, COMPARES, 1, 0),
            (LATER, "counts the executions of one program", 1, 0),
            (SECOND, "jumps over instructions", 2, 2),
        ];
        assert_eq!(rows, expected);
        assert_eq!(overview.checks[0].example.learner, "bob");
        assert!(
            overview.checks[0]
                .example
                .why
                .ends_with("should say off=-1")
        );
    }

    #[test]
    fn an_answer_counts_if_it_is_right_on_each_kernel() {
        let on_two = [right(LATER), wrong(LATER, "counts", "0")].join(",");
        let overview = ClassOverview::new(&[score("eve", &on_two).unwrap()], Vec::new(), &[]);
        assert_eq!((overview.learners[0].done, overview.learners[0].of), (0, 1));
        assert_eq!(overview.checks[0].check, "counts");
    }
}
