//! Whatever is typed, in whatever order, and however it ends: each text that the learner wrote is
//! found again.
//!
//! A random sequence of steps works on the answers to three exercises. After each step, the answers
//! and the kept copies are looked at.
//!
//! ```console
//! $ XTASK_SEQUENCES=200 XTASK_SEED=7 cargo test -p xtask --test answers_kept
//! ```

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use checkout::workspace;
use common::checkout_copy::CheckoutCopy;
use common::{Run, skip, stderr};
use course::Implementation;
use course::exercises::{self, Exercise, Variant};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::resource::{Resource, setrlimit};

/// Without `XTASK_SEQUENCES`.
const SEQUENCES: u64 = 3;

const STEPS: usize = 14;

/// Two that are checked on this machine, and one whose answers have two files.
const EXERCISES: [&str; 3] = ["00/decode-instruction", "00/run-program", "07/own-tool"];

/// The first two can be checked without a VM.
const CHECKED: usize = 2;

/// Where the progress is recorded, in the checkout.
const PROGRESS: &str = "target/tmp/progress";

/// Numbers that are the same for the same seed (an xorshift generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }
}

#[derive(Clone, Copy, Debug)]
enum Typed {
    Check,
    Hint,
    Reset,
    ResetAll,
    Apply(Implementation),
}

/// What happens while a command runs.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    /// It is killed after so many microseconds.
    Killed(u64),
    /// No file can become longer than this: the disk is full.
    FullDisk(u64),
    /// Nothing can be written under this part of the checkout.
    ReadOnly(&'static str),
    /// Another command is typed in another terminal.
    Beside(Typed),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The learner saves a text that nobody has seen before, in one of the files.
    Edit(usize, usize),
    Type(usize, Typed, Trouble),
}

fn any_typed(numbers: &mut Numbers, exercise: usize) -> Typed {
    match numbers.below(10) {
        0..2 if exercise < CHECKED => Typed::Check,
        0..3 => Typed::Hint,
        3..6 => Typed::Reset,
        6..7 => Typed::ResetAll,
        _ => Typed::Apply(Implementation::ALL[numbers.index(2)]),
    }
}

fn any_trouble(numbers: &mut Numbers, exercise: usize) -> Trouble {
    match numbers.below(10) {
        0..4 => Trouble::None,
        4..6 => Trouble::Killed(numbers.below(30_000)),
        6 => Trouble::FullDisk([0, 1, 40, 500][numbers.index(4)]),
        7..9 => Trouble::ReadOnly(["lessons", ".kept", PROGRESS][numbers.index(3)]),
        _ => Trouble::Beside(any_typed(numbers, exercise)),
    }
}

/// One or more that belong together.
fn add_steps(steps: &mut Vec<Step>, numbers: &mut Numbers) {
    let exercise = numbers.index(EXERCISES.len());
    match numbers.below(6) {
        0..2 => steps.push(Step::Edit(exercise, numbers.index(4))),
        // To be done, and what becomes of that.
        2 if exercise < CHECKED => {
            let in_c = Typed::Apply(Implementation::Libbpf);
            steps.push(Step::Type(exercise, in_c, Trouble::None));
            steps.push(Step::Type(exercise, Typed::Check, Trouble::None));
            let trouble = any_trouble(numbers, exercise);
            let reset = [Typed::Reset, Typed::ResetAll][numbers.index(2)];
            steps.push(Step::Type(exercise, reset, trouble));
        }
        _ => {
            let typed = any_typed(numbers, exercise);
            let trouble = any_trouble(numbers, exercise);
            steps.push(Step::Type(exercise, typed, trouble));
        }
    }
}

/// The learner, with what must be true of the answers.
struct Learner {
    checkout: CheckoutCopy,
    exercises: Vec<Exercise>,
    /// Texts that no command may lose.
    texts: BTreeSet<String>,
    /// Each copy that was ever seen, with its text.
    copies: BTreeMap<PathBuf, String>,
    edits: usize,
    namespaces: bool,
}

type Held = Result<(), String>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(what()) }
}

impl Learner {
    fn begin() -> Self {
        let all = exercises::read_exercises().unwrap();
        let found = EXERCISES.map(|name| exercises::find_exercise(&all, name).unwrap().clone());
        let unshare = Command::new("unshare").args(["-m", "true"]).status();
        let learner = Self {
            checkout: CheckoutCopy::open(),
            exercises: found.to_vec(),
            texts: BTreeSet::new(),
            copies: BTreeMap::new(),
            edits: 0,
            namespaces: unshare.is_ok_and(|status| status.success()),
        };
        if !learner.namespaces {
            skip(
                "directories that cannot be written",
                "only root can mount them so",
            );
        }
        learner
    }

