//! `check`: builds the learner's answer, loads it, drives it, judges it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, anyhow};
use course::catalog::StepPlace;
use course::exercises::{self, Exercise, Variant};
use course::progress::Progress;
use course::{Implementation, choice};
use kernel::{Architecture, Kernel, SERIES, is_older};
use problem::{Exit, Problem};
use serde::Serialize;

use crate::output::indent::indent_lines;
use crate::output::screen::{self, Mark};
use crate::pipeline::answer_build::{self, Built, BuiltProgram, course_path};
use crate::pipeline::forbidden::{ForbiddenCallJson, LineReport, SiteJson};
use crate::pipeline::judge_guest::JudgeGuest;
use crate::pipeline::judged_place::{Place, name_vm};
use crate::pipeline::judging::{self, Candidate, Checked, Verdict, VerifierRejection};
use crate::pipeline::rejection::{self, Rejection};
use crate::pipeline::selection::Selection;
use crate::pipeline::{needs, parallel};

/// What was found out about one answer on one kernel.
pub struct Report {
    pub exercise: Exercise,
    pub implementation: Implementation,
    pub place: Place,
    /// What the compiler said of an answer that it built.
    pub warnings: String,
    pub checks: Vec<Checked>,
}

/// What to check, and where.
pub struct CheckOptions {
    pub wanted: Wanted,
    /// `None`: the one that was begun.
    pub implementation: Option<Implementation>,
    pub kernels: Selection,
    /// What the VMs are, and what the answers are built for.
    pub architectures: Vec<Architecture>,
    pub json: bool,
}

/// The exercises to check.
pub enum Wanted {
    /// An exercise, or the first of a lesson, or of all, that is not done.
    Named(Option<String>),
    All {
        /// Also after an answer that is not right.
        keep_going: bool,
    },
}

impl CheckOptions {
    fn is_all(&self) -> bool {
        matches!(self.wanted, Wanted::All { .. })
    }
}

pub fn check_answers(options: &CheckOptions) -> Result<Exit> {
    let exercises = exercises::read_exercises()?;
    let progress = Progress::read_progress()?;
    let wanted: Vec<&Exercise> = match &options.wanted {
        Wanted::All { .. } => exercises.iter().collect(),
        Wanted::Named(name) => {
            let name = name.as_deref();
            match choice::choose_exercise(&exercises, name, &progress)? {
                Some(exercise) => vec![exercise],
                None => return Ok(all_done(name)),
            }
        }
    };
    rejection::forget_rejection()?;
    let mut reports = Vec::new();
    for exercise in wanted {
        let of_exercise = reports_of(exercise, options)?;
        let right = of_exercise.iter().all(Report::has_passed);
        reports.extend(of_exercise);
        if !right && matches!(options.wanted, Wanted::All { keep_going: false }) {
            break;
        }
    }
    if options.json {
        screen::write_json(&as_json(&reports)?)?;
    }
    conclude(&exercises, &reports, options)
}

fn all_done(lesson: Option<&str>) -> Exit {
    screen::show_marked(Mark::Good, &choice::say_all_are_done(lesson));
    screen::show_note("again, all of the course: cargo xtask check --all");
    Exit::Done
}

/// On each kernel, shown as it is found out, and taken down.
fn reports_of(exercise: &Exercise, options: &CheckOptions) -> Result<Vec<Report>> {
    let implementation = language(exercise, options)?;
    if !options.json {
        let place = match exercise.about.place {
            StepPlace::Here => Place::ThisMachine.to_string(),
            StepPlace::Kernel => name_vm(&options.kernels.to_string(), &options.architectures),
        };
        let name = &exercise.name;
        screen::show_marked(
            Mark::Note,
            &format!("checking {name}: {implementation}, {place}"),
        );
    }
    let reports = judge_exercise(exercise, implementation, options)?;
    if !options.json {
        screen::write_text(&warnings_as_text(&reports))?;
        for report in &reports {
            screen::write_text(&report.as_text(reports.len() > 1))?;
        }
    }
    take_down(&reports)?;
    Ok(reports)
}

