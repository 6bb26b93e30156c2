//! What is run, and what must come of it. Nothing is decided by what an earlier run said.

use std::fs;
use std::thread;
use std::time::Duration;

use course::Implementation;
use course::catalog::{self, Lesson, StepPlace};
use course::entry::{self, Entry, FailureStage, Language, Twin};
use course::exercises::{self, Exercise, Variant};
use fastrand::Rng;
use kernel::Architecture;
use nix::sys::signal::Signal;
use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;
use xtask::commands::gallery;
use xtask::pipeline::selection::Selection;
use xtask::pipeline::{build, needs};

use crate::common::Run;
use crate::common::checkout_copy::CheckoutCopy;
use crate::watched::{EndedRun, WatchedRun};

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    Lesson,
    UsageError,
    RightAnswer,
    Rejected,
    ExitCode,
    Sigint,
    TwoAtOnce,
    WrongAnswer,
    TimeLimit,
    Sigkill,
    Accepted,
    Panic,
    Sigterm,
}

/// In the order of the rounds: each meets each kernel after 65. The answers of the first ten are
/// judged on the default kernel, where other tests have their snapshot made.
pub const KINDS: [Kind; 13] = [
    Kind::Lesson,
    Kind::UsageError,
    Kind::RightAnswer,
    Kind::Rejected,
    Kind::ExitCode,
    Kind::Sigint,
    Kind::TwoAtOnce,
    Kind::WrongAnswer,
    Kind::TimeLimit,
    Kind::Sigkill,
    Kind::Accepted,
    Kind::Panic,
    Kind::Sigterm,
];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Lesson => "a lesson",
            Self::UsageError => "a usage error",
            Self::RightAnswer => "a right answer",
            Self::Rejected => "rejected by the verifier",
            Self::ExitCode => "an exit code",
            Self::Sigint => "SIGINT",
            Self::TwoAtOnce => "two lessons at once",
            Self::WrongAnswer => "a wrong answer",
            Self::TimeLimit => "a time limit",
            Self::Sigkill => "SIGKILL",
            Self::Accepted => "accepted by the verifier",
            Self::Panic => "a kernel that crashes",
            Self::Sigterm => "SIGTERM",
        }
    }
}

/// What loads the eBPF programs of a run.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Uses {
    Aya,
    Libbpf,
    Both,
    Neither,
}

impl Uses {
    fn of_option(option: &str) -> Self {
        match option {
            "aya" => Self::Aya,
            "libbpf" => Self::Libbpf,
            _ => Self::Both,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Aya => "with aya",
            Self::Libbpf => "with libbpf",
            Self::Both => "with both",
            Self::Neither => "without a program",
        }
    }
}

/// So many rounds are part of the test command: they take what other tests have built.
pub const SMALL: u64 = 10;

pub struct Round {
    pub kind: Kind,
    pub kernel: &'static str,
    pub seed: u64,
    pub number: u64,
}

impl Round {
    fn is_small(&self) -> bool {
        self.number < SMALL
    }
}

/// A run that has not begun, and what must be true when it has ended.
struct Known<'a> {
    run: Run,
    check: Box<dyn Fn(&mut EndedRun) + 'a>,
    uses: Uses,
    /// What it needs until then.
    _checkout: Option<CheckoutCopy>,
}

pub struct Course {
    lessons: Vec<Lesson>,
    exercises: Vec<Exercise>,
    entries: Vec<Entry>,
    /// The gallery's.
    objects: TempDir,
}

impl Course {
    /// With what the runs need, and for the first rounds only what those need.
    pub fn build(is_small: bool) -> Self {
        let needs = [
            &needs::BUILD_NEEDS[..],
            &needs::VM_NEEDS,
            &Selection::all().kernel_needs(),
        ];
        needs::ensure_needs(&needs.concat()).unwrap();
        let lessons = catalog::read_lessons().unwrap();
        // A run that has to build first would be about the compiler.
        for lesson in &lessons {
            if !is_small || lesson.number == "01" {
                build::build_lesson(lesson, Architecture::HOST).unwrap();
            }
        }
        build::build_tool("object-loader").unwrap();
        Self {
            lessons,
            exercises: exercises::read_exercises().unwrap(),
            entries: entry::read_entries().unwrap(),
            objects: write_objects(),
        }
    }

