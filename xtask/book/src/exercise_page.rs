//! The pages of the exercises, one for each: the task from its README, the hints from its
//! `exercise.toml`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use course::catalog::{self, Lesson, StepPlace};
use course::exercises::{self, Exercise, ExerciseKind, WrittenPart};

use crate::gallery::SKIP;

/// What each of the three hints gives away.
const HINTS: [&str; 3] = ["a push", "the idea", "the lines"];

/// An exercise, with the name of its lesson: `01-hello-kprobe`.
pub struct ExercisePage {
    pub exercise: Exercise,
    pub lesson: String,
}

/// All of them, in the order in which they build up.
pub fn read_exercise_pages() -> Result<Vec<ExercisePage>> {
    let lessons = catalog::read_lessons()?;
    let pages = exercises::read_exercises()?.into_iter().map(|exercise| {
        let lesson = catalog::find_lesson(&lessons, exercise.lesson_number())?.full_name();
        Ok(ExercisePage { exercise, lesson })
    });
    pages.collect()
}

/// Where the page of an exercise is, seen from its lesson's chapter.
pub fn exercise_link(lesson: &Lesson, exercise: &Exercise) -> String {
    format!("{}/{}.md", lesson.full_name(), exercise.short_name())
}

/// What the learner does, in a few words.
pub fn describe_kind(kind: ExerciseKind) -> &'static str {
    match kind {
        ExerciseKind::Complete => "fill a gap",
        ExerciseKind::Extend => "add to what works",
        ExerciseKind::Repair => "make the verifier accept it",
        ExerciseKind::FindTheBug => "find the silent bug",
        ExerciseKind::Create => "write all of it",
    }
}

/// What the learner writes, where that is not one program for the kernel or for this machine.
pub fn describe_written_part(writes: WrittenPart) -> &'static str {
    match writes {
        WrittenPart::OneProgram => "",
        WrittenPart::UserProgram => ", in user space",
        WrittenPart::BothPrograms => ", the eBPF program and the user-space program",
    }
}

impl ExercisePage {
    /// Seen from the book's source.
    pub fn page_path(&self) -> String {
        format!("lessons/{}/{}.md", self.lesson, self.exercise.short_name())
    }

    /// The chapter that it belongs to, seen from the book's source.
    pub fn chapter_path(&self) -> String {
        format!("lessons/{}.md", self.lesson)
    }

    /// The page, in Markdown.
    pub fn write_page(&self) -> Result<String> {
        let id = format!("exercise-{}", self.exercise.name.replace('/', "-"));
        Ok(format!(
            "# {} {{#{id}}}\n\n{}\n{}\n## Work on it {{#{id}-work}}\n\n{}\n\
             ## Hints {{#{id}-hints}}\n\n{}",
            self.exercise.about.title,
            self.kind(),
            self.task()?,
            self.commands(),
            self.hints(),
        ))
    }

    fn kind(&self) -> String {
        let about = &self.exercise.about;
        let mut line = format!(
            "An exercise of [lesson {}](../{}.md): {}{}.",
            self.exercise.lesson_number(),
            self.lesson,
            describe_kind(about.kind),
            describe_written_part(about.writes)
        );
        if about.place == StepPlace::Here {
            line += " It needs neither root nor a VM.";
        }
        if let Some(since) = &about.since {
            let _ = write!(line, " It needs Linux {since} or newer.");
        }
        line + "\n"
    }

    /// The README without its title, which is the page's.
    fn task(&self) -> Result<String> {
        let path = self.exercise.directory.join("README.md");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let Some(task) = text.strip_prefix(&format!("# {}\n", self.exercise.about.title)) else {
            bail!(
                "{} does not begin with the exercise's title",
                path.display()
            );
        };
        Ok(skip_translation(task))
    }

    fn commands(&self) -> String {
        let name = &self.exercise.name;
        let directory = format!(
            "lessons/{}/exercises/{}",
            self.lesson,
            self.exercise.short_name()
        );
        let files = match self.exercise.about.writes {
            WrittenPart::OneProgram => "edit the one in your language",
            WrittenPart::UserProgram => "edit the one for your library",
            WrittenPart::BothPrograms => "edit the two for your library",
        };
        format!(
            "The files are in `{directory}`; {files}. To start, let the tool \
             check it each time you save:\n\n\
             {SKIP}\n\n```console\n$ cargo xtask watch {name}\n```\n\n\
             To check it once:\n\n\
             {SKIP}\n\n```console\n$ cargo xtask check {name}\n```\n\n\
             `cargo xtask reset {name}` puts the starter back, and keeps a copy of your answer.\n"
        )
    }

    /// Each folded, and what it gives away in its summary.
    fn hints(&self) -> String {
        let hints = (1..).zip(self.exercise.about.hints.iter().zip(HINTS));
        let folded = hints.map(|(number, (hint, gives))| {
            format!(
                "<details>\n<summary>\n\nHint {number} of {}: {gives}\n\n</summary>\n\n{hint}\n\n\
                 </details>\n\n",
                HINTS.len()
            )
        });
        folded.collect()
    }
}

/// Marks the blocks of commands as not to be translated.
fn skip_translation(text: &str) -> String {
    let (mut marked, mut in_block) = (String::new(), false);
    for line in text.lines() {
        let fence = line.starts_with("```");
        if fence && !in_block {
            marked += &format!("{SKIP}\n\n");
        }
        in_block ^= fence;
        marked += line;
        marked.push('\n');
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exercise_has_a_page_with_its_task_hints_and_commands() {
        let pages = read_exercise_pages().unwrap();
        assert_eq!(pages.len(), exercises::read_exercises().unwrap().len());
        for page in pages {
            let (name, about) = (&page.exercise.name, &page.exercise.about);
            let text = page.write_page().unwrap();
            assert_eq!(text.matches("<details>").count(), about.hints.len());
            let readme = fs::read_to_string(page.exercise.directory.join("README.md")).unwrap();
            let lines = readme.lines().skip(1);
            for expected in lines.chain(about.hints.iter().map(String::as_str)) {
                assert!(text.contains(expected), "{name}: {expected}");
            }
            for command in ["watch", "check"] {
                assert!(text.contains(&format!("\n$ cargo xtask {command} {name}\n")));
            }
        }
    }

    #[test]
    fn blocks_in_a_task_are_not_translated() {
        let marked = skip_translation("a\n\n```console\n$ ls\n```\n");
        assert_eq!(marked, format!("a\n\n{SKIP}\n\n```console\n$ ls\n```\n"));
    }
}
