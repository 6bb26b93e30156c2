//! `watch`: checks an answer whenever it is saved.
//!
//! The VM is ready before the save: while the learner thinks, the next guest has been resumed, and
//! waits for a program.
//!
//! ```text
//!   saves    the files, watched by the kernel or looked at again and again
//!   mount    whether the kernel sees every save there
//!   keys     keys one by one, and the terminal that they come from
//!   editor   what VISUAL or EDITOR names
//!   event    what all of these send
//! ```

mod editor;
mod event;
mod keys;
mod mount;
mod saves;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use course::Implementation;
use course::catalog::StepPlace;
use course::exercises::{self, Exercise, Variant};
use course::progress::Progress;
use kernel::{Architecture, Kernel};
use nix::sys::signal::{Signal, kill};
use problem::{Exit, Problem};
use processes::child::pid_of;
use processes::{Interrupted, interrupt};
use signal_hook::consts::SIGINT;

use crate::commands::check::{self, Report};
use crate::commands::hint::{self, HintOptions, choose_pending};
use crate::commands::list::{self, ListOptions, Listing};
use crate::commands::reset::{self, ResetOptions};
use crate::commands::watch::editor::Editor;
use crate::commands::watch::event::WatchEvent;
use crate::commands::watch::keys::Keys;
use crate::output::error;
use crate::output::progress_bar::draw_progress;
use crate::output::screen::{self, Mark};
use crate::output::terminal::is_line_by_line;
use crate::pipeline::answer_build::course_path;
use crate::pipeline::judge_guest::JudgeGuest;
use crate::pipeline::selection::Selection;
use crate::pipeline::{judging, needs, rejection};

/// What to watch, and where it is checked.
pub struct WatchOptions {
    /// An exercise or a lesson; `None`: the first exercise that is not done.
    pub exercise: Option<String>,
    /// `None`: the one that was begun.
    pub implementation: Option<Implementation>,
    pub kernel: Selection,
    /// What the kernel and the answer are for.
    pub architecture: Architecture,
    /// Look at the files twice a second.
    pub poll: bool,
    /// Open each exercise's answer in the editor.
    pub edit: bool,
    /// Clear the screen before each check, if it is one.
    pub clear: bool,
}

pub fn watch_answer(options: &WatchOptions) -> Result<Exit> {
    let exercises = exercises::read_exercises()?;
    let mut exercise = choose_pending(
        &exercises,
        options.exercise.as_deref(),
        &Progress::read_progress()?,
    )?;
    // Wrong before anything is built.
    if options.kernel.is_several() {
        return Err(Problem::usage("watch takes one kernel")
            .help(format!("cargo xtask check --kernel {}", options.kernel))
            .into());
    }
    options.kernel.check_file(&[options.architecture])?;
    check::refuse_old_kernels(exercise, &options.kernel, options.architecture)?;
    if options.edit {
        Editor::from_environment()?;
    }
    let (sender, events) = mpsc::channel();
    let signals = sender.clone();
    let _listening = interrupt::listen_to_signals(move |signal| {
        // The other end is gone only when the program ends.
        let _ = signals.send(WatchEvent::Signal(signal));
    });
    let mut watching = Watching {
        options,
        exercises: &exercises,
        keys: Keys::listen_to_keys(sender.clone())?,
        sender,
        events,
        postponed: None,
        seen: Vec::new(),
        editors: 0,
        court: None,
        guest: None,
    };
    while let Some(name) = watching.exercise(exercise)? {
        exercise = exercises::find_exercise(&exercises, &name)?;
    }
    Ok(Exit::Done)
}

struct Watching<'a> {
    options: &'a WatchOptions,
    exercises: &'a [Exercise],
    keys: Keys,
    sender: Sender<WatchEvent>,
    events: Receiver<WatchEvent>,
    /// What came while something else was waited for.
    postponed: Option<WatchEvent>,
    /// The answers as they were checked last.
    seen: Vec<Option<Vec<u8>>>,
    /// How many were started.
    editors: usize,
    /// The kernel, and the judge for its guest: looked for once.
    court: Option<(Kernel, PathBuf)>,
    /// A guest that waits for an answer.
    guest: Option<JudgeGuest>,
}

