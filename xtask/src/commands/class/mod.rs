//! `class`: the scores of a class, from the files that `check --all --json` wrote, as one table.
//!
//! ```text
//!   score      one learner's file
//!   names      what the learners are called
//!   overview   who is done with what, and which check stops most people
//!   table      the same for people
//! ```

mod names;
mod overview;
mod score;
mod table;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use course::exercises;
use problem::{Exit, Problem};

use crate::commands::class::overview::{BrokenFile, ClassOverview, LearnerScore};
use crate::output::screen::{self, Mark};

/// The files to read.
pub struct ClassOptions {
    pub files: Vec<PathBuf>,
    pub json: bool,
}

pub fn show_class(options: &ClassOptions) -> Result<Exit> {
    let (scores, broken) = read_scores(&options.files);
    if scores.is_empty() {
        return Err(no_score(&broken).into());
    }
    let overview = ClassOverview::new(&scores, broken, &exercises::read_exercises()?);
    let answer = if options.json {
        serde_json::to_string_pretty(&overview)? + "\n"
    } else {
        table::format_overview(&overview)
    };
    screen::write_verdict(&answer)?;
    if overview.broken.is_empty() {
        return Ok(Exit::Done);
    }
    let (broken, all) = (overview.broken.len(), options.files.len());
    screen::show_marked(Mark::Bad, &format!("not read: {broken} of {all} files"));
    screen::show_note(&format!("  again: {MAKE}"));
    Ok(Exit::NotYet)
}

/// What a learner types; `class --help` says the same.
const MAKE: &str = "cargo xtask check --all --json > NAME.json    (on each learner's machine)";

/// Those that can be read, and why others cannot: a class is shown although one file is broken.
fn read_scores(files: &[PathBuf]) -> (Vec<LearnerScore>, Vec<BrokenFile>) {
    let (mut scores, mut broken) = (Vec::new(), Vec::new());
    let mut first_files: BTreeMap<OsString, String> = BTreeMap::new();
    for (path, name) in files.iter().zip(names::name_learners(files)) {
        let file = path.display().to_string();
        let learner = name.to_string_lossy().into_owned();
        let score = match first_files.get(&name) {
            Some(first) => Err(format!(
                "it is a second file of {learner}, after {first}: give one of them another name"
            )),
            None => score::read_score(path),
        };
        match score {
            Ok(answers) => {
                first_files.insert(name, file.clone());
                scores.push(LearnerScore {
                    learner,
                    file,
                    answers,
                });
            }
            Err(why) => broken.push(BrokenFile { file, why }),
        }
    }
    (scores, broken)
}

fn no_score(broken: &[BrokenFile]) -> Problem {
    let problem = match broken {
        [] => Problem::usage("class needs the scores of the learners, a file each"),
        [BrokenFile { file, why }] => Problem::usage(format!("{file} holds no score: {why}")),
        [BrokenFile { file, why }, others @ ..] => Problem::usage(format!(
            "none of the {} files holds a score; {file}: {why}",
            others.len() + 1
        )),
    };
    problem.help(MAKE).help("then: cargo xtask class *.json")
}

#[cfg(test)]
pub fn json_sample() -> Result<String> {
    Ok(serde_json::to_string(&overview::tests::sample()?)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_that_hold_no_score_are_told_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let good = crate::commands::check::json_sample().unwrap();
        let files = [
            write("kim.json", good.as_bytes()),
            write("with-mark.json", format!("\u{feff}{good}").as_bytes()),
            write("empty.json", b"\n"),
            write("text.json", b"error: cannot"),
            write("list.json", br#"{"number": "01"}"#),
            write("later.json", good.replacen("1", "2", 1).as_bytes()),
            write("cut.json", &good.as_bytes()[..good.len() / 2]),
            write(
                "none.json",
                br#"{"version": 1, "passed": 0, "of": 0, "exercises": []}"#,
            ),
            write("shell.json", b"\xff\xfe{\0"),
            write("kim.txt", good.as_bytes()),
            directory.path().to_owned(),
            directory.path().join("nobody.json"),
        ];
        let (scores, broken) = read_scores(&files);
        let learners: Vec<_> = scores.iter().map(|it| it.learner.as_str()).collect();
        assert_eq!(learners, ["kim", "with-mark"]);
        let place = directory.path().display().to_string();
        let told: Vec<String> = broken
            .iter()
            .map(|it| format!("{}: {}\n", it.file, it.why).replace(&place, "CLASS"))
            .collect();
        insta::assert_snapshot!(told.concat());
        for some in [&broken[..0], &broken[..1], &broken[..]] {
            assert_eq!(no_score(some).exit(), Exit::Usage);
        }
    }
}