/// Keeps what was found out about one answer: whether it is right, and the verifier's log.
pub fn take_down(reports: &[Report]) -> Result<()> {
    if let Some((report, rejection)) = reports.iter().find_map(|it| Some((it, it.rejected()?)))
        && let Err(error) = rejection::keep_rejection(&rejection, &report.object())
    {
        // The verdict counts without it.
        screen::show_note(&format!(
            "`explain --last` will not know of this: {error:#}"
        ));
    }
    let Some(Report {
        exercise,
        implementation,
        ..
    }) = reports.first()
    else {
        return Ok(());
    };
    let passed = reports.iter().all(Report::has_passed);
    Progress::change_progress(|progress| {
        // It may have been reset while it was judged.
        let done = passed && exercise.is_begun(*implementation);
        progress.set_done(exercise, *implementation, done);
    })
}

fn language(exercise: &Exercise, options: &CheckOptions) -> Result<Implementation> {
    let asked = options.implementation;
    // Among all, one that has another language only is taken in that.
    let asked =
        asked.filter(|asked| !options.is_all() || exercise.about.starter.contains_key(asked));
    exercise.choose_implementation(asked)
}

/// Builds the answer and lets the judge look at it.
fn judge_exercise(
    exercise: &Exercise,
    implementation: Implementation,
    options: &CheckOptions,
) -> Result<Vec<Report>> {
    if exercise.about.place == StepPlace::Here {
        return judged_here(exercise, implementation).map(|report| vec![report]);
    }
    match &choose_kernels(exercise, options)?[..] {
        [kernel] => {
            let build_judge = || judging::build_judge(kernel.architecture);
            let (report, _) =
                judge_beside_builds(exercise, implementation, kernel, build_judge, None)?;
            Ok(vec![report])
        }
        several => judge_on_each(exercise, implementation, several),
    }
}

/// Those that are not too old for it, with all that is needed; at least one.
fn choose_kernels(exercise: &Exercise, options: &CheckOptions) -> Result<Vec<Kernel>> {
    let mut kernels = Vec::new();
    options.kernels.check_file(&options.architectures)?;
    for &architecture in &options.architectures {
        if let Some(selection) = kernels_for(exercise, &options.kernels, architecture) {
            kernels.extend(needs::ensure_kernels(&selection, &[architecture])?);
        }
    }
    if kernels.is_empty() {
        return Err(too_old("check", exercise, options.architectures[0]).into());
    }
    Ok(kernels)
}

/// For `watch`: the exercise must be for one of the kernels.
pub fn refuse_old_kernels(
    exercise: &Exercise,
    kernels: &Selection,
    architecture: Architecture,
) -> Result<(), Problem> {
    let is_here = exercise.about.place == StepPlace::Here;
    if is_here || kernels_for(exercise, kernels, architecture).is_some() {
        return Ok(());
    }
    Err(too_old("watch", exercise, architecture))
}

/// Those that are not too old for the exercise, if there are any.
fn kernels_for(
    exercise: &Exercise,
    kernels: &Selection,
    architecture: Architecture,
) -> Option<Selection> {
    kernels.filter_series(|kernel| exercise.is_for(kernel, architecture))
}

/// None of the kernels that were asked for can do.
fn too_old(command: &str, exercise: &Exercise, architecture: Architecture) -> Problem {
    let name = &exercise.name;
    let oldest = exercise.oldest_kernel(architecture);
    let mut series = SERIES.into_iter();
    let first = series.find(|series| !is_older(series, oldest));
    let option = architecture.option();
    let place = match architecture {
        Architecture::HOST => String::new(),
        other => format!(" on {other}"),
    };
    Problem::usage(format!("{name} needs Linux {oldest} or newer{place}")).help(format!(
        "cargo xtask {command} {name}{option} --kernel {}",
        first.unwrap_or(oldest)
    ))
}

