//! What your own program does: uprobes, and the probe points that it brings.

mod aya;
#[path = "../bench/cost.rs"]
mod cost;
#[path = "../watched/demo.rs"]
mod demo;
mod event;
mod first;
mod libbpf;
mod options;
#[path = "../watched/points.rs"]
mod points;
#[path = "../watched/program.rs"]
mod program;
mod usdt;

use std::env;
use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::slice;

use anyhow::Result;
use clap::Parser;
use common::machine::{self, Need};
use common::ring_buffer::{RingBuffer, wait_for_record};
use common::{Implementation, Stop, elf, record, say};

use event::{EventCounts, PointArgument};
use options::{Cli, Watch};
use usdt::find_points;

const LESSON: &str = env!("CARGO_PKG_NAME");

const NEEDS: [Need; 2] = [Need::Root, Need::Btf];

fn main() -> ExitCode {
    // The demo starts this program once more, to watch it.
    if env::args().nth(1).as_deref() == Some("--target") {
        return common::exit_code(program::obey_commands());
    }
    let result = run(Cli::parse());
    common::exit_code(result.map_err(|error| machine::explain_refusal(LESSON, error)))
}

fn run(cli: Cli) -> Result<()> {
    machine::check(LESSON, &NEEDS)?;
    let chosen = cli.implementation;
    if cli.first {
        return first::watch_getenv(chosen);
    }
    if cli.cost {
        return cost::measure_cost(chosen);
    }
    let stop = Stop::catch()?;
    if cli.demo {
        return demo::show_functions(|watch, show| watch_function(chosen, watch, show));
    }
    if cli.points {
        return demo::show_points(|watch, show| watch_point(chosen, watch, show));
    }
    let watch = cli.watch()?;
    let mut follow = |events: &mut dyn RingBuffer| {
        say("Ctrl-C ends this")?;
        while let Some(bytes) = wait_for_record(events, &stop, None)? {
            say(&watch.format_event(&record::from_bytes(&bytes)?))?;
        }
        Ok(())
    };
    match cli.function {
        Some(_) => watch_function(chosen, &watch, &mut follow),
        None => watch_point(chosen, &watch, &mut follow),
    }
}

/// What to do while the programs are attached.
type Show<'a> = dyn FnMut(&mut dyn RingBuffer) -> Result<()> + 'a;

// ANCHOR: function
fn watch_function(
    implementation: Implementation,
    watch: &Watch,
    show: &mut Show<'_>,
) -> Result<()> {
    let function = elf::find_file_function(&watch.file, &watch.name)?;
    let (name, symbol, offset) = (&watch.name, &function.symbol, function.offset);
    let scope = watch
        .pid
        .map_or("every process".to_owned(), |pid| format!("pid={pid}"));
    say(&format!(
        "\nfunction   {name} of {scope}: symbol {symbol}, file offset {offset:#x}"
    ))?;
    let counts = match implementation {
        Implementation::Aya => {
            let mut ebpf = aya::load(watch.text(), &[PointArgument::NONE; 3])?;
            let enter = ["on_enter", "on_enter_sleepable"][usize::from(watch.sleepable)];
            let exit_link = aya::attach(&mut ebpf, "on_return", watch, offset)?;
            let enter_link = aya::attach(&mut ebpf, enter, watch, offset)?;
            show(&mut aya::read_events(slice::from_mut(&mut ebpf))?)?;
            drop((enter_link, exit_link));
            aya::read_counts(slice::from_ref(&ebpf))?
        }
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            let skeleton = libbpf::load(&mut storage, watch.text(), watch.sleepable)?;
            let programs = &skeleton.progs;
            let enter = [&programs.on_enter, &programs.on_enter_sleepable];
            let enter = enter[usize::from(watch.sleepable)];
            let exit_link = libbpf::attach(&programs.on_return, watch, offset)?;
            let enter_link = libbpf::attach(enter, watch, offset)?;
            show(&mut libbpf::read_events(&skeleton)?)?;
            drop((enter_link, exit_link));
            libbpf::read_counts(&skeleton)?
        }
    };
    show_counts(&counts)
}
// ANCHOR_END: function

fn watch_point(implementation: Implementation, watch: &Watch, show: &mut Show<'_>) -> Result<()> {
    let (provider, name) = watch.split_name()?;
    let points = find_points(&watch.file, provider, name)?;
    for point in &points {
        say(&format!("\npoint      {}: {point}", watch.name))?;
    }
    let counts = match implementation {
        Implementation::Aya => {
            let (links, mut copies) = aya::attach_point(watch, &points)?;
            show(&mut aya::read_events(&mut copies)?)?;
            drop(links);
            aya::read_counts(&copies)?
        }
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            let skeleton = libbpf::load(&mut storage, watch.text(), false)?;
            let link = libbpf::attach_point(&skeleton, watch)?;
            show(&mut libbpf::read_events(&skeleton)?)?;
            drop(link);
            libbpf::read_counts(&skeleton)?
        }
    };
    show_counts(&counts)
}

/// Of all CPUs.
fn show_counts(counts: &[EventCounts]) -> Result<()> {
    let sent: u64 = counts.iter().map(|counts| counts.sent).sum();
    let lost: u64 = counts.iter().map(|counts| counts.lost).sum();
    say(&format!("  sent {sent}, lost {lost}"))
}
