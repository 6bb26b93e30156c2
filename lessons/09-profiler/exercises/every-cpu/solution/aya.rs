//! Takes samples on each CPU, at a rate that can be changed.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::programs::perf_event::{
    PerfEvent, PerfEventConfig, PerfEventLinkId, PerfEventScope, SamplePolicy, SoftwareEvent,
};
use aya::util::online_cpus;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().context("name the eBPF program's file")?;
    let hertz = arguments.next().context("name a rate")?.parse()?;
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("on_sample");
    let program: &mut PerfEvent = program.context("cannot find on_sample")?.try_into()?;
    program.load()?;
    let mut links = attach(program, hertz)?;
    println!("ready");

    for line in io::stdin().lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("rate", hertz)) => {
                for link in links.drain(..) {
                    program.detach(link)?;
                }
                links = attach(program, hertz.parse()?)?;
            }
            _ => bail!("unknown command: {line}"),
        }
        println!("done");
    }
    Ok(())
}

/// One event on each CPU; none at a rate of 0.
fn attach(program: &mut PerfEvent, hertz: u64) -> Result<Vec<PerfEventLinkId>> {
    let event = PerfEventConfig::Software(SoftwareEvent::CpuClock);
    let mut links = Vec::new();
    if hertz == 0 {
        return Ok(links);
    }
    for cpu in online_cpus().map_err(|(_, error)| error)? {
        let scope = PerfEventScope::AllProcessesOneCpu { cpu };
        links.push(program.attach(event, scope, SamplePolicy::Frequency(hertz), false)?);
    }
    Ok(links)
}
