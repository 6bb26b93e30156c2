//! Hello from a kprobe: who removes files, and does it work?

mod aya;
mod aya_log;
mod event;
mod first;
mod libbpf;
mod workload;

use std::mem::MaybeUninit;
use std::process::{self, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use common::machine::{self, Need};
use common::ring_buffer::{RingBuffer, wait_for_record};
use common::trace_pipe::TracePipe;
use common::{Implementation, Stop, kallsyms, record, say, text};

use event::{ENTER, EXIT, Event};

const LESSON: &str = env!("CARGO_PKG_NAME");

const NEEDS: [Need; 4] = [Need::Root, Need::Kprobes, Need::Btf, Need::Tracefs];

/// The function that removes a file: `(int dirfd, struct filename *name)` under both names. It is
/// called do_unlinkat up to Linux 6.19, and filename_unlinkat since Linux 7.0.
const FUNCTIONS: [&str; 2] = ["do_unlinkat", "filename_unlinkat"];

/// The demo's events arrive at once; this is for a machine that is very busy.
const DEMO_LIMIT: Duration = Duration::from_secs(10);

/// Watches the kernel function that removes files: a kprobe shows what goes in, a kretprobe what
/// comes out.
///
/// Needs root. Without --demo it shows the files that every program removes, until Ctrl-C.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which of the two programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Remove two files, one that exists and one that does not, show what was seen, and stop
    #[arg(long)]
    demo: bool,
    /// Go on after the demo, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// The demo with the messages of aya-log
    #[arg(long, conflicts_with_all = ["demo", "follow"])]
    log: bool,
    /// The chapter's first program: a line of text for each file that is removed
    #[arg(long, conflicts_with_all = ["demo", "follow", "log"])]
    first: bool,
}

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
}

// ANCHOR: main
fn run(cli: &Cli) -> Result<()> {
    machine::check(LESSON, &NEEDS)?;
    if cli.first {
        return first::run_first(cli.implementation);
    }
    let function = kallsyms::find_function(LESSON, &FUNCTIONS)?;
    if cli.log {
        ensure!(
            cli.implementation == Implementation::Aya,
            "cannot show aya-log with libbpf: it is a library for programs in Rust"
        );
        return aya_log::run_demo(function);
    }
    match cli.implementation {
        Implementation::Aya => {
            let mut ebpf = aya::load()?;
            aya::attach(&mut ebpf, function)?;
            let mut events = aya::read_events(&mut ebpf)?;
            show_events(cli, function, &mut events)?;
        }
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            let skeleton = libbpf::load(&mut storage)?;
            let _links = libbpf::attach(&skeleton, function)?;
            let mut events = libbpf::read_events(&skeleton)?;
            show_events(cli, function, &mut events)?;
        }
    }
    say(&format!("\ndetached  {function} is as it was before"))
}
// ANCHOR_END: main

fn show_events(cli: &Cli, function: &str, events: &mut dyn RingBuffer) -> Result<()> {
    let stop = Stop::catch()?;
    say(&format!("attached  a kprobe and a kretprobe to {function}"))?;
    if cli.demo {
        run_demo(events, &stop)?;
    }
    if cli.follow || !cli.demo {
        say("\nnow remove a file in another terminal; Ctrl-C ends this")?;
        while let Some(bytes) = wait_for_record(events, &stop, None)? {
            say(&line(&record::from_bytes(&bytes)?))?;
        }
    }
    Ok(())
}

// ANCHOR: demo
fn run_demo(events: &mut dyn RingBuffer, stop: &Stop) -> Result<()> {
    let mut trace_pipe = TracePipe::open()?;
    say("demo      removes there.txt, which exists, and missing.txt, which does not")?;
    workload::remove_two_files()?;

    say("\nevents through the ring buffer:")?;
    let deadline = Instant::now() + DEMO_LIMIT;
    let mut seen = 0;
    while seen < workload::EVENTS
        && let Some(bytes) = wait_for_record(events, stop, Some(deadline))?
    {
        let event: Event = record::from_bytes(&bytes)?;
        // Other processes remove files as well.
        if event.pid == process::id() {
            say(&line(&event))?;
            seen += 1;
        }
    }

    say("\nthe same from trace_pipe, without its columns for task, CPU, flags and time:")?;
    for line in trace_pipe.read_lines()? {
        if line.starts_with(&format!("pid={} ", process::id())) {
            say(&format!("  {line}"))?;
        }
    }
    Ok(())
}
// ANCHOR_END: demo

/// The event as a line, with the numbers explained that a reader cannot know by heart.
fn line(event: &Event) -> String {
    let Event { pid, value, .. } = *event;
    match event.kind {
        ENTER => {
            let name = text::printable(text::until_nul(&event.name));
            format!(
                "  pid={pid} enter dirfd={value}{} name={name}",
                directory(value)
            )
        }
        EXIT => match text::describe_errno(value.into()) {
            Some(error) => format!("  pid={pid} exit ret={value} (-{error})"),
            None => format!("  pid={pid} exit ret={value}"),
        },
        kind => format!("  pid={pid} sent an event of the unknown kind {kind}"),
    }
}

fn directory(dirfd: i32) -> &'static str {
    match dirfd {
        -100 => " (AT_FDCWD: the current directory)",
        _ => "",
    }
}