    /// All answers are the starters, and nothing is kept or done.
    fn start_again(&mut self) {
        for (exercise, implementation) in self.all_answers() {
            let starters = self.paths(&exercise, Variant::Starter, implementation);
            let answers = self.paths(&exercise, Variant::Answer, implementation);
            for (starter, answer) in starters.iter().zip(answers) {
                fs::copy(starter, answer).unwrap();
            }
        }
        let _ = fs::remove_dir_all(self.root().join(".kept"));
        fs::create_dir(self.root().join(".kept")).unwrap();
        fs::create_dir_all(self.root().join(PROGRESS)).unwrap();
        let _ = fs::remove_file(self.progress_file());
        self.texts.clear();
        self.copies.clear();
    }

    fn root(&self) -> PathBuf {
        self.checkout.path(workspace::workspace_root())
    }

    fn progress_file(&self) -> PathBuf {
        self.root().join(PROGRESS).join(".progress")
    }

    fn all_answers(&self) -> Vec<(Exercise, Implementation)> {
        let both = |it: &Exercise| Implementation::ALL.map(|language| (it.clone(), language));
        self.exercises.iter().flat_map(both).collect()
    }

    fn paths(
        &self,
        exercise: &Exercise,
        variant: Variant,
        implementation: Implementation,
    ) -> Vec<PathBuf> {
        let paths = exercise.source_paths(variant, implementation);
        paths.iter().map(|path| self.checkout.path(path)).collect()
    }

    /// The files of both answers to an exercise, with their texts.
    fn texts_of(&self, exercise: usize, variant: Variant) -> Vec<(PathBuf, String)> {
        let exercise = &self.exercises[exercise];
        let paths = Implementation::ALL.map(|it| self.paths(exercise, variant, it));
        let paths = paths.into_iter().flatten();
        // One that is gone has no text.
        paths
            .map(|path| (fs::read_to_string(&path).unwrap_or_default(), path))
            .map(|(text, path)| (path, text))
            .collect()
    }

    /// The texts of all answers, or of what they begin as or should become.
    fn all_texts(&self, variant: Variant) -> BTreeSet<String> {
        let all = 0..self.exercises.len();
        all.flat_map(|exercise| self.texts_of(exercise, variant))
            .map(|(_, text)| text)
            .collect()
    }

    /// All that is kept. What a killed run was about to write is there, too.
    fn read_copies(&self) -> BTreeMap<PathBuf, String> {
        let mut copies = BTreeMap::new();
        for directory in fs::read_dir(self.root().join(".kept")).unwrap() {
            for copy in fs::read_dir(directory.unwrap().path()).unwrap() {
                let path = copy.unwrap().path();
                let text = fs::read_to_string(&path).unwrap();
                copies.insert(path, text);
            }
        }
        copies
    }

    fn edit(&mut self, exercise: usize, file: usize) {
        let answers = self.texts_of(exercise, Variant::Answer);
        let (path, old) = &answers[file % answers.len()];
        // What the learner overwrites is the learner's loss, unless a copy is kept.
        if !self.copies.values().any(|text| text == old) {
            self.texts.remove(old);
        }
        self.edits += 1;
        let text = format!(
            "// edit {}\n{}",
            self.edits,
            "// more\n".repeat(self.edits % 7)
        );
        fs::write(path, &text).unwrap();
        self.texts.insert(text);
    }

    fn run(&self, exercise: usize, typed: Typed) -> Run {
        let name = &self.exercises[exercise].name;
        let language;
        let arguments = match typed {
            Typed::Check => vec!["check", name, "--impl", "libbpf"],
            Typed::Hint => vec!["hint", name],
            Typed::Reset => vec!["reset", name, "--yes"],
            Typed::ResetAll => vec!["reset", "--all", "--yes"],
            Typed::Apply(implementation) => {
                language = implementation.to_string();
                vec!["solution", name, "--apply", "--yes", "--impl", &language]
            }
        };
        let mut run = self.checkout.run(&arguments);
        run.command
            .env("XTASK_PROGRESS", self.root().join(PROGRESS))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        run
    }

