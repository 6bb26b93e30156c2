//! `list`, and what `cargo xtask` alone says.

use anyhow::Result;
use serde_json::json;

use crate::catalog::{self, Implementation, Lesson};
use crate::problem::Exit;
use crate::screen;

pub fn run(json: bool) -> Result<Exit> {
    let lessons = catalog::lessons()?;
    let text = if json { as_json(&lessons)? } else { as_table(&lessons) };
    screen::answer(text.as_bytes())?;
    if !json && let Some(first) = lessons.first() {
        screen::note(&format!("next: cargo xtask run {}", first.number));
    }
    Ok(Exit::Done)
}

/// `cargo xtask` without a command.
pub fn welcome() -> Result<Exit> {
    let lessons = catalog::lessons()?;
    screen::answer(as_table(&lessons).as_bytes())?;
    screen::answer(WELCOME.as_bytes())?;
    Ok(Exit::Done)
}

fn as_table(lessons: &[Lesson]) -> String {
    let mut table = String::from("    lesson         aya  libbpf  from\n");
    for lesson in lessons {
        let about = &lesson.about;
        table += &format!(
            "{}  {:<14} {:<4} {:<7} {:<6} {}\n{:35}hooks: {}; maps: {}\n",
            lesson.number,
            lesson.name,
            has(lesson, "aya"),
            has(lesson, "libbpf"),
            about.oldest_kernel,
            about.title,
            "",
            or_none(&about.hooks),
            or_none(&about.maps),
        );
    }
    table
}

fn has(lesson: &Lesson, implementation: &str) -> &'static str {
    let there = lesson.folder.join("src").join(implementation).with_extension("rs").exists();
    if there { screen::Mark::Good.symbol() } else { "-" }
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn as_json(lessons: &[Lesson]) -> Result<String> {
    let list: Vec<_> = lessons
        .iter()
        .map(|lesson| {
            json!({
                "number": lesson.number,
                "name": lesson.name,
                "title": lesson.about.title,
                "hooks": lesson.about.hooks,
                "maps": lesson.about.maps,
                "oldest_kernel": lesson.about.oldest_kernel,
                "why": lesson.about.why,
                "implementations": Implementation::ALL,
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&list)? + "\n")
}

const WELCOME: &str = "
  cargo xtask run 00      a first look; the first part needs neither root nor a VM
  cargo xtask run 01      a real program in a real kernel
  cargo xtask doctor      what this machine has and lacks
  cargo xtask --help      all commands
";
