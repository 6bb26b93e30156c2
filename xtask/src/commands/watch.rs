//! `watch`: checks an answer whenever it is saved.
//!
//! The VM is ready before the save: while the learner thinks, the next guest has been resumed, and
//! waits for a program.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use course::Implementation;
use course::catalog::StepPlace;
use course::exercises::{self, Exercise, Variant};
use course::progress::Progress;
use kernel::Kernel;
use nix::sys::termios::LocalFlags;
use notify::{Config, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use problem::{Exit, Problem};
use processes::{Interrupted, interrupt};
use testvm::{Failure, HeadStart};

use crate::commands::check::{self, Report};
use crate::commands::hint::{self, HintOptions, choose_pending};
use crate::commands::list::{self, ListOptions, Listing};
use crate::commands::reset::{self, ResetOptions};
use crate::output::error;
use crate::output::screen::{self, Mark};
use crate::output::terminal::ChangedTerminal;
use crate::pipeline::answer_build::course_path;
use crate::pipeline::selection::Selection;
use crate::pipeline::{demo, judging, needs, rejection};

enum Event {
    Changed,
    Key(u8),
    Signal(i32),
    /// The files cannot be watched any more, and why.
    Blind(String),
}

/// What to watch, and where it is checked.
pub struct WatchOptions {
    /// An exercise or a lesson; `None`: the first exercise that is not done.
    pub exercise: Option<String>,
    /// `None`: the one that was begun.
    pub implementation: Option<Implementation>,
    pub kernel: Selection,
    /// Look at the files twice a second.
    pub poll: bool,
}

pub fn watch_answer(options: &WatchOptions) -> Result<Exit> {
    let exercises = exercises::read_exercises()?;
    let first = choose_pending(
        &exercises,
        options.exercise.as_deref(),
        &Progress::read_progress()?,
    )?;
    // Wrong before anything is built.
    if options.kernel == Selection::All {
        return Err(Problem::usage("watch takes one kernel")
            .help("cargo xtask check --kernel all")
            .into());
    }
    let (sender, events) = mpsc::channel();
    let signals = sender.clone();
    let _listening = interrupt::listen_to_signals(move |signal| {
        // The other end is gone only when the program ends.
        let _ = signals.send(Event::Signal(signal));
    });
    let _keys = Keys::listen(sender.clone())?;
    let mut watching = Watching {
        options,
        sender,
        events,
        court: None,
        ahead: None,
    };
    let mut exercise = first;
    while let Some(name) = watching.exercise(exercise)? {
        exercise = exercises::find_exercise(&exercises, &name)?;
    }
    Ok(Exit::Done)
}

struct Watching<'a> {
    options: &'a WatchOptions,
    sender: Sender<Event>,
    events: Receiver<Event>,
    /// The kernel, and the judge for its guest: looked for once.
    court: Option<(Kernel, PathBuf)>,
    /// A guest that waits for a program.
    ahead: Option<HeadStart>,
}

