//! Lets the judge look at programs, in a guest or on this machine, and takes down what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use course::Implementation;
use course::exercises::Exercise;
use kernel::Architecture;
use plan::judge::Said;
use problem::Problem;
use processes::{Foreground, Interrupted};
use signal_hook::consts::SIGINT;
use testvm::image::{self, Archive};
use testvm::timeline::note_retry;
use testvm::{Failure, Guest, Happening, Programs, Stream};

use crate::pipeline::build;
use crate::pipeline::line_buffer::LineBuffer;
pub use plan::judge::{ACCEPTED, ATTACHED, FITS, STARTS, can_load};
use plan::{Outcome, Plan, Step};

/// For one program. A judge's work takes one or two seconds under emulation. What calls the kernel
/// a hundred thousand times takes up to 15 s where another architecture is emulated.
fn seconds_on(architecture: Architecture) -> u64 {
    match architecture {
        Architecture::HOST => 30,
        _ => 120,
    }
}

/// Bytes that the judge may print: a verifier log is the longest that it has to say.
const OUTPUT_LIMIT: u64 = 8 << 20;

/// Where answers are in the guest.
const DIRECTORY: &str = "answers";

/// The end of the name of an eBPF program there, beside the answer that loads it.
const OBJECT: &str = "o";

/// What became of one check.
#[derive(Clone, Debug)]
pub struct Checked {
    pub name: String,
    pub verdict: Verdict,
    pub took: Duration,
}

#[derive(Clone, Debug)]
pub enum Verdict {
    Passed,
    Failed {
        why: String,
    },
    Rejected(VerifierRejection),
    /// One before it did not pass.
    NotRun,
}

/// What the verifier said of a program that it rejected.
#[derive(Clone, Debug)]
pub struct VerifierRejection {
    pub program: String,
    pub error: String,
    pub log: String,
    /// What the judge knows about the object, and the verifier does not.
    pub note: Option<String>,
}

/// A program to be judged.
pub struct Candidate<'a> {
    pub exercise: &'a Exercise,
    /// What it is written for, and so loaded with.
    pub implementation: Implementation,
    /// In the guest: no two have the same.
    pub name: String,
    pub file: PathBuf,
    /// The eBPF program that it loads, if it is a user-space program.
    pub object: Option<PathBuf>,
    /// What they are built for.
    pub architecture: Architecture,
}

/// The judge with these candidates, for a guest.
pub fn pack_judge(judge: &Path, candidates: &[Candidate]) -> Result<Programs> {
    let mut archive = Archive::default();
    image::add_program(&mut archive, judge)?;
    add_candidates(&mut archive, candidates)?;
    archive.finish_archive()
}

/// These candidates, for a guest that has the judge.
pub fn pack_answers(judge: &Path, candidates: &[Candidate]) -> Result<Programs> {
    let mut archive = Archive::default();
    if candidates
        .iter()
        .any(|candidate| candidate.object.is_some())
    {
        image::leave_out_libraries(&mut archive, judge)?;
    }
    add_candidates(&mut archive, candidates)?;
    archive.finish_archive()
}

fn add_candidates(archive: &mut Archive, candidates: &[Candidate]) -> Result<()> {
    for candidate in candidates {
        let inside = Path::new(DIRECTORY).join(&candidate.name);
        match &candidate.object {
            Some(object) => {
                image::add_program_as(archive, &candidate.file, &inside)?;
                add_object(archive, object, &inside.with_extension(OBJECT))?;
            }
            None => add_object(archive, &candidate.file, &inside)?,
        }
    }
    Ok(())
}

fn add_object(archive: &mut Archive, object: &Path, inside: &Path) -> Result<()> {
    let bytes =
        std::fs::read(object).with_context(|| format!("cannot read {}", object.display()))?;
    archive.add_file(inside, 0o644, &bytes)
}

/// The judge itself, for guests of this architecture.
pub fn build_judge(architecture: Architecture) -> Result<PathBuf> {
    build::build_tool_for("judge", architecture)
}

/// The judge for this machine.
pub fn build_judge_here() -> Result<PathBuf> {
    build::build_judge_here()
}

/// What became of each candidate, and of the guest.
pub struct GuestVerdicts {
    pub checks: Vec<Vec<Checked>>,
    /// Nothing of the candidates is left in the guest: others can be judged in it.
    pub is_clean: bool,
}

