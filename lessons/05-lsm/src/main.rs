//! A policy: one process tree may not open what lies in one directory.

mod aya;
mod command;
mod demo;
#[path = "../ebpf/src/event.rs"]
mod event;
mod libbpf;
mod offsets;
mod policy;
mod report;
mod session;
mod workload;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{self, ExitCode};

use anyhow::Result;
use clap::Parser;
use clap::builder::RangedU64ValueParser;
use common::Implementation;
use common::machine::{self, Need};

use command::NotStarted;
use policy::{Directory, Policy};
use session::Session;
use workload::Deed;

const NEEDS: [Need; 3] = [Need::Root, Need::Btf, Need::Jit];

/// Runs COMMAND under a policy: it and all that descend from it may not open, execute, rename or
/// link what lies under a directory. Everyone else may.
///
/// Needs root. The policy holds until COMMAND and all its descendants have ended, or until lsm
/// itself is killed; then COMMAND is killed too. lsm ends with the exit status of COMMAND, or with
/// 128 and the number of the signal that ended it; with 126 or 127 when COMMAND could not be
/// started, with 1 when the policy failed, and with 3 when this machine cannot have one.
///
/// Not covered: files that are open already; creating, removing and looking up names (stat,
/// O_PATH); another file system that is mounted inside of the directory; other names (hard links)
/// that a file inside has outside; what COMMAND makes a process do that is not its descendant.
/// COMMAND as root can kill lsm: this is a guard rail, no jail.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which of the two programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// The directory that is closed to COMMAND
    #[arg(long, value_name = "DIR", required_unless_present_any = ["demo", "deeds"])]
    deny: Option<PathBuf>,
    /// Let everything through, and only report it
    #[arg(long)]
    audit: bool,
    /// How many threads and processes can be covered at a time; COMMAND cannot start more
    #[arg(long, value_name = "NUMBER", default_value = "16384", value_parser = RangedU64ValueParser::<u32>::new().range(1..=1 << 20))]
    max_tasks: u32,
    /// Attach a second program behind the policy, and say what the kernel asked it
    #[arg(long)]
    witness: bool,
    /// Print reports and summary as JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Print no reports, only the summary
    #[arg(long)]
    quiet: bool,
    /// Print to this file; standard output then belongs to COMMAND
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Run a prepared COMMAND under three policies, and show what happens
    #[arg(long, conflicts_with_all = ["deny", "command"])]
    demo: bool,
    /// What the demo's COMMAND does
    #[arg(long, hide = true, value_delimiter = ',')]
    deeds: Vec<Deed>,
    /// The command and its arguments
    #[arg(last = true, required_unless_present_any = ["demo", "deeds"])]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = error.downcast_ref().map(NotStarted::code);
            let usual = common::exit_code(Err(error));
            code.map_or(usual, ExitCode::from)
        }
    }
}

fn run(cli: &Cli) -> Result<u8> {
    if !cli.deeds.is_empty() {
        return workload::run(&cli.deeds).map(|()| 0);
    }
    machine::check(env!("CARGO_PKG_NAME"), &NEEDS)?;
    policy::check_active(&machine::active_lsms()?)?;
    let (Some(directory), Some((command, arguments))) = (&cli.deny, cli.command.split_first())
    else {
        return demo::run(cli.implementation).map(|()| 0);
    };
    let policy = Policy {
        directory: Directory::find(directory)?,
        audit: cli.audit,
        pid: process::id(),
        max_tasks: cli.max_tasks,
        witness: cli.witness,
        command: command.clone(),
        arguments: arguments.to_vec(),
    };
    let mut session = Session::new(&policy, cli)?;
    match cli.implementation {
        Implementation::Aya => aya::run(&policy, &mut session),
        Implementation::Libbpf => libbpf::run(&policy, &mut session),
    }
}
