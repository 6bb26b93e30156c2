//! `list`, and what `cargo xtask` alone says.

use anyhow::Result;
use course::Implementation;
use course::catalog::{self, Lesson};
use course::exercises::{self, Exercise};
use course::progress::Progress;
use kernel::Architecture;
use problem::Exit;
use serde::Serialize;

use crate::output::progress_bar::draw_progress;
use crate::output::screen::{self, Mark};

/// What to list.
pub struct ListOptions {
    pub listing: Listing,
    pub json: bool,
}

/// Lessons with their exercises, or some of the exercises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Listing {
    Everything,
    /// Exercises that are not done.
    Pending,
    /// Exercises that are done.
    Done,
}

pub fn list_course(options: &ListOptions) -> Result<Exit> {
    let course = Course::read()?;
    if options.json {
        screen::write_answer(as_json(&course)?.as_bytes())?;
        return Ok(Exit::Done);
    }
    let wanted = |exercise: &Exercise| match options.listing {
        Listing::Pending => !course.progress.is_done(exercise),
        Listing::Done => course.progress.is_done(exercise),
        Listing::Everything => false,
    };
    let named: Vec<&Exercise> = course
        .exercises
        .iter()
        .filter(|exercise| wanted(exercise))
        .collect();
    let text = match options.listing {
        Listing::Everything => as_table(&course),
        Listing::Pending | Listing::Done => exercises_as_table(&named),
    };
    screen::write_answer(text.as_bytes())?;
    screen::show_note(&next(&course));
    Ok(Exit::Done)
}

/// `cargo xtask` without a command.
pub fn welcome_learner() -> Result<Exit> {
    let course = Course::read()?;
    screen::write_answer(as_table(&course).as_bytes())?;
    screen::write_answer(WELCOME.as_bytes())?;
    screen::show_note(&next(&course));
    Ok(Exit::Done)
}

/// All there is to learn, and how far the learner has come.
struct Course {
    lessons: Vec<Lesson>,
    exercises: Vec<Exercise>,
    progress: Progress,
}

impl Course {
    fn read() -> Result<Self> {
        Ok(Self {
            lessons: catalog::read_lessons()?,
            exercises: exercises::read_exercises()?,
            progress: Progress::read_progress()?,
        })
    }

    fn of<'a>(&'a self, lesson: &'a Lesson) -> impl Iterator<Item = &'a Exercise> {
        self.exercises
            .iter()
            .filter(|exercise| exercise.lesson_number() == lesson.number)
    }

    /// `1/3  pending: count-by-comm`; of the lesson that comes next, `1/3  next: count-by-comm`.
    fn state(&self, lesson: &Lesson) -> String {
        let all = self.of(lesson).count();
        let pending: Vec<&str> = self
            .of(lesson)
            .filter(|exercise| !self.progress.is_done(exercise))
            .map(Exercise::short_name)
            .collect();
        let done = all - pending.len();
        match pending[..] {
            _ if all == 0 => "-".to_owned(),
            [] => format!("{all}/{all}  done"),
            [next] if self.is_next(lesson) => format!("{done}/{all}  next: {next}"),
            [next, ref later @ ..] if self.is_next(lesson) => {
                format!("{done}/{all}  next: {next}; then: {}", later.join(", "))
            }
            [..] => format!("{done}/{all}  pending: {}", pending.join(", ")),
        }
    }

    /// Whether the first exercise that is not done is in this lesson.
    fn is_next(&self, lesson: &Lesson) -> bool {
        let next = self.progress.next_pending(&self.exercises);
        next.is_some_and(|exercise| exercise.lesson_number() == lesson.number)
    }

    /// In front of a lesson: whether it is done, or comes next. The line of its exercises says the
    /// same in words.
    fn mark(&self, lesson: &Lesson) -> &'static str {
        if self.is_next(lesson) {
            return Mark::Next.symbol();
        }
        let mut exercises = self.of(lesson).peekable();
        let is_done =
            exercises.peek().is_some() && exercises.all(|exercise| self.progress.is_done(exercise));
        if is_done { Mark::Good.symbol() } else { " " }
    }
}

fn next(course: &Course) -> String {
    match course.progress.next_pending(&course.exercises) {
        Some(exercise) => exercise.next_command(),
        None => "every exercise is done; next: cargo xtask shell".to_owned(),
    }
}