impl Watching<'_> {
    /// Watches one exercise. Returns the name of the next that the learner wants, if there is one.
    fn exercise(&mut self, exercise: &Exercise) -> Result<Option<String>> {
        let _watcher = watcher(exercise, self.options.poll, self.sender.clone())?;
        screen::show_note(&format!(
            "task: {}",
            course_path(&exercise.directory.join("README.md"))
        ));
        // Read first: a save during a check is checked as well.
        let mut seen = contents(exercise);
        self.check(exercise)?;
        let mut waiting = None;
        loop {
            let event = waiting.take().map_or_else(|| self.events.recv(), Ok);
            match event.context("cannot wait for a save")? {
                Event::Signal(signal) => return Err(Interrupted(signal).into()),
                Event::Blind(why) => {
                    return Err(Problem::machine(format!(
                        "cannot watch the files any more: {why}"
                    ))
                    .help("cargo xtask watch --poll")
                    .into());
                }
                Event::Changed => {
                    waiting = self.settle();
                    // Editors and compilers touch files without changing them.
                    let now = contents(exercise);
                    if now != seen {
                        seen = now;
                        self.check(exercise)?;
                    }
                }
                Event::Key(b'q' | 4) => return Ok(None),
                Event::Key(b'r') => self.check(exercise)?,
                Event::Key(b'n') => return Ok(Some(next(exercise)?)),
                Event::Key(key) => tell(key, exercise)?,
            }
        }
    }

    /// An editor saves in several steps: waits for the last of them. Returns what came next, if
    /// that was no save.
    fn settle(&self) -> Option<Event> {
        const QUIET: Duration = Duration::from_millis(20);
        loop {
            match self.events.recv_timeout(QUIET) {
                Ok(Event::Changed) => {}
                Ok(event) => return Some(event),
                Err(_) => return None,
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
            Err(error) if error.is::<Problem>() => error::show_error(&error),
            Err(error) => return Err(error),
        }
        if exercise.about.place == StepPlace::Kernel {
            // Ready before the next save.
            let (kernel, judge) = self.court()?;
            let (machine, judge) = (
                demo::describe_machine(kernel)?,
                judging::pack_judge(judge, &[])?,
            );
            let mut ahead = testvm::start_ahead(&machine).map_err(Failure::into_error)?;
            ahead.load_programs(&judge).map_err(Failure::into_error)?;
            self.ahead = Some(ahead);
        }
        Ok(())
    }

    fn judge(&mut self, exercise: &Exercise, implementation: Implementation) -> Result<Report> {
        match exercise.about.place {
            StepPlace::Here => check::judged_here(exercise, implementation),
            StepPlace::Kernel => {
                let ahead = self.ahead.take();
                let (kernel, judge) = self.court()?;
                check::judged_on(exercise, implementation, kernel, judge, ahead)
            }
        }
    }

    /// What needs no kernel is not made to wait for one.
    fn court(&mut self) -> Result<&(Kernel, PathBuf)> {
        if self.court.is_none() {
            needs::ensure_vm_needs(&self.options.kernel)?;
            let kernel = self
                .options
                .kernel
                .find_kernels()?
                .pop()
                .context("no kernel was chosen")?;
            self.court = Some((kernel, judging::build_judge()?));
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
        screen::show_note(if report.has_passed() {
            AFTER_RIGHT
        } else {
            AFTER_WRONG
        });
        Ok(())
    }
}

const AFTER_RIGHT: &str = "n next exercise · l list · q quit · ? keys";
const AFTER_WRONG: &str = "save the file to check again · h hint · q quit · ? keys";

const KEYS: &str = "\
h  a hint                 r  check again
s  see the solution       n  the next exercise that is not done
x  back to the starter    l  list
q  quit                   ?  these keys";

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
        b'x' => {
            let options = ResetOptions {
                exercise: name,
                all: false,
                yes: true,
            };
            reset::reset_answers(&options).map(drop)
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

/// Watches the directories of the answers: many editors replace a file instead of writing to it.
/// Where the kernel has no watch left to give, or the file system has none, the files are looked at
/// again and again.
fn watcher(exercise: &Exercise, poll: bool, sender: Sender<Event>) -> Result<Box<dyn Watcher>> {
    if !poll {
        match watch_answers(exercise, false, sender.clone()) {
            Ok(watcher) => return Ok(watcher),
            Err(error) => screen::show_note(&format!(
                "{error:#}: looking at them twice a second instead"
            )),
        }
    }
    watch_answers(exercise, true, sender).map_err(|error| {
        Problem::machine(format!("{error:#}"))
            .help(format!(
                "cargo xtask check {}    (checks once)",
                exercise.name
            ))
            .into()
    })
}

fn watch_answers(
    exercise: &Exercise,
    poll: bool,
    sender: Sender<Event>,
) -> Result<Box<dyn Watcher>> {
    let tell = move |happened: notify::Result<notify::Event>| {
        let event = match happened {
            // This program reads the files itself.
            Ok(event) if event.kind.is_access() => return,
            Ok(_) => Event::Changed,
            Err(error) => Event::Blind(error.to_string()),
        };
        // The other end is gone only when the program ends.
        let _ = sender.send(event);
    };
    let mut watcher: Box<dyn Watcher> = if poll {
        let config = Config::default()
            .with_poll_interval(Duration::from_millis(500))
            .with_compare_contents(true);
        Box::new(PollWatcher::new(tell, config).context("cannot watch the files")?)
    } else {
        Box::new(
            RecommendedWatcher::new(tell, Config::default()).context("cannot watch the files")?,
        )
    };
    for path in answers(exercise) {
        let directory = path.parent().unwrap_or(Path::new("."));
        watcher
            .watch(directory, RecursiveMode::NonRecursive)
            .with_context(|| format!("cannot watch the files in {}", course_path(directory)))?;
    }
    Ok(watcher)
}

/// Keys arrive one by one, without Enter, and are not shown. Ctrl-C stays what it is.
struct Keys {
    _terminal: Option<ChangedTerminal>,
}

impl Keys {
    /// Without a terminal there are no keys, and a standard input that has ended is no reason to
    /// end.
    fn listen(sender: Sender<Event>) -> Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self { _terminal: None });
        }
        let terminal = ChangedTerminal::enter(|settings| {
            settings.local_flags -= LocalFlags::ICANON | LocalFlags::ECHO;
        })?;
        let read = move || {
            let mut key = [0];
            while let Ok(1) = io::stdin().lock().read(&mut key) {
                if sender.send(Event::Key(key[0])).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("keys".to_owned())
            .spawn(read)
            .context("cannot read keys")?;
        Ok(Self {
            _terminal: Some(terminal),
        })
    }
}
