//! A policy: one process tree may not open the files under one directory.

mod aya;
mod demo;
mod event;
mod libbpf;
mod policy;
mod report;
mod workload;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use common::machine::{self, Need};
use common::ring_buffer::RingBuffer;
use common::{Implementation, record, text};

use event::{ASKED_WITH_VERDICT, ASKED_WITH_ZERO, COUNT_SLOTS, LOST, OPEN, PolicyEvent, SENT};
use policy::Policy;
use workload::Role;

const LESSON: &str = env!("CARGO_PKG_NAME");

const NEEDS: [Need; 3] = [Need::Root, Need::Btf, Need::Trampolines];

/// How long to sleep at most before looking at the processes again.
const MOMENT: Duration = Duration::from_millis(100);

/// Runs COMMAND under a policy: COMMAND and all its descendants may not open, execute, rename or
/// link the files under a directory. All other processes may.
///
/// Needs root. The policy lasts until COMMAND and all its descendants have ended, or until lsm
/// itself is killed; then COMMAND is killed too. lsm ends with the exit status of COMMAND, or with
/// 128 plus the number of the signal that ended it; with 126 or 127 if COMMAND could not be
/// started, with 1 if the policy failed, and with 3 if this machine cannot enforce one.
///
/// Not covered: files that are already open; creating, removing and looking up names (stat,
/// O_PATH); another file system that is mounted inside the directory; other names (hard links) that
/// a file inside has outside; what COMMAND makes a process do that is not its descendant. If
/// COMMAND runs as root, it can kill lsm: this is a guard rail, not a jail.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which of the two sets of programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// The directory that is closed to COMMAND
    #[arg(long, value_name = "DIR", required_unless_present_any = ["demo", "role"])]
    deny: Option<PathBuf>,
    /// Deny nothing, and only report
    #[arg(long)]
    audit: bool,
    /// How many threads and processes can be covered at the same time; COMMAND cannot start more
    #[arg(long, value_name = "NUMBER", default_value = "16384")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    max_tasks: u32,
    /// Write the reports to this file; standard output is then only COMMAND's
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Run a prepared COMMAND under three policies, and show what happens
    #[arg(long, conflicts_with_all = ["deny", "command"])]
    demo: bool,
    /// A process of the demo
    #[arg(long, hide = true)]
    role: Option<Role>,
    /// The command and its arguments
    #[arg(last = true, required_unless_present_any = ["demo", "role"])]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => common::exit_code(Err(machine::explain_refusal(LESSON, error))),
    }
}

// ANCHOR: main
fn run(cli: &Cli) -> Result<u8> {
    if let Some(role) = cli.role {
        return workload::play_role(role);
    }
    machine::check(LESSON, &NEEDS)?;
    machine::check_bpf_lsm(LESSON)?;
    let Some(directory) = &cli.deny else {
        return demo::run_demo(cli.implementation);
    };
    let policy = Policy::new(directory, cli.audit, cli.max_tasks)?;
    match cli.implementation {
        Implementation::Aya => {
            let mut ebpf = aya::load(&policy)?;
            aya::attach(&mut ebpf)?;
            let mut events = aya::read_events(&mut ebpf)?;
            watch_command(cli, &policy, &mut events, || aya::read_counts(&ebpf))
        }
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            let skeleton = libbpf::load(&mut storage, &policy)?;
            let _links = libbpf::attach(&skeleton)?;
            let mut events = libbpf::read_events(&skeleton)?;
            watch_command(cli, &policy, &mut events, || libbpf::read_counts(&skeleton))
        }
    }
}
// ANCHOR_END: main

// ANCHOR: watch
fn watch_command(
    cli: &Cli,
    policy: &Policy,
    events: &mut dyn RingBuffer,
    read_counts: impl Fn() -> Result<[u64; COUNT_SLOTS]>,
) -> Result<u8> {
    let mut out: Box<dyn Write> = match &cli.output {
        Some(path) => Box::new(File::create(path).context("cannot create the file")?),
        None => Box::new(io::stdout()),
    };
    let mut command = policy.start_command(&cli.command)?;
    let start = check_test(events, command.pid)?;
    let directory = text::printable(policy.directory.as_os_str().as_encoded_bytes());
    let verdict = if cli.audit { "let through" } else { "denied" };
    writeln!(out, "policy    access to files in {directory}: {verdict}")?;
    writeln!(out, "test      its process opened {directory}: {verdict}")?;
    writeln!(out, "{}", report::HEADER)?;
    loop {
        // In this order: when nothing runs any more, all events are in the ring buffer.
        let is_running = command.is_running()?;
        while let Some(bytes) = events.next_record()? {
            let event = record::from_bytes(&bytes)?;
            writeln!(out, "{}", report::format_event(&event, policy, start))?;
        }
        if !is_running {
            break;
        }
        events.wait(MOMENT)?;
    }
    let counts = read_counts()?;
    // The counts include the test, which the witness saw only in an audit.
    let (sent, lost) = (counts[SENT] - 1, counts[LOST]);
    let zero = counts[ASKED_WITH_ZERO] - u64::from(cli.audit);
    let other = counts[ASKED_WITH_VERDICT];
    let code = command.exit_code();
    writeln!(out, "reports   {sent}, of which {lost} were lost")?;
    writeln!(
        out,
        "witness   asked with the previous verdict 0: {zero} times; with another: {other} times"
    )?;
    let ended = "COMMAND and all its descendants; its exit status is";
    writeln!(out, "ended     {ended} {code}")?;
    Ok(code)
}
// ANCHOR_END: watch

// ANCHOR: test
/// The first event is about the test that the process made before it became COMMAND. Returns its
/// time.
fn check_test(events: &mut dyn RingBuffer, pid: u32) -> Result<u64> {
    let first = events
        .next_record()?
        .context("the test of the policy was not reported")?;
    let first: PolicyEvent = record::from_bytes(&first)?;
    ensure!(
        first.pid == pid && first.steps == 0 && first.action == OPEN,
        "the first report is not about the test of the policy"
    );
    Ok(first.time)
}
// ANCHOR_END: test
