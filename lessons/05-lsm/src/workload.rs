//! The processes of the demo: COMMAND, a child that it leaves behind, and what they execute.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, mem};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use common::{Stop, say, text, wait_until};
use nix::sys::prctl::set_name;

pub const NOTES: &str = "notes.txt";
pub const PLAN: &str = "secret/plan.txt";
pub const DEEP_PLAN: &str = "secret/a/b/plan.txt";
pub const PROGRAM: &str = "secret/program";
const STOLEN: &str = "stolen.txt";

// Marks are files by which the processes tell each other how far they are.
pub const CHILD_DONE: &str = "child-done";
pub const COMMAND_DONE: &str = "command-done";
pub const DEMO_DONE: &str = "demo-done";

#[derive(Clone, Copy, ValueEnum)]
pub enum Role {
    /// COMMAND: tries everything, and leaves a child behind
    Command,
    /// COMMAND: only leaves a child behind
    Parent,
    /// A child that opens a file, and another one when its parent has ended
    Child,
}

pub fn play_role(role: Role) -> Result<u8> {
    match role {
        Role::Command => {
            set_name(c"command")?;
            show_result("command open", NOTES, File::open(NOTES))?;
            show_result("command open", PLAN, File::open(PLAN))?;
            let exec = Command::new(PROGRAM).arg("--version").output();
            show_result("command exec", PROGRAM, exec)?;
            let link = fs::hard_link(PLAN, STOLEN);
            let link = link.and_then(|()| fs::remove_file(STOLEN));
            show_result("command link", PLAN, link)?;
            let rename = fs::rename(PLAN, STOLEN);
            let rename = rename.and_then(|()| fs::rename(STOLEN, PLAN));
            show_result("command rename", PLAN, rename)?;
            leave_child()?;
        }
        Role::Parent => leave_child()?,
        Role::Child => {
            set_name(c"child")?;
            show_result("child open", PLAN, File::open(PLAN))?;
            create_mark(CHILD_DONE)?;
            // The parent holds the other end, and closes it by ending.
            io::copy(&mut io::stdin(), &mut io::sink())?;
            set_name(c"orphan")?;
            show_result("orphan open", DEEP_PLAN, File::open(DEEP_PLAN))?;
        }
    }
    Ok(0)
}

fn leave_child() -> Result<()> {
    let mut child = Command::new(env::current_exe()?);
    let child = child
        .args(["--role", "child"])
        .stdin(Stdio::piped())
        .spawn();
    // Dropping it would close its standard input.
    mem::forget(child.context("cannot start a process of the demo")?);
    // Ctrl-C simply ends COMMAND and its child.
    wait_for_mark(CHILD_DONE, None)?;
    create_mark(COMMAND_DONE)?;
    wait_for_mark(DEMO_DONE, None)
}

pub fn show_result<T>(action: &str, path: &str, result: io::Result<T>) -> Result<()> {
    let result = match result {
        Ok(_) => "done".to_owned(),
        Err(error) => text::io_error(&error),
    };
    say(&format!("  {action:<15} {path:<20} {result}"))
}

pub fn create_mark(name: &str) -> Result<()> {
    fs::write(name, "").with_context(|| format!("cannot create {name}"))
}

pub fn wait_for_mark(name: &str, stop: Option<&Stop>) -> Result<()> {
    let what = format!("the file {name} exists");
    wait_until(&what, stop, || Ok(Path::new(name).exists()))
}