/// Builds the answer once for each architecture.
fn judge_on_each(
    exercise: &Exercise,
    implementation: Implementation,
    kernels: &[Kernel],
) -> Result<Vec<Report>> {
    let mut builds = BTreeMap::new();
    for Kernel { architecture, .. } in kernels {
        if !builds.contains_key(architecture) {
            let judge = judging::build_judge(*architecture)?;
            let answer = timed(|| build_answer(exercise, implementation, *architecture))?;
            builds.insert(*architecture, (judge, answer));
        }
    }
    parallel::run_on_each(kernels, None, |_, kernel| {
        let (judge, (built, took)) = &builds[&kernel.architecture];
        let judged = with_build(built.clone(), *took, |built| {
            let guest = JudgeGuest::start_with(judge.clone(), kernel)?;
            let answer = candidate(exercise, implementation, kernel.architecture, built);
            Ok(guest.judge_answer(&answer)?.0)
        })?;
        let place = Place::of_kernel(kernel);
        Ok(Report::new(exercise, implementation, place, judged))
    })
}

fn build_answer(
    exercise: &Exercise,
    implementation: Implementation,
    architecture: Architecture,
) -> Result<Built> {
    answer_build::build_answer(exercise, implementation, Variant::Answer, architecture)
}

/// A program that runs on this machine, without a VM.
pub fn judged_here(exercise: &Exercise, implementation: Implementation) -> Result<Report> {
    let (built, took) = timed(|| build_answer(exercise, implementation, Architecture::HOST))?;
    let judge = judging::build_judge_here()?;
    let judged = with_build(built, took, |built| {
        let answer = candidate(exercise, implementation, Architecture::HOST, built);
        judging::judge_here(&judge, &answer)
    })?;
    Ok(Report::new(
        exercise,
        implementation,
        Place::ThisMachine,
        judged,
    ))
}

/// On one kernel, in a guest that gets ready, and gets the judge, while the compilers work. Returns
/// the guest too, if it can be used again.
fn judge_beside_builds(
    exercise: &Exercise,
    implementation: Implementation,
    kernel: &Kernel,
    build_judge: impl FnOnce() -> Result<PathBuf> + Send,
    kept: Option<JudgeGuest>,
) -> Result<(Report, Option<JudgeGuest>)> {
    thread::scope(|scope| {
        let (judge_is_built, built_judge) = mpsc::channel();
        let builds = scope.spawn(move || {
            let judge = build_judge()?;
            // Without a VM, nobody waits for it.
            let _ = judge_is_built.send(judge);
            timed(|| build_answer(exercise, implementation, kernel.architecture))
        });
        // Here and not in the other thread: a VM ends with the thread that started it.
        let guest = match kept.and_then(JudgeGuest::clean_up) {
            Some(guest) => Ok(guest),
            None => JudgeGuest::start_beside_build(&built_judge, kernel)
                .and_then(|guest| warm_up(guest, exercise, implementation, kernel.architecture)),
        };
        let built = builds.join();
        let (built, took) = built.map_err(|_| anyhow!("a build panicked"))??;
        let mut guest = Some(guest?);
        let judged = with_build(built, took, |built| {
            let waiting = guest.take().context("it was started before")?;
            let answer = candidate(exercise, implementation, kernel.architecture, built);
            let (checks, kept) = waiting.judge_answer(&answer)?;
            guest = kept;
            Ok(checks)
        })?;
        let place = Place::of_kernel(kernel);
        let report = Report::new(exercise, implementation, place, judged);
        Ok((report, guest))
    })
}

/// An answer in Rust takes a second to build. Meanwhile the guest judges the course's answer, in C,
/// which takes a tenth.
fn warm_up(
    guest: JudgeGuest,
    exercise: &Exercise,
    implementation: Implementation,
    architecture: Architecture,
) -> Result<JudgeGuest> {
    let in_c = Implementation::Libbpf;
    let is_offered = exercise.offered_implementations().any(|it| it == in_c);
    let builds_long = implementation != in_c && !exercise.has_user_program();
    // On one core it would hold the build up.
    let is_free = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    if !(is_offered && builds_long && is_free && guest.takes_others()) {
        return Ok(guest);
    }
    // The verdict does not need it.
    let solution = answer_build::build_answer(exercise, in_c, Variant::Solution, architecture);
    let Ok(Ok(solution)) = solution else {
        return Ok(guest);
    };
    guest.warm_up(&candidate(exercise, implementation, architecture, solution))
}