    /// Does what this round does, and looks at what came of it.
    pub fn run_round(&self, round: &Round) -> Vec<EndedRun> {
        let rng = &mut Rng::with_seed(round.seed << 32 | round.number);
        let signal = match round.kind {
            Kind::Sigint => Signal::SIGINT,
            Kind::Sigterm => Signal::SIGTERM,
            Kind::Sigkill => Signal::SIGKILL,
            Kind::TwoAtOnce => return self.run_two(round, rng),
            kind => {
                let known = self.describe(kind, round, rng);
                let run = WatchedRun::start(known.run, known.uses);
                return vec![finish(run, &*known.check)];
            }
        };
        let kinds = [
            Kind::Lesson,
            Kind::Lesson,
            Kind::Rejected,
            Kind::RightAnswer,
        ];
        let kind = match round.is_small() {
            true => Kind::Lesson,
            false => *rng.choice(&kinds).unwrap(),
        };
        let known = self.describe(kind, round, rng);
        vec![run_until_signal(known, signal, rng)]
    }

    fn run_two(&self, round: &Round, rng: &mut Rng) -> Vec<EndedRun> {
        let [one, other] = [(); 2].map(|()| self.describe(Kind::Lesson, round, rng));
        let runs = [(one.run, one.uses), (other.run, other.uses)];
        let runs = runs.map(|(run, uses)| WatchedRun::start(run, uses));
        let checks = [one.check, other.check];
        let ended = runs.into_iter().zip(checks);
        ended.map(|(run, check)| finish(run, &*check)).collect()
    }

    fn describe<'a>(&'a self, kind: Kind, round: &'a Round, rng: &mut Rng) -> Known<'a> {
        match kind {
            Kind::UsageError => usage_error(round, rng),
            Kind::Rejected => self.judged_object(Twin::Failing, round, rng),
            Kind::Accepted => self.judged_object(Twin::Fixed, round, rng),
            Kind::RightAnswer => self.answer(Variant::Solution, round, rng),
            Kind::WrongAnswer => self.answer(Variant::Starter, round, rng),
            Kind::ExitCode => exit_code(round, rng),
            Kind::TimeLimit => time_limit(round),
            Kind::Panic => panicking_kernel(round),
            _ => self.lesson(round, rng),
        }
    }

    fn lesson<'a>(&'a self, round: &'a Round, rng: &mut Rng) -> Known<'a> {
        let in_vm = |lesson: &&Lesson| {
            let mut demos = lesson.about.demo.iter();
            demos.all(|demo| demo.place == StepPlace::Kernel)
        };
        let mut lessons: Vec<&Lesson> = self.lessons.iter().filter(in_vm).collect();
        if round.is_small() {
            lessons.retain(|lesson| lesson.number == "01");
        }
        let lesson = *rng.choice(&lessons).unwrap();
        let implementations = ["aya", "libbpf", "both"];
        let implementation = *rng.choice(&implementations).unwrap();
        let is_booted = !round.is_small() && rng.u8(..8) == 0;
        let mut run = run_on(
            round,
            &["run", &lesson.number, "-v", "--impl", implementation],
        );
        if is_booted {
            run.command.env("XTASK_SNAPSHOTS", "off");
        }
        let times = if implementation == "both" { 2 } else { 1 };
        let check = move |run: &mut EndedRun| {
            run.expect_code(0);
            let expected = read_transcript(lesson, round.kernel).repeat(times);
            let found = replace_volatile(lesson, &run.stdout);
            run.expect(found == expected, "it prints its transcript");
            let place = format!("on Linux {}.", round.kernel);
            let said = run.stderr.matches(&place).count();
            run.expect(said == times, "it says where it ran");
            expect_start(run, is_booted);
        };
        Known::new(run, check).with(Uses::of_option(implementation))
    }

    /// `verify` of a program of the gallery.
    fn judged_object<'a>(&'a self, twin: Twin, round: &'a Round, rng: &mut Rng) -> Known<'a> {
        let is_accepted = twin == Twin::Fixed;
        let language = *rng.choice(&Language::ALL).unwrap();
        let is_plain = |entry: &&Entry| {
            let (loads, _) = entry.should_load(twin, language, round.kernel, Architecture::HOST);
            entry.about.fails_at == FailureStage::Verifier
                && !entry.about.without_perfmon
                && entry.none_in(language).is_none()
                && loads == is_accepted
                && entry.missing_feature(round.kernel).is_none()
        };
        let mut entries: Vec<&Entry> = self.entries.iter().filter(is_plain).collect();
        if round.is_small() {
            entries.retain(|entry| entry.name == "map-value-or-null");
        }
        let entry = *rng.choice(&entries).unwrap();
        let object = entry.object_name(twin, language);
        let object = self.objects.path().join(object);
        let arguments = ["verify", "--json", "--load-only", object.to_str().unwrap()];
        let run = run_on(round, &arguments);
        let check = move |run: &mut EndedRun| {
            run.expect_code(if is_accepted { 0 } else { 1 });
            let verdicts = parse_lines(run);
            let class = entry.class_on(round.kernel);
            let as_known = |verdict: &Value| match is_accepted {
                true => verdict["verdict"] == "accepted",
                false => verdict["verdict"] == "rejected" && verdict["class"] == class,
            };
            // Of a failing object, programs may be right that are not what it is about.
            let holds = match is_accepted {
                true => !verdicts.is_empty() && verdicts.iter().all(as_known),
                false => verdicts.iter().any(as_known),
            };
            run.expect(holds, &format!("accepted: {is_accepted}, or {class}"));
            let here = |verdict: &Value| verdict["kernel"] == round.kernel;
            run.expect(verdicts.iter().all(here), "all verdicts are on this kernel");
        };
        Known::new(run, check).with(match language {
            Language::C => Uses::Libbpf,
            Language::Rust => Uses::Aya,
        })
    }

