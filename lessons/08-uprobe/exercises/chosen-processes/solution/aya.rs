//! Watches a function in the processes that it is told.

use std::collections::HashMap;
use std::env;
use std::io;
use std::num::NonZeroU32;

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
    let mut links = HashMap::new();
    println!("ready");

    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["watch", process, function] => {
                let process: NonZeroU32 = process.parse()?;
                let file = format!("/proc/{process}/exe");
                let scope = UProbeScope::OneProcess(process);
                links.insert(process, program.attach(function, file, scope)?);
            }
            ["forget", process] => {
                if let Some(link) = links.remove(&process.parse()?) {
                    program.detach(link)?;
                }
            }
            _ => bail!("unknown command: {line}"),
        }
        println!("done");
    }
    Ok(())
}
