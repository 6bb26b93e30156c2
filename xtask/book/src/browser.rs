//! The book in a headless Chromium: `book/tests`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use problem::{Exit, Problem};
use processes::Foreground;
use requirements::Browser;
use xtask::pipeline::needs;

use crate::render;

/// In `book/tests`: one file for one process, and one browser.
const TESTS: &str = "all.test.mjs";

/// The lock file that `node_modules` was installed from. npm removes it with all the rest before it
/// installs anything.
const INSTALLED: &str = "node_modules/.installed-lock.json";

pub fn test_in_browser(is_built: bool) -> Result<Exit> {
    needs::ensure_needs(&[&Browser])?;
    let book = match is_built {
        true => render::find_book()?,
        false => render::build_book()?,
    };
    let directory = render::source_directory().join("tests");
    install_packages(&directory)?;
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", TESTS])
        .current_dir(&directory)
        .env("BOOK", book);
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

/// Installs what the tests import, unless that is there already.
fn install_packages(directory: &Path) -> Result<()> {
    let lock = directory.join("package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let installed = directory.join(INSTALLED);
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut install = Command::new("npm");
    install
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(directory);
    if !succeeds(install)? {
        return Err(
            Problem::machine("npm could not install what the tests of the book need")
                .help("is there a network? then again: cargo xtask book test")
                .into(),
        );
    }
    fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))
}

fn succeeds(command: Command) -> Result<bool> {
    let (status, _) = Foreground::start_command(command)?.wait_for_exit()?;
    Ok(status.success())
}
