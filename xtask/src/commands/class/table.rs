//! The overview of a class, for people.

use textwrap::core::display_width;

use crate::commands::class::overview::{CheckRow, ClassOverview, ExerciseRow, LearnerRow};

/// No line is longer, unless a class has more lessons than fit.
const COLUMNS: usize = 99;

/// A longer name is cut.
const NAME: usize = 24;

/// So many names are told; more are only counted.
const FEW: usize = 3;

/// So many checks are told.
const CHECKS: usize = 10;

const NOT_BEGUN: &str = "Checks at which each answer fails as the starter does, perhaps not begun";

pub fn format_overview(overview: &ClassOverview) -> String {
    let mut text = learners_as_table(&overview.learners);
    text += "\nWho is done with what:\n";
    text += &exercises_as_text(&overview.exercises);
    text += &checks_as_text(&overview.checks);
    if !overview.broken.is_empty() {
        text += "\nFiles that could not be read:\n";
    }
    for broken in &overview.broken {
        // Whole: a person looks for the file.
        text += &format!(
            "  {}: {}\n",
            printable(&broken.file),
            printable(&broken.why)
        );
    }
    text
}

fn learners_as_table(learners: &[LearnerRow]) -> String {
    let names: Vec<String> = learners.iter().map(|it| cut(&it.learner, NAME)).collect();
    let widths = names.iter().map(|name| display_width(name));
    let width = widths.max().unwrap_or(0).max("learner".len());
    let lessons = learners.first().map_or(&[][..], |learner| &learner.lessons);
    let head = lessons
        .iter()
        .map(|it| format!("  {:<5}", printable(&it.lesson)));
    let mut table = format!(
        "{}{}  all\n",
        pad("learner", width),
        head.collect::<String>()
    );
    for (learner, name) in learners.iter().zip(&names) {
        table += &pad(name, width);
        for lesson in &learner.lessons {
            table += &format!("  {:<5}", format!("{}/{}", lesson.done, lesson.of));
        }
        table += &format!("  {}/{}\n", learner.done, learner.of);
    }
    for learner in learners.iter().filter(|it| !it.not_checked.is_empty()) {
        let (name, missing) = (&learner.learner, &learner.not_checked);
        let note = format!(
            "{name}: the file has no answer to {} of {} exercises: {}",
            missing.len(),
            learner.of,
            missing.join(", ")
        );
        table += &format!("{}\n", cut(&note, COLUMNS));
    }
    table
}

fn exercises_as_text(exercises: &[ExerciseRow]) -> String {
    let widths = exercises.iter().map(|it| display_width(&it.exercise));
    let width = widths.max().unwrap_or(0);
    let mut text = String::new();
    for row in exercises {
        let (done, all) = (row.done_by.len(), row.done_by.len() + row.pending.len());
        let names = match (&row.done_by[..], &row.pending[..]) {
            (_, []) => "  all".to_owned(),
            ([], _) => String::new(),
            (_, few) if few.len() <= FEW => format!("  not yet: {}", few.join(", ")),
            (few, _) if few.len() <= FEW => format!("  only: {}", few.join(", ")),
            _ => String::new(),
        };
        let name = pad(&printable(&row.exercise), width);
        let line = format!("  {name}  {done:>3} of {all}{names}");
        text += &format!("{}\n", cut(&line, COLUMNS));
    }
    text
}

fn checks_as_text(checks: &[CheckRow]) -> String {
    let stopping: Vec<&CheckRow> = checks.iter().filter(|row| row.stuck() > 0).collect();
    let mut text = String::new();
    if !stopping.is_empty() {
        text += "\nWhich check stops most people:\n";
    }
    for row in stopping.iter().take(CHECKS) {
        let CheckRow {
            exercise,
            check,
            example,
            ..
        } = row;
        for line in [
            format!("  {exercise}: {check}"),
            format!("    {}", people(row)),
            format!("    {}: {}", example.learner, example.why),
        ] {
            text += &format!("{}\n", cut(&line, COLUMNS));
        }
    }
    let (more, unbegun) = (
        stopping.len().saturating_sub(CHECKS),
        checks.len() - stopping.len(),
    );
    if more > 0 {
        text += &format!("  and {more} more: --json lists them\n");
    }
    if unbegun > 0 {
        text += &format!("\n{NOT_BEGUN}: {unbegun}\n");
    }
    text
}

fn people(row: &CheckRow) -> String {
    let people = match row.learners.len() {
        1 => "1 learner".to_owned(),
        number => format!("{number} learners"),
    };
    match row.as_starter {
        0 => people,
        number => format!("{people}, of whom {number} fail as the starter does"),
    }
}

/// Fills up to a width in columns: a Korean letter takes two.
fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(display_width(text));
    format!("{text}{:missing$}", "")
}

/// At most so many columns of it.
fn cut(text: &str, width: usize) -> String {
    const MORE: &str = "...";
    let text = printable(text);
    if display_width(&text) <= width {
        return text;
    }
    let mut begin = String::new();
    for character in text.chars() {
        begin.push(character);
        if display_width(&begin) > width - MORE.len() {
            begin.pop();
            break;
        }
    }
    begin + MORE
}

/// A file of another person may hold anything; a terminal obeys some of it.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::class::overview::tests::sample;

    #[test]
    fn a_class_is_one_table() {
        insta::assert_snapshot!(format_overview(&sample().unwrap()));
    }

    #[test]
    fn a_wide_letter_takes_two_columns() {
        assert_eq!(pad("김민수", 8), "김민수  ");
        // As a Mac writes it: each letter in its parts.
        assert_eq!(
            pad("\u{1100}\u{1175}\u{11b7}", 4),
            "\u{1100}\u{1175}\u{11b7}  "
        );
        assert_eq!(cut("김민수", 6), "김민수");
        assert_eq!(cut("김민수와", 6), "김...");
        assert_eq!(cut("a\x1b[2Jb\n", 10), "a [2Jb ");
    }
}
