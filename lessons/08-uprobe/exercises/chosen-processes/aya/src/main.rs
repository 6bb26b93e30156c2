//! Watches a function in the processes that it is told.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::programs::UProbe;
use aya::programs::uprobe::UProbeScope;

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("on_call");
    let program: &mut UProbe = program.context("cannot find on_call")?.try_into()?;
    program.load()?;
    println!("ready");

    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["watch", process, function] => {
                let process: u32 = process.parse()?;
                let file = format!("/proc/{process}/exe");
                // TODO: in this process alone.
                program.attach(function, file, UProbeScope::AllProcesses)?;
            }
            // TODO: detach.
            ["forget", _process] => {}
            _ => bail!("unknown command: {line}"),
        }
        println!("done");
    }
    Ok(())
}
