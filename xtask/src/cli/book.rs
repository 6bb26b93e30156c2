//! `book`

use std::ffi::OsString;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(disable_help_flag = true)]
pub struct BookArguments {
    /// build, serve, check, test or po; `cargo xtask book --help` says more
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}
