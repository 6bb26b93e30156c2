//! Takes samples on each CPU, at a rate that can be changed.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::programs::perf_event::{
    PerfEvent, PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent,
};

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().context("name the eBPF program's file")?;
    let hertz = arguments.next().context("name a rate")?.parse()?;
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("on_sample");
    let program: &mut PerfEvent = program.context("cannot find on_sample")?.try_into()?;
    program.load()?;
    attach(program, hertz)?;
    println!("ready");

    for line in io::stdin().lines() {
        let line = line?;
        match line.split_once(' ') {
            // TODO: detach, and attach at this rate.
            Some(("rate", _hertz)) => {}
            _ => bail!("unknown command: {line}"),
        }
        println!("done");
    }
    Ok(())
}

fn attach(program: &mut PerfEvent, hertz: u64) -> Result<()> {
    let event = PerfEventConfig::Software(SoftwareEvent::CpuClock);
    // TODO: on each CPU.
    let scope = PerfEventScope::AllProcessesOneCpu { cpu: 0 };
    program.attach(event, scope, SamplePolicy::Frequency(hertz), false)?;
    Ok(())
}