impl Watching<'_> {
    /// Watches one exercise. Returns the name of the next that the learner wants, if there is one.
    fn exercise(&mut self, exercise: &Exercise) -> Result<Option<String>> {
        self.begin_screen(exercise)?;
        let files: Vec<PathBuf> = answers(exercise).collect();
        let _watcher = saves::watch_files(&files, self.options.poll, &self.sender)?;
        self.seen = contents(exercise);
        if self.options.edit {
            self.edit(exercise)?;
        }
        // Read first: a save during a check is checked as well.
        self.seen = contents(exercise);
        self.check(exercise)?;
        loop {
            match self.next_event()? {
                WatchEvent::Signal(signal) => return Err(Interrupted(signal).into()),
                WatchEvent::Blind(why) => return Err(blind(&why).into()),
                WatchEvent::Changed => {
                    self.settle();
                    self.check_changed(exercise)?;
                }
                // It has its own window, or seemed to: a terminal editor that saved as its last act
                // may have set the terminal's mode since.
                WatchEvent::EditorEnded { .. } => self.keys.take_terminal_back()?,
                WatchEvent::Continued => self.keys.take_terminal_back()?,
                WatchEvent::Key(b'q' | 4) => return Ok(None),
                WatchEvent::Key(b'r') => self.check_again(exercise)?,
                WatchEvent::Key(b'n') => return Ok(Some(next(exercise)?)),
                WatchEvent::Key(b'e') => {
                    show_if_problem(self.edit(exercise))?;
                    self.check_changed(exercise)?;
                }
                WatchEvent::Key(b'x') => self.reset(exercise)?,
                WatchEvent::Key(key) => tell(key, exercise)?,
            }
        }
    }

    fn next_event(&mut self) -> Result<WatchEvent> {
        let event = match self.postponed.take() {
            Some(event) => event,
            None => {
                self.keys.ask_for_key();
                self.events.recv().context("cannot wait for a save")?
            }
        };
        if let WatchEvent::Key(_) = event {
            self.keys.receive_key();
        }
        Ok(event)
    }

    /// An editor saves in several steps: waits for the last of them. What comes next, if that is no
    /// save, is postponed.
    fn settle(&mut self) {
        const QUIET: Duration = Duration::from_millis(20);
        while self.postponed.is_none() {
            match self.events.recv_timeout(QUIET) {
                Ok(WatchEvent::Changed) => {}
                Ok(event) => self.postponed = Some(event),
                Err(_) => return,
            }
        }
    }

    /// Editors and compilers touch files without changing them.
    fn is_changed(&self, exercise: &Exercise) -> bool {
        contents(exercise) != self.seen
    }

    fn check_changed(&mut self, exercise: &Exercise) -> Result<()> {
        if !self.is_changed(exercise) {
            return Ok(());
        }
        self.seen = contents(exercise);
        self.check_again(exercise)
    }

    fn check_again(&mut self, exercise: &Exercise) -> Result<()> {
        if self.clears() {
            self.begin_screen(exercise)?;
        }
        self.check(exercise)
    }

    /// Back to the starter. The screen is not cleared after it: it says where the answer is kept.
    fn reset(&mut self, exercise: &Exercise) -> Result<()> {
        if self.clears() {
            self.begin_screen(exercise)?;
        }
        reset::reset_answers(&ResetOptions {
            exercise: Some(exercise.name.clone()),
            all: false,
            yes: true,
        })?;
        self.seen = contents(exercise);
        self.check(exercise)
    }

    fn clears(&self) -> bool {
        self.options.clear && screen::is_screen()
    }

    /// An empty screen, and what is being done.
    fn begin_screen(&self, exercise: &Exercise) -> Result<()> {
        if self.clears() {
            screen::clear_screen()?;
        }
        let Exercise { name, about, .. } = exercise;
        screen::show_note(&format!("{name}: {}", about.title));
        screen::show_note(&format!(
            "task: {}",
            course_path(&exercise.directory.join("README.md"))
        ));
        Ok(())
    }

    /// Opens the answer in the editor, which has the terminal as long as it needs it.
    fn edit(&mut self, exercise: &Exercise) -> Result<()> {
        let editor = Editor::from_environment()?;
        let implementation = exercise.choose_implementation(self.options.implementation)?;
        let files = exercise.source_paths(Variant::Answer, implementation);
        for file in &files {
            screen::show_note(&format!("edit: {}", course_path(file)));
        }
        self.keys.lend_terminal()?;
        let ended = self.run_editor(&editor, exercise, &files);
        self.keys.take_terminal_back()?;
        match ended? {
            Some(status) => Ok(editor.examine_end(status)?),
            None => Ok(()),
        }
    }

    /// Returns how the editor ended. An editor that has its own window may go on.
    fn run_editor(
        &mut self,
        editor: &Editor,
        exercise: &Exercise,
        files: &[PathBuf],
    ) -> Result<Option<ExitStatus>> {
        self.editors += 1;
        let number = self.editors;
        let child = editor.open_files(files)?;
        let process = pid_of(&child);
        report_end(child, number, self.sender.clone())?;
        loop {
            match self.events.recv().context("cannot wait for the editor")? {
                WatchEvent::EditorEnded { number: of, status } if of == number => {
                    return Ok(Some(status));
                }
                // It saved, and never changed the terminal's mode: it does not use it.
                WatchEvent::Changed if self.is_changed(exercise) && is_line_by_line()? => {
                    self.settle();
                    return Ok(None);
                }
                // In a terminal editor, Ctrl-C is a key.
                WatchEvent::Signal(SIGINT) if !is_line_by_line()? => {}
                WatchEvent::Signal(signal) => {
                    // In the terminal it would go on beside the shell. With its own window it may.
                    if matches!(is_line_by_line(), Ok(false)) {
                        // It may have ended a moment ago.
                        let _ = kill(process, Signal::SIGTERM);
                    }
                    return Err(Interrupted(signal).into());
                }
                WatchEvent::Blind(why) => return Err(blind(&why).into()),
                // The editor has the terminal, also after Ctrl-Z.
                WatchEvent::Continued => {}
                WatchEvent::Changed | WatchEvent::Key(_) | WatchEvent::EditorEnded { .. } => {}
            }
        }
    }

    fn check(&mut self, exercise: &Exercise) -> Result<()> {
        let begin = Instant::now();
        let asked = self.options.implementation;
        let implementation = exercise.choose_implementation(asked)?;
        screen::show_marked(
            Mark::Note,
            &format!("checking {}: {implementation}", exercise.name),
        );
        rejection::forget_rejection()?;
        match self.judge(exercise, implementation) {
            Ok(report) => self.show(&report, begin.elapsed())?,
            // A deleted answer, for one: it may come back.
            Err(error) => show_if_problem(Err(error))?,
        }
        if exercise.about.place == StepPlace::Kernel {
            // Ready before the next save.
            if self.guest.is_none() {
                let (kernel, judge) = self.court()?;
                self.guest = Some(JudgeGuest::start_with(judge.clone(), kernel)?);
            }
        }
        Ok(())
    }

    fn judge(&mut self, exercise: &Exercise, implementation: Implementation) -> Result<Report> {
        match exercise.about.place {
            StepPlace::Here => check::judged_here(exercise, implementation),
            StepPlace::Kernel => {
                let options = self.options;
                check::refuse_old_kernels(exercise, &options.kernel, options.architecture)?;
                let waiting = self.guest.take();
                let (kernel, judge) = self.court()?;
                let (report, kept) =
                    check::judged_on(exercise, implementation, kernel, judge, waiting)?;
                self.guest = kept;
                Ok(report)
            }
        }
    }

    /// What needs no kernel is not made to wait for one.
    fn court(&mut self) -> Result<&(Kernel, PathBuf)> {
        if self.court.is_none() {
            let architecture = self.options.architecture;
            let kernel = needs::ensure_kernels(&self.options.kernel, &[architecture])?
                .pop()
                .context("no kernel was chosen")?;
            self.court = Some((kernel, judging::build_judge(architecture)?));
        }
        self.court.as_ref().context("it has just been made")
    }

    fn show(&self, report: &Report, took: Duration) -> Result<()> {
        let reports = std::slice::from_ref(report);
        screen::write_answer(
            (check::warnings_as_text(reports) + &report.as_text(false)).as_bytes(),
        )?;
        check::take_down(reports)?;
        let verdict = format!(
            "{} in {}",
            if report.has_passed() {
                "right"
            } else {
                "not yet"
            },
            screen::format_seconds(took)
        );
        screen::show_marked(
            if report.has_passed() {
                Mark::Good
            } else {
                Mark::Bad
            },
            &verdict,
        );
        let (done, all) = Progress::read_progress()?.count_done(self.exercises);
        screen::show_note(&draw_progress(done, all));
        screen::show_note(if report.has_passed() {
            AFTER_RIGHT
        } else {
            AFTER_WRONG
        });
        Ok(())
    }
}

