//! `solution` and `reset`: what the course has for an answer, and the way back to the start.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use similar::TextDiff;

use crate::catalog::Implementation;
use crate::cli::One;
use crate::exercises::build::shown;
use crate::exercises::progress::Progress;
use crate::exercises::{self, Exercise, Variant};
use crate::hint::chosen;
use crate::problem::{Exit, Problem};
use crate::{screen, workspace};

#[derive(clap::Parser, Debug)]
pub struct Solution {
    /// An exercise, or a lesson: its first exercise that is not done; without one, the first of all
    pub exercise: Option<String>,
    /// aya (in Rust) or libbpf (in C); without it, the language that was begun
    #[arg(long = "impl", value_name = "IMPL")]
    pub implementation: Option<One>,
    /// Show only what differs from your answer
    #[arg(long)]
    pub diff: bool,
    /// Write it over your answer, of which a copy is kept
    #[arg(long, conflicts_with = "diff")]
    pub apply: bool,
    /// Do not ask, although the exercise is not done
    #[arg(long)]
    pub yes: bool,
}

#[derive(clap::Parser, Debug)]
pub struct Reset {
    /// An exercise, or a lesson: its first exercise that is not done; without one, the first of all
    #[arg(conflicts_with = "all")]
    pub exercise: Option<String>,
    /// Every exercise, and what is recorded as done
    #[arg(long)]
    pub all: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

pub fn run(options: &Solution) -> Result<Exit> {
    let exercises = exercises::exercises()?;
    let progress = Progress::read()?;
    let exercise = chosen(&exercises, options.exercise.as_deref(), &progress)?;
    let implementation = exercise.language(options.implementation.map(Implementation::from))?;
    if !progress.is_done(exercise) && !options.yes {
        agree(
            &format!("{} is not done. See its solution?", exercise.name),
            "cargo xtask hint",
        )?;
    }
    let solution = read(exercise.source(Variant::Solution, implementation))?;
    let answer = exercise.source(Variant::Answer, implementation);
    if options.apply {
        put(exercise, implementation, &solution)?;
        screen::note(&format!("next: cargo xtask check {}", exercise.name));
    } else if options.diff {
        let own = if answer.exists() {
            read(answer.clone())?
        } else {
            String::new()
        };
        if own == solution {
            screen::note("no difference: your answer is the solution, word for word");
            return Ok(Exit::Done);
        }
        let diff = TextDiff::from_lines(&own, &solution);
        let text = diff
            .unified_diff()
            .context_radius(3)
            .header(&shown(&answer), "the solution")
            .to_string();
        screen::answer(text.as_bytes())?;
    } else {
        screen::answer(solution.as_bytes())?;
    }
    Ok(Exit::Done)
}

pub fn reset(options: &Reset) -> Result<Exit> {
    let exercises = exercises::exercises()?;
    let progress = Progress::read()?;
    let wanted: Vec<&Exercise> = if options.all {
        exercises.iter().collect()
    } else {
        vec![chosen(&exercises, options.exercise.as_deref(), &progress)?]
    };
    let begun: Vec<_> = wanted
        .iter()
        .flat_map(|exercise| {
            exercise
                .implementations()
                .map(move |implementation| (*exercise, implementation))
        })
        .filter(|(exercise, implementation)| exercise.is_begun(*implementation))
        .collect();
    if begun.is_empty() {
        screen::note("nothing to reset: the answers are the starters");
    } else if !options.yes {
        agree(
            &format!(
                "Put {} back to the starter? A copy is kept.",
                files(begun.len())
            ),
            "leave it as it is",
        )?;
    }
    for (exercise, implementation) in &begun {
        put(
            exercise,
            *implementation,
            &read(exercise.source(Variant::Starter, *implementation))?,
        )?;
    }
    Progress::change(|progress| {
        for exercise in &wanted {
            exercise
                .implementations()
                .for_each(|implementation| progress.set_done(exercise, implementation, false));
        }
    })?;
    Ok(Exit::Done)
}

fn files(number: usize) -> String {
    if number == 1 {
        "one file".to_owned()
    } else {
        format!("{number} files")
    }
}

/// Writes an answer, after it kept a copy of the one that is there.
fn put(exercise: &Exercise, implementation: Implementation, text: &str) -> Result<()> {
    let path = exercise.source(Variant::Answer, implementation);
    if path.exists() {
        let copy = copy_of(exercise, &path)?;
        screen::note(&format!("your answer is kept: {}", shown(&copy)));
    }
    let folder = path.parent().context("an answer lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let work = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    fs::write(work.path(), text).with_context(|| format!("cannot write {}", path.display()))?;
    work.persist(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    screen::note(&format!("written: {}", shown(&path)));
    Ok(())
}

fn copy_of(exercise: &Exercise, path: &std::path::Path) -> Result<PathBuf> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let name = path
        .file_name()
        .context("an answer is a file")?
        .to_string_lossy();
    let folder = workspace::root().join(".kept").join(exercise.package());
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // Two in one second must not take each other's place.
    let names = (0..).map(|number| folder.join(format!("{seconds}-{number}-{name}")));
    let copy = names
        .into_iter()
        .find(|path| !path.exists())
        .context("find a name for a copy")?;
    fs::copy(path, &copy).with_context(|| format!("cannot keep a copy of {}", path.display()))?;
    Ok(copy)
}

fn read(path: PathBuf) -> Result<String> {
    fs::read(&path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .with_context(|| format!("cannot read {}", path.display()))
}

/// Asks a person. Where there is none, the flag decides.
fn agree(question: &str, instead: &str) -> Result<()> {
    let declined = |what: &str| {
        Problem::usage(what.to_owned())
            .help("--yes does it without a question")
            .help(format!("instead: {instead}"))
    };
    if !screen::is_interactive() {
        return Err(declined(&format!("nobody is here to be asked: {question}")).into());
    }
    screen::note(&format!("{question} [y/N]"));
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read your answer")?;
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(declined("nothing was done").into()),
    }
}