/// On one kernel, in a guest that was kept or started before.
pub fn judged_on(
    exercise: &Exercise,
    implementation: Implementation,
    kernel: &Kernel,
    judge: &Path,
    kept: Option<JudgeGuest>,
) -> Result<(Report, Option<JudgeGuest>)> {
    let judge = || Ok(judge.to_owned());
    judge_beside_builds(exercise, implementation, kernel, judge, kept)
}

fn candidate(
    exercise: &Exercise,
    implementation: Implementation,
    architecture: Architecture,
    built: BuiltProgram,
) -> Candidate<'_> {
    Candidate {
        exercise,
        implementation,
        name: "answer".to_owned(),
        file: built.file,
        object: built.object,
        architecture,
    }
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let begin = Instant::now();
    work().map(|done| (done, begin.elapsed()))
}

/// The checks of an answer, and the compiler's warnings.
type Judged = (Vec<Checked>, String);

/// Building is the first check.
fn with_build(
    built: Built,
    took: Duration,
    judge: impl FnOnce(BuiltProgram) -> Result<Vec<Checked>>,
) -> Result<Judged> {
    let name = "builds".to_owned();
    match built {
        Ok(built) => {
            let warnings = built.warnings.clone();
            let mut checks = vec![Checked {
                name,
                verdict: Verdict::Passed,
                took,
            }];
            checks.extend(judge(built)?);
            Ok((checks, warnings))
        }
        Err(why) => Ok((
            vec![Checked {
                name,
                verdict: Verdict::Failed { why },
                took,
            }],
            String::new(),
        )),
    }
}

impl Report {
    fn new(
        exercise: &Exercise,
        implementation: Implementation,
        place: Place,
        judged: Judged,
    ) -> Self {
        let (checks, warnings) = judged;
        Self {
            exercise: exercise.clone(),
            implementation,
            place,
            checks,
            warnings,
        }
    }

    /// What the verifier rejected.
    fn rejected(&self) -> Option<Rejection> {
        let log = self.checks.iter().find_map(|check| match &check.verdict {
            Verdict::Rejected(rejection) => Some(rejection.log.clone()),
            _ => None,
        })?;
        let Place::Vm {
            kernel,
            architecture,
        } = self.place.clone()
        else {
            return None;
        };
        Some(Rejection {
            exercise: self.exercise.name.clone(),
            implementation: self.implementation,
            kernel,
            architecture,
            when: SystemTime::now(),
            log,
        })
    }

    pub fn has_passed(&self) -> bool {
        self.checks
            .iter()
            .all(|check| matches!(check.verdict, Verdict::Passed))
    }

    fn count(&self) -> usize {
        self.checks
            .iter()
            .filter(|check| matches!(check.verdict, Verdict::Passed))
            .count()
    }

    pub fn as_text(&self, with_place: bool) -> String {
        let width = self
            .checks
            .iter()
            .map(|check| check.name.len())
            .max()
            .unwrap_or(0);
        let mut text = if with_place {
            format!("  {}\n", self.place)
        } else {
            String::new()
        };
        for Checked {
            name,
            verdict,
            took,
        } in &self.checks
        {
            let time = screen::format_seconds(*took);
            text += &match verdict {
                Verdict::Passed => format!("  {} {name:<width$}  {time}\n", Mark::Good.symbol()),
                Verdict::NotRun => format!("  - {name:<width$}  not run\n"),
                Verdict::Failed { why } => {
                    let lines = indent_lines(&self.lines(name, verdict).as_text(), 6);
                    format!(
                        "  {} {name:<width$}  {time}\n{}{lines}",
                        Mark::Bad.symbol(),
                        indent_lines(why, 6)
                    )
                }
                Verdict::Rejected(VerifierRejection {
                    error, log, note, ..
                }) => {
                    let lines = self.lines(name, verdict);
                    let note = indent_lines(note.as_deref().unwrap_or_default(), 6);
                    let why = self.rejection(error, log, &lines) + &note;
                    format!("  {} {name:<width$}  {time}\n{why}", Mark::Bad.symbol())
                }
            };
        }
        if !self.has_passed() {
            text += &format!(
                "not yet: {} of {} checks passed\n",
                self.count(),
                self.checks.len()
            );
        }
        text
    }