    /// `check` of the solution, or of the starter.
    fn answer<'a>(&'a self, variant: Variant, round: &'a Round, rng: &mut Rng) -> Known<'a> {
        let is_offered = |exercise: &&Exercise| {
            exercise.about.place == StepPlace::Kernel
                && exercise.is_for(round.kernel, Architecture::HOST)
        };
        let mut exercises: Vec<&Exercise> = self.exercises.iter().filter(is_offered).collect();
        if round.is_small() {
            exercises.retain(|exercise| exercise.name == "03/count-by-comm");
        }
        let exercise = *rng.choice(&exercises).unwrap();
        let mut offered: Vec<_> = exercise.offered_implementations().collect();
        if round.is_small() {
            offered.retain(|it| *it == Implementation::Libbpf);
        }
        let implementation = *rng.choice(&offered).unwrap();
        let checkout = CheckoutCopy::open();
        let sources = |variant| exercise.source_paths(variant, implementation);
        for (from, to) in sources(variant).into_iter().zip(sources(Variant::Answer)) {
            fs::copy(checkout.path(&from), checkout.path(&to)).unwrap();
        }
        let with = implementation.to_string();
        let arguments = ["check", "--json", "--impl", &with, "--kernel", round.kernel];
        let mut run = checkout.run(&[&arguments[..], &[&exercise.name]].concat());
        run.command.env("XTASK_ACCEL", "tcg");
        let check = move |run: &mut EndedRun| {
            let is_right = variant == Variant::Solution;
            run.expect_code(if is_right { 0 } else { 1 });
            let score: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
            let answer = &score["exercises"][0];
            run.expect(
                answer["passed"] == is_right && answer["kernel"] == round.kernel,
                &format!("right on this kernel: {is_right}"),
            );
            let checks = answer["checks"].as_array().cloned().unwrap_or_default();
            let failed = checks.iter().find(|check| check["verdict"] != "passed");
            let starter = &exercise.about.starter[&implementation];
            let as_known = match failed {
                None => is_right && checks.len() > 3,
                Some(check) => {
                    let said = format!("{}{}{}", check["why"], check["log"], check["note"]);
                    let message = serde_json::to_string(&starter.message).unwrap();
                    !is_right
                        && check["check"] == starter.fails_at.as_str()
                        && said.contains(message.trim_matches('"'))
                }
            };
            run.expect(as_known, "the checks pass that should, and no other");
        };
        let known = Known::new(run, check).with(Uses::of_option(&with));
        Known {
            _checkout: Some(checkout),
            ..known
        }
    }
}

fn write_objects() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in gallery::build_objects(Architecture::HOST).unwrap() {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}

impl<'a> Known<'a> {
    fn new(run: Run, check: impl Fn(&mut EndedRun) + 'a) -> Self {
        Self {
            run,
            check: Box::new(check),
            uses: Uses::Neither,
            _checkout: None,
        }
    }

    fn with(self, uses: Uses) -> Self {
        Self { uses, ..self }
    }
}

fn finish(run: WatchedRun, check: &dyn Fn(&mut EndedRun)) -> EndedRun {
    let mut ended = run.wait_for_end();
    if ended.status.is_some() {
        check(&mut ended);
    }
    ended
}

