//! Tables made of what the repository knows: what a lesson needs, its exercises, what its programs
//! cost.

use std::fs;

use anyhow::{Context, Result};
use course::catalog::{self, Lesson, StepPlace};
use course::exercises;
use serde::Deserialize;

use crate::exercise_page;

fn lesson(number: &str) -> Result<Lesson> {
    Ok(catalog::find_lesson(&catalog::read_lessons()?, number)?.clone())
}

/// `{{#needs 01}}`
pub fn needs_table(number: &str) -> Result<String> {
    let lesson = lesson(number)?;
    let about = &lesson.about;
    let list = |items: &[String]| {
        if items.is_empty() {
            "none".to_owned()
        } else {
            items.join(", ")
        }
    };
    let mut kernel = format!("Linux {} or newer: {}", about.oldest_kernel, about.why);
    if let Some(arm64) = &about.arm64 {
        kernel += &format!(". On arm64 {} or newer: {}", arm64.oldest_kernel, arm64.why);
    }
    let rows = [
        ("Kernel", kernel),
        ("Hooks", list(&about.hooks)),
        ("Maps", list(&about.maps)),
        (
            "Rights",
            "none on your machine; the VM's programs run as its root. With `--host`: root"
                .to_owned(),
        ),
        (
            "Run it",
            format!("`cargo xtask run {number}`, or with `--impl libbpf`, `--kernel all`"),
        ),
    ];
    Ok(format!(
        "| what | which |\n|---|---|\n{}",
        rows.map(|(name, text)| format!("| **{name}** | {text} |\n"))
            .concat()
    ))
}

/// `{{#exercises 01}}`
pub fn exercises_table(number: &str) -> Result<String> {
    let lesson = lesson(number)?;
    let exercises = exercises::read_exercises()?;
    let of_lesson = exercises
        .iter()
        .filter(|exercise| exercise.lesson_number() == number);
    let rows = of_lesson.map(|exercise| {
        let place = if exercise.about.place == StepPlace::Here {
            ", without a VM"
        } else {
            ""
        };
        format!(
            "| [`{}`]({}) | {} | {}{}{place} |\n",
            exercise.name,
            exercise_page::exercise_link(&lesson, exercise),
            exercise.about.title,
            exercise_page::describe_kind(exercise.about.kind),
            exercise_page::describe_written_part(exercise.about.writes)
        )
    });
    let rows: String = rows.collect();
    Ok(format!(
        "| exercise | you build | how |\n|---|---|---|\n{rows}"
    ))
}

/// A line of `cargo xtask bench --json`: a program in both languages.
#[derive(Deserialize)]
struct Pair {
    program: String,
    aya: Cost,
    libbpf: Cost,
    kernel: String,
}

#[derive(Deserialize)]
struct Cost {
    instructions: f64,
    jited_bytes: f64,
    executed_per_run: Option<f64>,
}

/// `{{#bench 04}}`, from the lesson's `bench.jsonl`.
pub fn bench_table(number: &str) -> Result<String> {
    let lesson = lesson(number)?;
    let path = lesson.directory.join("bench.jsonl");
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {0}: cargo xtask bench {number} --json > {0}",
            path.display()
        )
    })?;
    let pairs = text.lines().map(serde_json::from_str::<Pair>);
    let pairs = pairs
        .collect::<Result<Vec<_>, _>>()
        .context("cannot parse the bench's figures")?;
    let kernel = pairs
        .first()
        .map(|pair| pair.kernel.clone())
        .context("the bench has no figures")?;
    let rows = pairs.iter().map(|pair| {
        let row = |language, cost| cost_row(&pair.program, language, cost);
        row("Rust", &pair.aya) + &row("C", &pair.libbpf)
    });
    let rows: String = rows.collect();
    Ok(format!(
        "| program | in | instructions; machine code | machine instructions a run |\n\
         |---|---|---|---|\n{rows}\n\
         Measured on Linux {kernel} with `cargo xtask bench {number}`. The last column counts all \
         that the program calls.\n"
    ))
}

fn cost_row(program: &str, language: &str, cost: &Cost) -> String {
    let executed = cost
        .executed_per_run
        .map_or_else(|| "not run".to_owned(), |count| format!("{count:.0}"));
    format!(
        "| `{program}` | {language} | {:.0}; {:.0} bytes | {executed} |\n",
        cost.instructions, cost.jited_bytes
    )
}
