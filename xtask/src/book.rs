//! `book`: hands over to a program of its own, so that nobody waits for mdBook to be compiled who
//! runs a lesson.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::build;

#[derive(clap::Parser, Debug)]
#[command(disable_help_flag = true)]
pub struct Book {
    /// build, serve, check, test or po; `cargo xtask book --help` says more
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// Ends here only when that fails.
pub fn run(options: &Book) -> Result<Infallible> {
    let program = build::tool("book")?;
    let error = Command::new(&program).args(&options.arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}
