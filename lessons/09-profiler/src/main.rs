//! Where the CPUs spend their time: stacks, sampled and counted in the kernel.

mod aya;
mod event;
mod libbpf;
mod report;
mod settings;
mod stack;
mod workload;

use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use blazesym::symbolize::Symbolizer;
use clap::{Parser, value_parser};
use common::machine::{self, Need};
use common::{Implementation, OutputFile, Stop, say};
use inferno::flamegraph::Options;

use event::SampleTotals;
use settings::Settings;
use stack::{NamedStacks, SampledStack, name_stacks};
use workload::{BUILDS, Workload};

const LESSON: &str = env!("CARGO_PKG_NAME");

/// Enough for the same shares at each run.
const DEMO_SAMPLES: u64 = 300;
const DEMO_FREQUENCY: u64 = 997;

/// Shows in which functions the CPUs spend their time, and who calls them.
///
/// Needs root. Without --demo or --seconds it goes on until Ctrl-C.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which of the two programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Only this process
    #[arg(long, value_parser = value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// How often a second, on each CPU
    #[arg(long, value_name = "HZ", default_value = "99")]
    frequency: NonZeroU64,
    /// Stop after this time
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// How many different stacks to keep
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    #[arg(value_parser = value_parser!(u32).range(1..=1 << 20))]
    max_stacks: u32,
    /// Write the stacks to this file, a line each, as tools for flame graphs read them
    #[arg(long, value_name = "FILE")]
    folded: Option<PathBuf>,
    /// Write a flame graph to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Profile a program of the lesson, with frame pointers and without, and stop
    #[arg(long, conflicts_with_all = ["pid", "seconds", "frequency"])]
    demo: bool,
}

/// What the kernel counted.
struct Profile {
    totals: SampleTotals,
    stacks: Vec<SampledStack>,
}

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()).map_err(|error| machine::explain_refusal(LESSON, error)))
}

fn run(cli: &Cli) -> Result<()> {
    machine::check(LESSON, &[Need::Root])?;
    let stop = Stop::catch()?;
    let folded = cli.folded.as_ref().map(OutputFile::open).transpose()?;
    let svg = cli.svg.as_ref().map(OutputFile::open).transpose()?;
    let symbolizer = Symbolizer::new();
    let stacks = match cli.demo {
        true => run_demo(cli, &stop, &symbolizer)?,
        false => profile_machine(cli, &stop, &symbolizer)?,
    };
    if let Some(file) = folded {
        file.write_all(|file| report::write_folded(&stacks, file))?;
    }
    if let Some(file) = svg {
        file.write_all(|file| report::draw_flame_graph(&stacks, Options::default(), file))?;
    }
    Ok(())
}

fn profile_machine(cli: &Cli, stop: &Stop, symbolizer: &Symbolizer) -> Result<NamedStacks> {
    let settings = Settings::check(cli.pid.unwrap_or(0), cli.frequency.get(), cli.max_stacks)?;
    let (cpus, frequency) = (settings.cpus.len(), cli.frequency);
    say(&format!(
        "sampling {cpus} CPUs, each {frequency} times a second; Ctrl-C ends this\n"
    ))?;
    let time = Duration::from_secs(cli.seconds.unwrap_or(u64::MAX));
    let begin = Instant::now();
    let profile = take_samples(cli.implementation, &settings, |_| {
        // Then it looks again whether it is time to stop.
        thread::sleep(Duration::from_millis(50));
        Ok(!stop.is_set() && begin.elapsed() < time)
    })?;
    report::show_totals(&profile.totals, &profile.stacks)?;
    let stacks = name_stacks(symbolizer, &profile.stacks)?;
    report::show_functions(&stacks)?;
    Ok(stacks)
}

// ANCHOR: main
/// Samples as long as `go_on` says; it is told how many samples there are.
fn take_samples(
    implementation: Implementation,
    settings: &Settings,
    mut go_on: impl FnMut(u64) -> Result<bool>,
) -> Result<Profile> {
    match implementation {
        Implementation::Aya => {
            let mut ebpf = aya::load(settings)?;
            let links = aya::attach(&mut ebpf, settings)?;
            while go_on(aya::read_totals(&ebpf)?.samples)? {}
            drop(links);
            let totals = aya::read_totals(&ebpf)?;
            let stacks = aya::read_stacks(&ebpf)?;
            Ok(Profile { totals, stacks })
        }
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            let skeleton = libbpf::load(&mut storage, settings)?;
            let links = libbpf::attach(&skeleton, settings)?;
            while go_on(libbpf::read_totals(&skeleton)?.samples)? {}
            drop(links);
            let totals = libbpf::read_totals(&skeleton)?;
            let stacks = libbpf::read_stacks(&skeleton)?;
            Ok(Profile { totals, stacks })
        }
    }
}
// ANCHOR_END: main

fn run_demo(cli: &Cli, stop: &Stop, symbolizer: &Symbolizer) -> Result<NamedStacks> {
    say(&format!(
        "sampling each CPU {DEMO_FREQUENCY} times a second; ? is for missing callers"
    ))?;
    let mut both = NamedStacks::new();
    for (name, program) in BUILDS {
        let mut workload = Workload::start(name, program)?;
        let settings = Settings::check(workload.pid(), DEMO_FREQUENCY, cli.max_stacks)?;
        let profile = take_samples(cli.implementation, &settings, |samples| {
            workload.serve_request()?;
            Ok(samples < DEMO_SAMPLES && !stop.is_set())
        })?;
        // The program still runs: its memory map is needed here.
        let stacks = name_stacks(symbolizer, &profile.stacks)?;
        say(&format!("\nprocess {name}"))?;
        report::show_paths(&stacks)?;
        report::show_totals(&profile.totals, &profile.stacks)?;
        both.extend(stacks);
    }
    Ok(both)
}