/// Tells the channel how the editor ended.
fn report_end(mut child: Child, number: usize, sender: Sender<WatchEvent>) -> Result<()> {
    let wait = move || {
        if let Ok(status) = child.wait() {
            // The other end is gone only when the program ends.
            let _ = sender.send(WatchEvent::EditorEnded { number, status });
        }
    };
    thread::Builder::new()
        .name("editor".to_owned())
        .spawn(wait)
        .context("cannot wait for the editor")?;
    Ok(())
}

fn blind(why: &str) -> Problem {
    Problem::machine(format!("cannot watch the files any more: {why}"))
        .help("cargo xtask watch --poll")
}

/// What the learner can do something about does not end it.
fn show_if_problem(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.is::<Problem>() => error::show_error(&error),
        other => return other,
    }
    Ok(())
}

const AFTER_RIGHT: &str = "n next exercise · l list · q quit · ? keys";
const AFTER_WRONG: &str = "save the file to check again · e edit · h hint · q quit · ? keys";

const KEYS: &str = "\
e  edit the answer          r  check again
h  a hint                   n  the next exercise that is not done
s  see the solution         l  list
x  back to the starter      ?  these keys
q  quit";

/// What needs no check.
fn tell(key: u8, exercise: &Exercise) -> Result<()> {
    let name = Some(exercise.name.clone());
    match key {
        b'h' => hint::give_hint(&HintOptions {
            exercise: name,
            all: false,
        })
        .map(drop),
        b'l' => list::list_course(&ListOptions {
            listing: Listing::Everything,
            json: false,
        })
        .map(drop),
        b's' => {
            screen::show_note(&format!(
                "in another terminal: cargo xtask solution {}",
                exercise.name
            ));
            Ok(())
        }
        b'?' => {
            screen::show_note(KEYS);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The first that is not done after this one, or of all.
fn next(exercise: &Exercise) -> Result<String> {
    let exercises = exercises::read_exercises()?;
    let progress = Progress::read_progress()?;
    let after = exercises
        .iter()
        .skip_while(|other| other.name != exercise.name)
        .skip(1);
    let next = after
        .chain(&exercises)
        .find(|other| !progress.is_done(other));
    Ok(next.map_or_else(|| exercise.name.clone(), |next| next.name.clone()))
}

fn answers(exercise: &Exercise) -> impl Iterator<Item = PathBuf> {
    exercise
        .offered_implementations()
        .flat_map(|implementation| exercise.source_paths(Variant::Answer, implementation))
}

fn contents(exercise: &Exercise) -> Vec<Option<Vec<u8>>> {
    answers(exercise).map(|path| fs::read(path).ok()).collect()
}
