//! `book`: hands over to a program of its own, so that nobody waits for mdBook to be compiled who
//! runs a lesson.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::pipeline::build;

/// Ends here only when that fails.
pub fn start_book(arguments: &[OsString]) -> Result<Infallible> {
    let program = build::build_tool("book")?;
    let error = Command::new(&program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}
