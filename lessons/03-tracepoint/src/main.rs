//! Who executes what: one event, watched in three ways.

mod aya;
mod event;
mod first;
mod format;
mod libbpf;
mod report;
mod way;
mod workload;

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use common::machine::{self, Need};
use common::ring_buffer::{self, RingBuffer, wait_for_record};
use common::{Implementation, Stop, record, say};

use event::Event;
use way::{EVENT, Way, choose_ways};

/// Shows every program that is executed on this machine: when, by whom, and from which file.
///
/// Needs root. Goes on until Ctrl-C, which detaches and prints a summary. The time is in seconds
/// since the kernel booted, without the time it was suspended.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which of the two implementations to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// How to watch the event; may be given several times. Default: btf, and all three in the demo
    #[arg(long = "way", value_enum, value_name = "WAY")]
    ways: Vec<Way>,
    /// Size of the ring buffer in KiB, a power of two
    #[arg(long, value_name = "KIB", default_value = "256", value_parser = ring_buffer::parse_size)]
    buffer: u32,
    /// Execute a few programs, show what each of the three ways saw of them, and stop
    #[arg(long)]
    demo: bool,
    /// Go on after the demo, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// The chapter's first program: a line of text for each program that is executed
    #[arg(long, conflicts_with_all = ["demo", "follow"])]
    first: bool,
    /// One of the demo's programs: executes the file from a second thread
    #[arg(long, hide = true, value_name = "FILE")]
    from_thread: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    common::exit_code(match &cli.from_thread {
        Some(file) => workload::execute_from_thread(file),
        None if cli.first => first::run_first(cli.implementation),
        None => run(&cli),
    })
}

// ANCHOR: main
fn run(cli: &Cli) -> Result<()> {
    machine::check(env!("CARGO_PKG_NAME"), &[Need::Root])?;
    let wanted = match (&cli.ways[..], cli.demo) {
        ([], true) => &Way::ALL[..],
        ([], false) => &[Way::Btf],
        (ways, _) => ways,
    };
    let ways = choose_ways(wanted, cli.implementation)?;
    if cli.demo {
        report::explain_ways(&ways)?;
    }
    match cli.implementation {
        Implementation::Aya => {
            let mut ebpf = aya::load(&ways, cli.buffer)?;
            aya::attach(&mut ebpf, &ways)?;
            let mut events = aya::read_events(&mut ebpf)?;
            let seen = show_events(cli, &ways, &mut events)?;
            report::show_sum(cli.buffer, seen, aya::read_lost(&ebpf)?)?;
        }
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            let skeleton = libbpf::load(&mut storage, &ways, cli.buffer)?;
            let _links = libbpf::attach(&skeleton, &ways)?;
            let mut events = libbpf::read_events(&skeleton)?;
            let seen = show_events(cli, &ways, &mut events)?;
            report::show_sum(cli.buffer, seen, libbpf::read_lost(&skeleton)?)?;
        }
    }
    say(&format!("detached  {EVENT} is as it was before"))
}
// ANCHOR_END: main

/// Returns how many events it has shown.
fn show_events(cli: &Cli, ways: &[Way], events: &mut dyn RingBuffer) -> Result<u64> {
    let stop = Stop::catch()?;
    let names: Vec<_> = ways.iter().map(|way| way.way_name()).collect();
    say(&format!("attached  to {EVENT} as {}", names.join(", ")))?;
    let mut seen = 0;
    if cli.demo {
        seen += run_demo(ways, events, &stop)?;
    }
    if cli.follow || !cli.demo {
        say("\nnow execute a program in another terminal; Ctrl-C ends this")?;
        say(report::HEADER)?;
        while let Some(bytes) = wait_for_record(events, &stop, None)? {
            say(&report::format_event(&record::from_bytes(&bytes)?))?;
            seen += 1;
        }
    }
    Ok(seen)
}

// ANCHOR: demo
fn run_demo(ways: &[Way], events: &mut dyn RingBuffer, stop: &Stop) -> Result<u64> {
    let mut seen = 0;
    // Shows what each way saw of one execution by this process.
    let mut show = |title: &str, pid: u32| {
        say(title)?;
        let mut of_ways: Vec<Event> = Vec::new();
        // The events arrive at once; this is for a machine that is very busy.
        let deadline = Instant::now() + Duration::from_secs(10);
        while of_ways.len() < ways.len()
            && let Some(bytes) = wait_for_record(events, stop, Some(deadline))?
        {
            let event: Event = record::from_bytes(&bytes)?;
            // Other processes execute programs as well.
            if event.pid == pid || event.filename.starts_with(workload::MISSING.as_bytes()) {
                of_ways.push(event);
            }
        }
        of_ways.sort_by_key(|event| event.way);
        for event in &of_ways {
            say(&report::format_event(event))?;
        }
        seen += of_ways.len() as u64;
        anyhow::Ok(of_ways.first().copied())
    };

    say(&format!("\n{}", report::HEADER))?;
    show(BY_ROOT, workload::execute_loader()?)?;
    let nobody = workload::execute_loader_as_nobody()?;
    show("the same, executed by the user nobody:", nobody)?;
    workload::execute_missing_program()?;
    let this = workload::execute_this_program()?;
    show("this program; it starts a second thread ...:", this)?;
    if let Some(event) = show("... and that thread executes the loader:", this)? {
        report::explain_thread(&event)?;
    }
    say(MISSING_PROGRAM)?;
    Ok(seen)
}
// ANCHOR_END: demo

const MISSING_PROGRAM: &str = "
/no/such/program was executed too, and there is no event: it comes when the new program is in
place. To see attempts that fail, watch the tracepoint sys_enter_execve.";

const BY_ROOT: &str = "the loader, executed by root; COMM is the file's name, cut to 15 bytes:";
