//! What rustup adds to the toolchain of the course.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use checkout::{toolchain, workspace};
use processes::child;

use crate::command;
use crate::site::SetupSite;

/// Whether rustup could do it: there may be none, no way to its server, or a toolchain that it does
/// not manage.
pub fn add_to_toolchain(site: &SetupSite, arguments: [&str; 3]) -> Result<bool> {
    const LIMIT: Duration = Duration::from_secs(120);
    if child::find_program("rustup").is_none() {
        return Ok(false);
    }
    let mut rustup = Command::new("rustup");
    rustup
        .args(arguments)
        .current_dir(workspace::workspace_root());
    if let Some(name) = toolchain::chosen_name() {
        rustup.env("RUSTUP_TOOLCHAIN", name);
    }
    rustup
        .env_remove("RUST_BACKTRACE")
        .env("RUSTUP_MAX_RETRIES", "1");
    Ok(command::run_logged(&mut rustup, &site.log_path("rustup"), LIMIT, || {})?.success())
}
