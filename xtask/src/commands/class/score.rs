//! One learner's score: what `check --all --json` printed.

use std::fs;
use std::path::Path;

use course::Implementation;
use course::exercises::Exercise;
use serde::Deserialize;
use serde_json::Value;

/// The version of the format that is read here.
const VERSION: u64 = 1;

/// One answer on one kernel.
#[derive(Deserialize)]
pub struct AnswerScore {
    pub exercise: String,
    pub implementation: Implementation,
    pub passed: bool,
    pub checks: Vec<CheckScore>,
}

#[derive(Deserialize)]
pub struct CheckScore {
    pub check: String,
    verdict: String,
    why: Option<String>,
    log: Option<String>,
}

#[derive(Deserialize)]
struct WholeScore {
    exercises: Vec<AnswerScore>,
}

/// The answers in this file, or why it holds none.
pub fn read_score(path: &Path) -> Result<Vec<AnswerScore>, String> {
    if path.is_dir() {
        return Err("it is a directory; name the files in it, as in scores/*.json".to_owned());
    }
    let bytes = fs::read(path).map_err(|error| format!("cannot read it: {error}"))?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it is UTF-16, as PowerShell writes it: run the check in a Linux shell".into());
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if text.trim_ascii().is_empty() {
        return Err("it is empty: the check did not come to its end".into());
    }
    let value: Value =
        serde_json::from_slice(text).map_err(|error| format!("it is not JSON: {error}"))?;
    match value.get("version").map(Value::as_u64) {
        Some(Some(VERSION)) => {}
        Some(_) => {
            let version = &value["version"];
            return Err(format!(
                "its version is {version}, and this checkout reads version {VERSION}"
            ));
        }
        None => return Err("it is JSON, but not of cargo xtask check".into()),
    }
    let score: WholeScore = serde_json::from_value(value)
        .map_err(|error| format!("it is JSON, but not of cargo xtask check: {error}"))?;
    if score.exercises.is_empty() {
        return Err("it has no answers".into());
    }
    Ok(score.exercises)
}

impl AnswerScore {
    /// The check at which it stops.
    pub fn stopped_at(&self) -> Option<&CheckScore> {
        self.checks.iter().find(|check| check.verdict != "passed")
    }

    /// Whether it fails as the starter does: perhaps nobody has begun it.
    pub fn fails_as_starter(&self, exercises: &[Exercise]) -> bool {
        let exercise = exercises.iter().find(|it| it.name == self.exercise);
        let starter = exercise.and_then(|it| it.about.starter.get(&self.implementation));
        let (Some(starter), Some(check)) = (starter, self.stopped_at()) else {
            return false;
        };
        let told = [&check.why, &check.log].into_iter().flatten();
        check.check == starter.fails_at
            && told.into_iter().any(|text| text.contains(&starter.message))
    }
}

impl CheckScore {
    /// The reason in one line. Of a rejection, the verifier's message; of an answer that does not
    /// build, the compiler's first error, without the long path in front of it.
    pub fn reason(&self) -> String {
        let message = self.log.as_ref().and_then(|log| {
            let report = bpf_verifier_log::explain_log(log.as_bytes());
            report.programs.first()?.message()
        });
        let why = message.or(self.why.clone()).unwrap_or_default();
        let of_compiler = (self.check == BUILDS)
            .then(|| why.lines().find_map(|line| line.get(line.find("error")?..)))
            .flatten();
        let first = why.lines().find(|line| !line.trim().is_empty());
        let line = of_compiler.or(first).unwrap_or_default();
        line.trim().to_owned()
    }
}

/// The check that the compiler makes.
const BUILDS: &str = "builds";

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(check: &str, why: &str, log: Option<&str>) -> String {
        let (check, why) = (check.to_owned(), Some(why.to_owned()));
        let (verdict, log) = ("failed".to_owned(), log.map(str::to_owned));
        CheckScore {
            check,
            verdict,
            why,
            log,
        }
        .reason()
    }

    #[test]
    fn a_reason_is_the_line_that_tells_most() {
        let compiler =
            "lessons/a/main.c: In function 'f':\nlessons/a/main.c:1:2: error: no x\n  1 |";
        assert_eq!(reason("builds", compiler, None), "error: no x");
        assert_eq!(reason("builds", "it was killed", None), "it was killed");
        assert_eq!(
            reason("counts", "\n  3 is an error, not 4\nmore", None),
            "3 is an error, not 4"
        );
        let log = "0: R1=ctx() R10=fp0\nR0 invalid mem access 'scalar'\n";
        let told = reason("the verifier accepts it", "Permission denied", Some(log));
        assert_eq!(told, "R0 invalid mem access 'scalar'");
        assert_eq!(reason("the verifier accepts it", "no", Some("")), "no");
    }
}