    /// The answer's program for the kernel, as it was built.
    fn object(&self) -> PathBuf {
        let architecture = self.place.architecture();
        let (exercise, implementation) = (&self.exercise, self.implementation);
        answer_build::find_program(exercise, implementation, Variant::Answer, architecture)
    }

    /// What the object tells about an answer that was not accepted.
    fn lines(&self, check: &str, verdict: &Verdict) -> LineReport {
        let object = fs::read(self.object()).unwrap_or_default();
        let loads = judging::can_load(&self.implementation.to_string());
        match verdict {
            Verdict::Rejected(VerifierRejection { program, log, .. }) => {
                // A log that the learner's own program printed may have no name.
                let program = Some(program.as_str()).filter(|name| !name.is_empty());
                LineReport::of_rejection(&object, program, log.as_bytes())
            }
            Verdict::Failed { .. } if [&loads, judging::FITS, judging::STARTS].contains(&check) => {
                LineReport::of_object(&object, None)
            }
            _ => LineReport::default(),
        }
    }

    /// The decisive line, the line of the learner's that it is about, and those that no kernel
    /// accepts.
    fn rejection(&self, error: &str, log: &str, lines: &LineReport) -> String {
        let report = bpf_verifier_log::explain_log(log.as_bytes());
        let program = report.programs.first();
        let message = program.and_then(|program| program.message());
        let mut text = indent_lines(message.as_deref().unwrap_or(error), 6);
        let source = self
            .exercise
            .program_path(Variant::Answer, self.implementation);
        // What a library's function does, inlined, has a line in another file.
        let own = |at: &&bpf_verifier_log::SourceLine| {
            at.file
                .as_deref()
                .is_some_and(|file| source.ends_with(file))
        };
        let at = program
            .and_then(|program| program.source.as_ref())
            .filter(own);
        if let Some(site) = lines.site_as_text() {
            text += &indent_lines(&site, 6);
        } else if let Some(line) = at.and_then(|at| at.line) {
            text += &format!("       --> {}:{line}\n", course_path(&source));
        }
        text + &indent_lines(&lines.as_text(), 6)
    }
}

/// The compiler's warnings about an answer: it was built once, for all kernels.
pub fn warnings_as_text(reports: &[Report]) -> String {
    reports
        .first()
        .map_or_else(String::new, |report| indent_lines(&report.warnings, 6))
}

fn conclude(exercises: &[Exercise], reports: &[Report], options: &CheckOptions) -> Result<Exit> {
    let progress = Progress::read_progress()?;
    let Some(wrong) = reports.iter().find(|report| !report.has_passed()) else {
        let next = progress.next_pending(exercises);
        if !options.json {
            screen::show_marked(Mark::Good, &format!("right: {}", count(reports)));
            screen::show_note(&next.map_or_else(
                || "every exercise is done".to_owned(),
                Exercise::next_command,
            ));
        }
        return Ok(Exit::Done);
    };
    if !options.json {
        let name = &wrong.exercise.name;
        if wrong
            .checks
            .iter()
            .any(|check| matches!(check.verdict, Verdict::Rejected(_)))
        {
            screen::show_note("  why:   cargo xtask explain --last");
        }
        screen::show_note(&format!(
            "  task:  {}",
            course_path(&wrong.exercise.directory.join("README.md"))
        ));
        for source in wrong
            .exercise
            .source_paths(Variant::Answer, wrong.implementation)
        {
            screen::show_note(&format!("  edit:  {}", course_path(&source)));
        }
        let seen = progress.hints_shown(&wrong.exercise);
        screen::show_note(&format!(
            "  hint:  cargo xtask hint {name}    ({seen} of 3 seen)"
        ));
    }
    Ok(Exit::NotYet)
}

