//! The book in a headless Chromium: `book/tests`.

use std::process::Command;

use anyhow::Result;
use problem::{Exit, Problem};
use processes::Foreground;
use requirements::Browser;
use xtask::pipeline::needs;

use crate::render;

/// In `book/tests`.
const TESTS: [&str; 2] = ["browser.test.mjs", "explorer.test.mjs"];

pub fn test_in_browser() -> Result<Exit> {
    needs::ensure_needs(&[&Browser])?;
    let book = render::build_book()?;
    let directory = render::source_directory().join("tests");
    let mut install = Command::new("npm");
    install
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(&directory);
    if !succeeds(install)? {
        return Err(
            Problem::machine("npm could not install what the tests of the book need")
                .help("is there a network? then again: cargo xtask book test")
                .into(),
        );
    }
    let mut node = Command::new("node");
    // One browser at a time, so that slow machines keep the limits.
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(TESTS);
    node.current_dir(&directory).env("BOOK", book);
    if let Some(browser) = requirements::browser::find_browser() {
        node.env("BROWSER", browser);
    }
    if succeeds(node)? {
        return Ok(Exit::Done);
    }
    Err(Problem::new(Exit::NotYet, "the book failed in the browser")
        .help("cargo xtask book test")
        .into())
}

fn succeeds(command: Command) -> Result<bool> {
    let (status, _) = Foreground::start_command(command)?.wait_for_exit()?;
    Ok(status.success())
}