/// At a moment that is drawn: mostly while it runs, at times after its end.
fn run_until_signal(known: Known<'_>, signal: Signal, rng: &mut Rng) -> EndedRun {
    // Resumed, and with nothing else to do, this machine needs one second for lesson 01.
    let moment = Duration::from_millis(rng.u64(..2000));
    let run = WatchedRun::start(known.run, known.uses);
    thread::sleep(moment);
    // One that has ended was not waited for yet: its number is still its own.
    run.send_signal(signal);
    let mut ended = run.wait_for_end();
    // The signal may come when all is done.
    if ended.status.is_some() && ended.code() != Some(-(signal as i32)) {
        (known.check)(&mut ended);
    }
    ended
}

fn run_on(round: &Round, arguments: &[&str]) -> Run {
    let (command, others) = arguments.split_first().unwrap();
    let kernel = [*command, "--kernel", round.kernel];
    let mut run = Run::new(&[&kernel, others].concat());
    run.command
        .env("XTASK_ACCEL", "tcg")
        .env_remove("XTASK_SNAPSHOTS");
    run
}

fn usage_error<'a>(round: &'a Round, rng: &mut Rng) -> Known<'a> {
    let implementation = *rng.choice(&["aya", "libbpf"]).unwrap();
    let arguments = ["run", "01", "-v", "--impl", implementation];
    let run = run_on(round, &[&arguments[..], &["--", "--no-such-flag"]].concat());
    let known = Known::new(run, |run| {
        run.expect_code(1);
        run.expect(run.stdout.is_empty(), "nothing on standard output");
        for text in ["it ended with exit status 2", "'--no-such-flag'"] {
            run.expect(run.stderr.contains(text), text);
        }
        expect_start(run, false);
    });
    known.with(Uses::of_option(implementation))
}

fn exit_code<'a>(round: &'a Round, rng: &mut Rng) -> Known<'a> {
    let (code, word) = (rng.u8(1..101), rng.u64(..));
    let line = format!("echo out {word}; echo err {word} >&2; exit {code}");
    let run = run_on(round, &["try", "/bin/bash", "-c", &line]);
    Known::new(run, move |run| {
        run.expect_code(1);
        run.expect(
            run.stdout == format!("out {word}\n"),
            "its output comes back",
        );
        run.expect(
            run.stderr.contains(&format!("err {word}\n")),
            "its errors come back",
        );
        let said = format!("on {}: exit status {code}", round.kernel);
        run.expect(run.stderr.contains(&said), &said);
    })
}

fn time_limit(round: &Round) -> Known<'_> {
    let run = run_on(round, &["try", "--seconds", "1", "/bin/sleep", "100"]);
    Known::new(run, |run| {
        run.expect_code(1);
        let said = format!("on {}: ended after 1 s, its time limit", round.kernel);
        run.expect(run.stderr.contains(&said), &said);
    })
}

fn panicking_kernel(round: &Round) -> Known<'_> {
    let line = "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger";
    let run = run_on(round, &["try", "/bin/bash", "-c", line]);
    Known::new(run, |run| {
        run.expect_code(1);
        let crashed = format!("on {}: the guest's kernel crashed: ", round.kernel);
        for text in [crashed.as_str(), "sysrq triggered crash"] {
            run.expect(run.stderr.contains(text), text);
        }
    })
}

/// Booted where that was asked for, and else only with a reason.
fn expect_start(run: &mut EndedRun, is_booted: bool) {
    let booted = run.stderr.contains(", booted in ");
    if is_booted {
        run.expect(booted, "it was booted, as asked");
    } else if booted {
        let has_reason = run.stderr.contains("the next run will resume") || !run.retries.is_empty();
        run.expect(has_reason, "a guest that was booted says why");
    }
}

fn parse_lines(run: &mut EndedRun) -> Vec<Value> {
    let parsed: Result<Vec<Value>, _> = run.stdout.lines().map(serde_json::from_str).collect();
    parsed.unwrap_or_else(|error| {
        run.expect(false, &format!("each line is JSON: {error}"));
        Vec::new()
    })
}

/// What the lesson's own test holds it to.
fn read_transcript(lesson: &Lesson, kernel: &str) -> String {
    let name = match lesson.about.differs.get(kernel) {
        Some(_) => format!("transcript@{kernel}.snap"),
        None => "transcript.snap".to_owned(),
    };
    let path = lesson.directory.join("tests/snapshots").join(name);
    let text = fs::read_to_string(path).unwrap();
    let (_, transcript) = text.split_once("\n---\n").unwrap();
    format!("{}\n", transcript.trim_end())
}

/// The same with the constants that stand in a transcript for what differs on each run.
fn replace_volatile(lesson: &Lesson, text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, constant) in &lesson.about.volatile {
        let pattern = Regex::new(pattern).unwrap();
        text = pattern.replace_all(&text, constant.as_str()).into_owned();
    }
    text
}