fn count(reports: &[Report]) -> String {
    let right = reports.iter().filter(|report| report.has_passed()).count();
    format!("{right} of {}", reports.len())
}

/// What `check --json` prints; `check --help` tells the fields.
#[derive(Serialize)]
struct ScoreJson<'a> {
    version: u32,
    passed: usize,
    of: usize,
    exercises: Vec<AnswerJson<'a>>,
}

#[derive(Serialize)]
struct AnswerJson<'a> {
    exercise: &'a str,
    implementation: Implementation,
    kernel: Option<&'a str>,
    architecture: Option<Architecture>,
    passed: bool,
    warnings: &'a str,
    checks: Vec<CheckJson<'a>>,
}

#[derive(Serialize)]
struct CheckJson<'a> {
    check: &'a str,
    verdict: &'static str,
    why: Option<&'a str>,
    log: Option<&'a str>,
    note: Option<&'a str>,
    site: Option<SiteJson>,
    forbidden_calls: Vec<ForbiddenCallJson>,
    seconds: f64,
}

impl<'a> CheckJson<'a> {
    fn new(report: &Report, checked: &'a Checked) -> Self {
        let Checked {
            name,
            verdict,
            took,
        } = checked;
        let lines = report.lines(name, verdict);
        let (verdict, why, log, note) = match verdict {
            Verdict::Passed => ("passed", None, None, None),
            Verdict::NotRun => ("not run", None, None, None),
            Verdict::Failed { why } => ("failed", Some(why.as_str()), None, None),
            Verdict::Rejected(VerifierRejection {
                error, log, note, ..
            }) => (
                "rejected",
                Some(error.as_str()),
                Some(log.as_str()),
                note.as_deref(),
            ),
        };
        Self {
            check: name,
            verdict,
            why,
            log,
            note,
            site: lines.site_as_json(),
            forbidden_calls: lines.as_json(),
            seconds: took.as_secs_f64(),
        }
    }
}

impl<'a> AnswerJson<'a> {
    fn new(report: &'a Report) -> Self {
        let checks = report.checks.iter();
        let (kernel, architecture) = match &report.place {
            Place::ThisMachine => (None, None),
            Place::Vm {
                kernel,
                architecture,
            } => (Some(kernel.as_str()), Some(*architecture)),
        };
        Self {
            exercise: &report.exercise.name,
            implementation: report.implementation,
            kernel,
            architecture,
            passed: report.has_passed(),
            warnings: &report.warnings,
            checks: checks.map(|it| CheckJson::new(report, it)).collect(),
        }
    }
}

fn as_json(reports: &[Report]) -> Result<String> {
    let score = ScoreJson {
        version: 1,
        passed: reports.iter().filter(|report| report.has_passed()).count(),
        of: reports.len(),
        exercises: reports.iter().map(AnswerJson::new).collect(),
    };
    Ok(serde_json::to_string_pretty(&score)? + "\n")
}

#[cfg(test)]
pub fn json_sample() -> Result<String> {
    let rejected = Verdict::Rejected(VerifierRejection {
        program: "count".to_owned(),
        error: "Permission denied".to_owned(),
        log: "R0 invalid mem access 'scalar'".to_owned(),
        note: None,
    });
    let check = Checked {
        name: "verifier accepts it".to_owned(),
        verdict: rejected,
        took: Duration::from_secs(1),
    };
    let exercise = exercises::read_exercises()?.swap_remove(0);
    as_json(&[Report {
        exercise,
        implementation: Implementation::Aya,
        place: Place::Vm {
            kernel: kernel::DEFAULT.to_owned(),
            architecture: Architecture::Amd64,
        },
        warnings: String::new(),
        checks: vec![check],
    }])
}
