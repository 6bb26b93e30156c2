//! Which files are opened, with what result, and how long it takes.

mod aya;
mod cost;
mod event;
mod libbpf;
mod offsets;
mod row;
mod settings;
mod workload;

use std::mem::MaybeUninit;
use std::process::{self, ExitCode};

use anyhow::Result;
use clap::{ArgGroup, Parser};
use common::btf::Kernel;
use common::machine::{self, Need};
use common::prototype::find_prototype;
use common::ring_buffer::{RingBuffer, wait_for_record};
use common::{Implementation, Stop, record, say};

use event::OpenEvent;
use settings::{ARGUMENTS, FUNCTION, Settings};
use workload::Workload;

const LESSON: &str = env!("CARGO_PKG_NAME");

const NEEDS: [Need; 4] = [Need::Root, Need::Btf, Need::Trampolines, Need::Kprobes];

/// Shows every call that opens a file: which process makes it, its result, and how long it takes.
///
/// Needs root. Without --demo, --cost or --offsets it goes on until Ctrl-C.
#[derive(Parser)]
#[command(version, group(ArgGroup::new("mode").args(["demo", "cost", "offsets"])))]
struct Cli {
    /// Which of the two sets of programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Only calls of this process
    #[arg(long, conflicts_with = "mode")]
    pid: Option<u32>,
    /// Only calls that take at least as long, for example 500us or 10ms
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_nanoseconds)]
    slower_than: u64,
    /// Make a few calls, show what each pair of programs saw, and stop
    #[arg(long)]
    demo: bool,
    /// Go on after the demo, until Ctrl-C
    #[arg(long, requires = "demo")]
    follow: bool,
    /// Measure what each pair of programs adds to a call
    #[arg(long)]
    cost: bool,
    /// Show the offsets of fields in this kernel, and read a field with offsets from three sources
    #[arg(long)]
    offsets: bool,
}

fn parse_nanoseconds(text: &str) -> Result<u64> {
    Ok(humantime::parse_duration(text)?.as_nanos().try_into()?)
}

fn main() -> ExitCode {
    let result = run(&Cli::parse()).map_err(|error| {
        let error = machine::explain_refusal(LESSON, error);
        machine::explain_untraceable(FUNCTION, error)
    });
    common::exit_code(result)
}

fn run(cli: &Cli) -> Result<()> {
    machine::check(LESSON, &NEEDS)?;
    let kernel = Kernel::open()?;
    let prototype = find_prototype(&kernel, FUNCTION, ARGUMENTS, LESSON)?;
    let mut settings = Settings {
        pid: process::id(),
        slower_than: cli.slower_than,
        // The demo shows what happens when there are more calls.
        max_calls: 1,
        real_parent: kernel.offset("task_struct", "real_parent")?,
        tgid: kernel.offset("task_struct", "tgid")?,
    };
    if cli.cost {
        return cost::measure_cost(cli.implementation, settings);
    }
    say(&format!("function   {prototype}"))?;
    if cli.offsets {
        return offsets::show_offsets(cli.implementation, &kernel);
    }
    // First, so that Ctrl-C does not leave the demo's pipe in the file system.
    let stop = Stop::catch()?;
    if cli.demo {
        let workload = Workload::prepare_reader()?;
        watch_calls(cli, &settings, |events| run_demo(events, workload, &stop))?;
    }
    if cli.follow || !cli.demo {
        settings.pid = cli.pid.unwrap_or(0);
        settings.max_calls = 10_240;
        watch_calls(cli, &settings, |events| follow_calls(events, &stop))?;
    }
    Ok(())
}

// ANCHOR: main
fn watch_calls(
    cli: &Cli,
    settings: &Settings,
    show_events: impl FnOnce(&mut dyn RingBuffer) -> Result<()>,
) -> Result<()> {
    // To attach kprobes, both libraries open files: fentry comes last, so it does not see that.
    match cli.implementation {
        Implementation::Aya => {
            let mut ebpf = aya::load(&mut aya::open(settings)?)?;
            let kprobe = aya::attach_kprobe(&mut ebpf)?;
            let fentry = aya::attach_fentry(&mut ebpf)?;
            let mut events = aya::read_events(&mut ebpf)?;
            show_events(&mut events)?;
            drop((fentry, kprobe));
            row::show_totals(|pair| aya::read_totals(&ebpf, pair))?;
        }
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            let skeleton = libbpf::load(libbpf::open(&mut storage, settings)?)?;
            let kprobe = libbpf::attach_kprobe(&skeleton)?;
            let fentry = libbpf::attach_fentry(&skeleton)?;
            let mut events = libbpf::read_events(&skeleton)?;
            show_events(&mut events)?;
            drop((fentry, kprobe));
            row::show_totals(|pair| libbpf::read_totals(&skeleton, pair))?;
        }
    }
    say(&format!("\ndetached   {FUNCTION} is as it was before"))
}
// ANCHOR_END: main

fn run_demo(events: &mut dyn RingBuffer, workload: Workload, stop: &Stop) -> Result<()> {
    say(&format!("attached   two pairs of programs to {FUNCTION}"))?;
    say("demo       opens a file, makes calls that fail, and waits for the other end of a pipe;")?;
    say("           while it waits, that call takes the only place that the maps have")?;
    workload.open_files(stop)?;
    // Every call has returned, so every program has run: all events are in the ring buffer.
    let mut seen = Vec::new();
    while let Some(bytes) = events.next_record()? {
        seen.push(record::from_bytes::<OpenEvent>(&bytes)?);
    }
    // Calls of which nobody knows when they began come last.
    seen.sort_by_key(|event| (event.seen_by, event.start == 0, event.start));
    say(&format!("\n{}", row::HEADER))?;
    for event in &seen {
        say(&row::format_event(event))?;
    }
    Ok(())
}

fn follow_calls(events: &mut dyn RingBuffer, stop: &Stop) -> Result<()> {
    say("now open a file in another terminal; Ctrl-C ends this\n")?;
    say(row::HEADER)?;
    while let Some(bytes) = wait_for_record(events, stop, None)? {
        say(&row::format_event(&record::from_bytes(&bytes)?))?;
    }
    Ok(())
}