fn exercises_as_table(exercises: &[&Exercise]) -> String {
    let width = exercises
        .iter()
        .map(|exercise| exercise.name.len())
        .max()
        .unwrap_or(0);
    exercises
        .iter()
        .map(|exercise| format!("{:<width$}  {}\n", exercise.name, exercise.about.title))
        .collect()
}

/// No line is longer.
const COLUMNS: usize = 99;

fn as_table(course: &Course) -> String {
    let mut table = String::from("      lesson             aya libbpf from\n");
    for lesson in &course.lessons {
        let about = &lesson.about;
        let row = format!(
            "{} {}  {:<18} {:<3} {:<6} {:<4}  ",
            course.mark(lesson),
            lesson.number,
            lesson.name,
            has(lesson, "aya"),
            has(lesson, "libbpf"),
            about.oldest_kernel,
        );
        let (hooks, maps) = (or_none(&about.hooks), or_none(&about.maps));
        let below = " ".repeat(6);
        table += &wrap(&row, &about.title);
        table += &wrap(&below, &format!("hooks: {hooks}; maps: {maps}"));
        if let Some(arm64) = &about.arm64 {
            table += &wrap(
                &below,
                &format!("on arm64: from {} on", arm64.oldest_kernel),
            );
        }
        table += &wrap(&below, &format!("exercises: {}", course.state(lesson)));
    }
    let (done, all) = course.progress.count_done(&course.exercises);
    table + &draw_progress(done, all) + "\n"
}

/// The text after what begins its first line; more lines of it begin below the text.
fn wrap(begin: &str, text: &str) -> String {
    let below = " ".repeat(begin.chars().count());
    let options = textwrap::Options::new(COLUMNS)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .initial_indent(begin)
        .subsequent_indent(&below);
    textwrap::fill(text, options) + "\n"
}

fn has(lesson: &Lesson, implementation: &str) -> &'static str {
    let there = lesson
        .directory
        .join("src")
        .join(implementation)
        .with_extension("rs")
        .exists();
    if there { Mark::Good.symbol() } else { "-" }
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// A lesson in the array that `list --json` prints; `list --help` tells the fields.
#[derive(Serialize)]
struct LessonJson<'a> {
    number: &'a str,
    name: &'a str,
    title: &'a str,
    hooks: &'a [String],
    maps: &'a [String],
    oldest_kernel: &'a str,
    why: &'a str,
    oldest_on_arm64: &'a str,
    why_on_arm64: &'a str,
    implementations: [Implementation; 2],
    exercises: Vec<ExerciseJson<'a>>,
}

#[derive(Serialize)]
struct ExerciseJson<'a> {
    name: &'a str,
    title: &'a str,
    implementations: Vec<Implementation>,
    done: bool,
}

impl<'a> LessonJson<'a> {
    fn new(course: &'a Course, lesson: &'a Lesson) -> Self {
        let exercise = |exercise: &'a Exercise| ExerciseJson {
            name: &exercise.name,
            title: &exercise.about.title,
            implementations: exercise.offered_implementations().collect(),
            done: course.progress.is_done(exercise),
        };
        let of_arm64 = lesson.about.oldest_kernel_of(Architecture::Arm64);
        let (oldest_on_arm64, why_on_arm64) = of_arm64;
        Self {
            number: &lesson.number,
            name: &lesson.name,
            title: &lesson.about.title,
            hooks: &lesson.about.hooks,
            maps: &lesson.about.maps,
            oldest_kernel: &lesson.about.oldest_kernel,
            why: &lesson.about.why,
            oldest_on_arm64,
            why_on_arm64,
            implementations: Implementation::ALL,
            exercises: course.of(lesson).map(exercise).collect(),
        }
    }
}

fn as_json(course: &Course) -> Result<String> {
    let lessons = course.lessons.iter();
    let lessons: Vec<LessonJson<'_>> = lessons
        .map(|lesson| LessonJson::new(course, lesson))
        .collect();
    Ok(serde_json::to_string_pretty(&lessons)? + "\n")
}

const WELCOME: &str = "
  cargo xtask run 00      a first look; the first part needs neither root nor a VM
  cargo xtask run 01      a real program in a real kernel
  cargo xtask check       the first exercise that is not done
  cargo xtask doctor      what this machine has and what is missing
  cargo xtask --help      all commands
";

#[cfg(test)]
pub fn json_sample() -> Result<String> {
    as_json(&Course::read()?)
}