/// Judges the candidates one after the other in one guest.
pub fn judge_in_guest(
    guest: &mut Guest,
    candidates: &[Candidate],
) -> Result<GuestVerdicts, Failure> {
    let plan = Plan {
        steps: candidates.iter().map(step).collect(),
    };
    let mut minutes: Vec<Minutes> = Vec::new();
    let report = guest.run_plan(&plan, |happening| {
        match (happening, minutes.last_mut()) {
            (Happening::Started(_), _) => minutes.push(Minutes::begin()),
            (Happening::Output(Stream::Stdout, bytes), Some(minutes)) => minutes.take(bytes)?,
            (Happening::Output(Stream::Stderr, bytes), Some(minutes)) => {
                minutes.complaints.extend(bytes)
            }
            _ => {}
        }
        Ok(())
    })?;
    // The first Ctrl-C goes to the program in the guest: to the judge, whose verdict is none then.
    if guest.was_asked_to_stop() {
        return Err(Failure::Interrupted(SIGINT));
    }
    let is_clean = report.is_clean();
    let ended = minutes.into_iter().zip(report.steps).zip(candidates);
    let mut judged: Vec<_> = ended
        .map(|((minutes, step), candidate)| {
            minutes.conclude(&step.outcome, seconds_on(candidate.architecture))
        })
        .collect();
    if let (Some(last), [complaint, ..]) = (judged.last_mut(), report.complaints.as_slice()) {
        last.push(failed_check(
            "the kernel has no complaint",
            format!("it says: {complaint}"),
        ));
    }
    Ok(GuestVerdicts {
        checks: judged,
        is_clean,
    })
}

fn step(candidate: &Candidate) -> Step {
    let answer = format!("/{DIRECTORY}/{}", candidate.name);
    let mut args = vec![
        candidate.exercise.name.clone(),
        answer.clone(),
        format!("--with={}", candidate.implementation),
    ];
    if candidate.object.is_some() {
        args.push(format!("--object={answer}.{OBJECT}"));
    }
    Step {
        program: "/bin/judge".into(),
        args,
        env: Vec::new(),
        seconds: Some(seconds_on(candidate.architecture)),
        output_limit: Some(OUTPUT_LIMIT),
        terminal: None,
        observe: false,
        surroundings: None,
    }
}

/// Judges a program that runs on this machine, without a VM.
pub fn judge_here(judge: &Path, candidate: &Candidate) -> Result<Vec<Checked>> {
    let mut command = Command::new(judge);
    command.arg(&candidate.exercise.name).arg(&candidate.file);
    minutes_of(command)
}

/// The check [`FITS`] alone. The others are not run: nothing is loaded into this machine's kernel.
pub fn judge_fit_here(judge: &Path, candidate: &Candidate) -> Result<Vec<Checked>> {
    let mut command = Command::new(judge);
    command
        .arg(&candidate.exercise.name)
        .arg(&candidate.file)
        .arg("--fit-only");
    command.arg(format!("--with={}", candidate.implementation));
    minutes_of(command)
}

fn minutes_of(mut command: Command) -> Result<Vec<Checked>> {
    command.stdout(Stdio::piped());
    let mut running = Foreground::start_command(command)?;
    let mut minutes = Minutes::begin();
    if let Some(mut stdout) = running.child.stdout.take() {
        let mut buffer = [0; 4096];
        loop {
            match std::io::Read::read(&mut stdout, &mut buffer)
                .context("cannot read the judge's output")?
            {
                0 => break,
                length => minutes.take(&buffer[..length])?,
            }
        }
    }
    match running.wait_for_exit()? {
        (_, Some(signal)) => Err(Interrupted(signal).into()),
        (status, None) if status.success() => Ok(minutes.conclude(&Outcome::Exited(0), 0)),
        // Answers are other programs: they do not end the judge. It may have said why.
        (status, None) => Err(
            Problem::machine(format!("the judge came to no end: {status}"))
                .help("free memory, or a higher limit (ulimit -a); then try again")
                .into(),
        ),
    }
}

/// What the judge has said so far.
struct Minutes {
    checks: Vec<Checked>,
    /// How many of them are decided.
    decided: usize,
    lines: LineBuffer,
    since: Instant,
    complaints: Vec<u8>,
}

