//! Which files are opened, with what result, and how long it takes.

mod aya;
mod cli;
mod cost;
mod demo;
mod event;
mod function;
mod histogram;
mod libbpf;
mod offsets;
mod row;
mod tracer;
mod watch;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use common::btf::Kernel;
use common::machine::{self, Need};
use common::{Stop, say};

use cli::Cli;
use demo::Demo;
use tracer::{Tracer, Way};
use watch::Watch;

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    let mut needs = vec![Need::Root, Need::Btf, Need::Jit];
    if !cli.offsets && cli.ways().contains(&Way::Kprobe) {
        needs.push(Need::Kprobes);
    }
    machine::check(env!("CARGO_PKG_NAME"), &needs)?;
    let kernel = Kernel::open()?;
    let prototype = function::prototype(&kernel)?;
    if cli.offsets {
        return offsets::show(cli.implementation, &kernel, &prototype);
    }
    let settings = cli.settings(&kernel)?;
    drop(kernel);
    let own = cli.settings_of_own(&settings);
    if cli.cost {
        return cost::measure(cli.implementation, &own, cli.json);
    }
    let stop = Stop::catch()?;
    if !cli.json {
        say(&format!("function   {prototype}"))?;
    }
    if cli.demo || cli.storm.is_some() {
        tracer::with(cli.implementation, &own, |tracer| work(cli, tracer, &stop))?;
    }
    if cli.follows() && !stop.is_set() {
        return tracer::with(cli.implementation, &settings, |tracer| {
            follow(cli, tracer, &stop)
        });
    }
    Ok(())
}

/// Watches calls that this process makes itself.
fn work(cli: &Cli, tracer: &mut dyn Tracer, stop: &Stop) -> Result<()> {
    let demo = if cli.demo {
        Some(Demo::prepare()?)
    } else {
        None
    };
    let mut watch = Watch::attach(tracer, cli.ways(), cli.json)?;
    if let Some(demo) = demo {
        watch.demo(demo)?;
    }
    if let Some(calls) = cli.storm {
        watch.storm(calls, stop)?;
    }
    watch.end()
}

fn follow(cli: &Cli, tracer: &mut dyn Tracer, stop: &Stop) -> Result<()> {
    let mut watch = Watch::attach(tracer, cli.ways(), cli.json)?;
    watch.follow(stop)?;
    watch.end()
}