    fn run_in_trouble(&self, exercise: usize, typed: Typed, trouble: Trouble) -> Vec<Output> {
        let mut run = self.run(exercise, typed);
        let outputs = match trouble {
            Trouble::None => vec![run.output()],
            Trouble::Killed(microseconds) => {
                let mut child = run.command.spawn().unwrap();
                thread::sleep(Duration::from_micros(microseconds));
                child.kill().unwrap();
                vec![child.wait_with_output().unwrap()]
            }
            Trouble::FullDisk(length) => {
                let limit = move || Ok(setrlimit(Resource::RLIMIT_FSIZE, length, length)?);
                // SAFETY: only one system call is made between fork and exec.
                unsafe { run.command.pre_exec(limit) };
                vec![run.output()]
            }
            Trouble::ReadOnly(_) if !self.namespaces => vec![run.output()],
            Trouble::ReadOnly(part) => {
                make_read_only(&mut run, &self.root().join(part));
                vec![run.output()]
            }
            Trouble::Beside(other) => {
                let mut second = self.run(exercise, other);
                let child = second.command.spawn().unwrap();
                vec![run.output(), child.wait_with_output().unwrap()]
            }
        };
        assert_eq!(run.left_behind(), [""; 0]);
        outputs
    }

    fn take_step(&mut self, step: Step) -> Held {
        let (exercise, typed, trouble) = match step {
            Step::Edit(exercise, file) => {
                self.edit(exercise, file);
                return Ok(());
            }
            Step::Type(exercise, typed, trouble) => (exercise, typed, trouble),
        };
        let mut known = self.all_texts(Variant::Answer);
        let record = self.read_record();
        let outputs = self.run_in_trouble(exercise, typed, trouble);
        self.find_all_texts()?;
        if let Trouble::Beside(_) = trouble {
            // The one may have written what the other has kept.
            known.extend(self.all_texts(Variant::Starter));
            known.extend(self.all_texts(Variant::Solution));
        }
        for output in &outputs {
            self.check_claims(&stderr(output), &known)?;
            let is_known_end = output.status.code().is_some_and(|code| code <= 3)
                || matches!(trouble, Trouble::Killed(_)) && output.status.signal() == Some(9);
            ensure(is_known_end, || {
                format!("{}: {}", output.status, stderr(output))
            })?;
        }
        self.check_record(&record, exercise, typed, trouble)?;
        match (typed, trouble, &outputs[..]) {
            (Typed::Reset, Trouble::None, [output]) => self.check_reset(exercise, output),
            _ => Ok(()),
        }
    }

    /// The point of it all.
    fn find_all_texts(&mut self) -> Held {
        let copies = self.read_copies();
        for (path, text) in &self.copies {
            let is_new = |path: &Path| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with("new-")
            };
            let is_same = is_new(path) || copies.get(path) == Some(text);
            ensure(is_same, || format!("the copy {} changed", path.display()))?;
        }
        let mut found = self.all_texts(Variant::Answer);
        found.extend(copies.values().cloned());
        self.copies = copies;
        match self.texts.iter().find(|text| !found.contains(*text)) {
            Some(lost) => Err(format!("lost: {lost:?}")),
            None => Ok(()),
        }
    }

    /// Each copy that a command has named has one of the texts that were there before.
    fn check_claims(&self, said: &str, known: &BTreeSet<String>) -> Held {
        let left: BTreeSet<_> = self.texts.iter().collect();
        // A killed one may have been in the middle of a line.
        for line in said
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let Some(path) = line.strip_prefix("your answer is kept: ") else {
                continue;
            };
            let copy = self.copies.get(&self.root().join(path.trim_end()));
            let is_true = copy.is_some_and(|text| known.contains(text) || left.contains(text));
            ensure(is_true, || format!("not true: {line}"))?;
        }
        Ok(())
    }

    fn read_record(&self) -> BTreeSet<String> {
        let record = fs::read_to_string(self.progress_file()).unwrap_or_default();
        record.lines().map(str::to_owned).collect()
    }

    /// Whole lines, of which a command has changed those that it is about.
    fn check_record(
        &self,
        before: &BTreeSet<String>,
        exercise: usize,
        typed: Typed,
        trouble: Trouble,
    ) -> Held {
        let after = self.read_record();
        for line in &after {
            let words: Vec<_> = line.split(' ').collect();
            let is_whole = match words[..] {
                ["done", name, "aya" | "libbpf"] | ["hints", name, "1" | "2" | "3"] => {
                    EXERCISES.contains(&name)
                }
                _ => false,
            };
            ensure(is_whole, || format!("the record has a line {line:?}"))?;
        }
        let is_of_all = |typed| matches!(typed, Typed::ResetAll);
        let all = is_of_all(typed) || matches!(trouble, Trouble::Beside(it) if is_of_all(it));
        let changed = before.symmetric_difference(&after);
        let mut others = changed.filter(|line| !line.contains(EXERCISES[exercise]));
        let lost_hint = others.clone().any(|line| line.starts_with("hints"));
        ensure(!lost_hint && (all || others.next().is_none()), || {
            format!("the record was {before:?} and is {after:?}")
        })?;
        self.check_done(&after)
    }

    /// No starter is recorded as done.
    fn check_done(&self, record: &BTreeSet<String>) -> Held {
        for (exercise, implementation) in self.all_answers() {
            let [starter, answer] = [Variant::Starter, Variant::Answer].map(|variant| {
                let paths = self.paths(&exercise, variant, implementation);
                paths
                    .iter()
                    .map(|path| fs::read(path).ok())
                    .collect::<Vec<_>>()
            });
            let line = format!("done {} {implementation}", exercise.name);
            ensure(starter != answer || !record.contains(&line), || {
                format!("'{line}', and the answer is the starter")
            })?;
        }
        Ok(())
    }

    fn check_reset(&self, exercise: usize, output: &Output) -> Held {
        let starters = self.texts_of(exercise, Variant::Starter);
        let answers = self.texts_of(exercise, Variant::Answer);
        let is_reset = starters
            .iter()
            .map(|(_, text)| text)
            .eq(answers.iter().map(|(_, it)| it));
        ensure(output.status.success() && is_reset, || {
            format!("the starter is not there: {}", stderr(output))
        })
    }

    fn take_steps(&mut self, steps: &[Step]) -> Held {
        self.start_again();
        for (number, step) in steps.iter().enumerate() {
            self.take_step(*step)
                .map_err(|why| format!("step {number}: {why}"))?;
        }
        Ok(())
    }

    /// Leaves out steps as long as it goes wrong without them, too.
    fn shorten(&mut self, mut steps: Vec<Step>) -> Vec<Step> {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.remove(at);
            if self.take_steps(&fewer).is_err() {
                steps = fewer;
            } else {
                at += 1;
            }
        }
        steps
    }
}