impl Minutes {
    fn begin() -> Self {
        Self {
            checks: Vec::new(),
            decided: 0,
            lines: LineBuffer::default(),
            since: Instant::now(),
            complaints: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let mut lines = std::mem::take(&mut self.lines);
        let heard = lines.push_bytes(bytes, |line| {
            let said = serde_json::from_slice(line)
                .context("the judge printed a line that is not a verdict")?;
            self.hear(said)
        });
        self.lines = lines;
        heard
    }

    fn hear(&mut self, said: Said) -> Result<()> {
        let verdict = match said {
            Said::Checks(_) if !self.checks.is_empty() => {
                bail!("the judge announced its checks twice")
            }
            Said::Checks(names) => {
                let not_run = |name| Checked {
                    name,
                    verdict: Verdict::NotRun,
                    took: Duration::ZERO,
                };
                self.checks = names.into_iter().map(not_run).collect();
                return Ok(());
            }
            Said::Again => {
                let check = self.checks.get(self.decided);
                let name = check.map_or("", |check| check.name.as_str());
                note_retry(&format!("the kernel skipped a program in a check: {name}"));
                return Ok(());
            }
            Said::Passed => Verdict::Passed,
            Said::Failed { why } => Verdict::Failed { why },
            Said::Rejected {
                program,
                error,
                log,
                note,
            } => Verdict::Rejected(VerifierRejection {
                program,
                error,
                log,
                note,
            }),
        };
        self.decide(verdict)
    }

    fn decide(&mut self, verdict: Verdict) -> Result<()> {
        let Some(check) = self.checks.get_mut(self.decided) else {
            bail!("the judge printed more verdicts than it announced checks")
        };
        check.verdict = verdict;
        check.took = self.since.elapsed();
        self.since = Instant::now();
        self.decided += 1;
        Ok(())
    }

    /// A judge that ended early did so because of what it was judging.
    fn conclude(mut self, outcome: &Outcome, seconds: u64) -> Vec<Checked> {
        let why = match outcome {
            Outcome::Exited(0) if !self.checks.is_empty() => return self.checks,
            Outcome::Exited(0) => "the judge said nothing".to_owned(),
            Outcome::TimedOut => format!("it did not end within {seconds} s"),
            Outcome::Flooded => format!("it printed more than {} MB", OUTPUT_LIMIT >> 20),
            Outcome::Killed(signal) => format!("signal {signal} ended it"),
            Outcome::Exited(_) | Outcome::NotStarted(_) => {
                format!(
                    "the judge failed: {}",
                    String::from_utf8_lossy(&self.complaints).trim()
                )
            }
        };
        if self.decide(Verdict::Failed { why: why.clone() }).is_err() {
            self.checks
                .push(failed_check("the judge comes to an end", why));
        }
        self.checks
    }
}

pub fn failed_check(name: &str, why: String) -> Checked {
    Checked {
        name: name.to_owned(),
        verdict: Verdict::Failed { why },
        took: Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(said: &[Said]) -> Minutes {
        let mut minutes = Minutes::begin();
        for said in said {
            let line = serde_json::to_string(said).unwrap() + "\n";
            let (one, two) = line.as_bytes().split_at(line.len() / 2);
            minutes.take(one).unwrap();
            minutes.take(two).unwrap();
        }
        minutes
    }

    fn verdicts(checks: &[Checked]) -> Vec<String> {
        checks
            .iter()
            .map(|check| format!("{}: {:?}", check.name, check.verdict))
            .collect()
    }

    #[test]
    fn what_comes_after_a_failure_was_not_run() {
        let checks = Said::Checks(["a", "b", "c"].map(str::to_owned).to_vec());
        let minutes = minutes(&[
            checks,
            Said::Passed,
            Said::Failed {
                why: "2, not 3".into(),
            },
        ]);
        let checks = minutes.conclude(&Outcome::Exited(0), 30);
        assert_eq!(
            verdicts(&checks),
            ["a: Passed", "b: Failed { why: \"2, not 3\" }", "c: NotRun"]
        );
    }

    #[test]
    fn a_check_that_is_done_again_has_one_verdict() {
        let checks = Said::Checks(["a", "b"].map(str::to_owned).to_vec());
        let said = [checks, Said::Again, Said::Again, Said::Passed, Said::Passed];
        let checks = minutes(&said).conclude(&Outcome::Exited(0), 30);
        assert_eq!(verdicts(&checks), ["a: Passed", "b: Passed"]);
    }

    #[test]
    fn a_judge_that_hangs_blames_the_check_that_it_was_at() {
        let checks = Said::Checks(["a", "b"].map(str::to_owned).to_vec());
        let checks = minutes(&[checks, Said::Passed]).conclude(&Outcome::TimedOut, 30);
        assert_eq!(
            verdicts(&checks)[1],
            "b: Failed { why: \"it did not end within 30 s\" }"
        );
    }

    #[test]
    fn a_judge_that_says_nothing_is_no_success() {
        for outcome in [Outcome::Killed(11), Outcome::Exited(0)] {
            let checks = Minutes::begin().conclude(&outcome, 30);
            assert!(matches!(
                checks[..],
                [Checked {
                    verdict: Verdict::Failed { .. },
                    ..
                }]
            ));
        }
    }

    #[test]
    fn what_is_no_verdict_is_an_error() {
        assert!(Minutes::begin().take(b"hello\n").is_err());
        assert!(Minutes::begin().hear(Said::Passed).is_err());
        let checks = || Said::Checks(vec!["a".to_owned()]);
        assert!(minutes(&[checks()]).hear(checks()).is_err());
    }
}
