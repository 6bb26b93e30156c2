//! `book`: starts a separate program, so that running a lesson does not wait for mdBook to be
//! compiled.

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