/// Has the command run where this directory cannot be written. Others see no difference.
fn make_read_only(run: &mut Run, directory: &Path) {
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" || exit 99; \
                  shift; exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(directory);
    command
        .arg(run.command.get_program())
        .args(run.command.get_args())
        .current_dir(run.command.get_current_dir().unwrap());
    let set = run.command.get_envs();
    command.envs(set.filter_map(|(name, value)| Some((name, value?))));
    run.command = command;
    run.command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
}

fn number_from(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn whatever_is_typed_no_text_is_lost() {
    let mut learner = Learner::begin();
    let first = number_from("XTASK_SEED", u64::from(std::process::id()));
    for seed in first..first + number_from("XTASK_SEQUENCES", SEQUENCES) {
        // Neighbours would begin alike, and 0 would stay 0.
        let mut numbers = Numbers((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut steps = Vec::new();
        while steps.len() < STEPS {
            add_steps(&mut steps, &mut numbers);
        }
        if let Err(why) = learner.take_steps(&steps) {
            let steps = learner.shorten(steps);
            panic!("XTASK_SEED={seed}: {why}; these steps do: {steps:#?}");
        }
    }
}

/// An editor that saves all the time. Each text that a save has replaced comes out in its hands,
/// so what is missing at the end was lost by the tool.
#[test]
fn a_save_in_the_moment_of_a_reset_is_kept() {
    let mut learner = Learner::begin();
    learner.start_again();
    let (answer, _) = learner.texts_of(0, Variant::Answer).swap_remove(0);
    let draft = answer.with_file_name("draft");
    let is_over = AtomicBool::new(false);
    let (saved, replaced) = thread::scope(|scope| {
        let editor = scope.spawn(|| {
            let (mut saved, mut replaced) = (BTreeSet::new(), BTreeSet::new());
            while !is_over.load(Ordering::Relaxed) {
                let text = format!("// save {}\n", saved.len());
                fs::write(&draft, &text).unwrap();
                let swap = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, &draft, AT_FDCWD, &answer, swap).unwrap();
                saved.insert(text);
                replaced.insert(fs::read_to_string(&draft).unwrap());
            }
            (saved, replaced)
        });
        for _ in 0..RESETS {
            let output = learner.run(0, Typed::Reset).output();
            assert!(output.status.success(), "{}", stderr(&output));
        }
        is_over.store(true, Ordering::Relaxed);
        editor.join().unwrap()
    });
    fs::remove_file(&draft).unwrap();
    let mut found = learner.all_texts(Variant::Answer);
    found.extend(learner.read_copies().into_values());
    let lost: Vec<_> = saved
        .difference(&replaced)
        .filter(|text| !found.contains(*text))
        .collect();
    assert_eq!(lost, [""; 0], "of {} saves", saved.len());
}

const RESETS: usize = 15;
