//! Reads records from a ring buffer, and says how many were lost.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::maps::{Array, RingBuf};
use aya::programs::KProbe;

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("on_mkdir");
    let program: &mut KProbe = program.context("cannot find on_mkdir")?.try_into()?;
    program.load()?;
    program.attach("security_inode_mkdir", 0)?;
    let records = ebpf.take_map("RECORDS").context("cannot find RECORDS")?;
    let mut records = RingBuf::try_from(records)?;
    let lost = ebpf.take_map("LOST").context("cannot find LOST")?;
    let lost: Array<_, u64> = Array::try_from(lost)?;
    let mut told = 0;
    println!("ready");

    for line in io::stdin().lines() {
        if line? != "read" {
            bail!("unknown command");
        }
        while let Some(record) = records.next() {
            let thread = u64::from_ne_bytes(record[..].try_into()?);
            println!("{thread}");
        }
        let all = lost.get(&0, 0)?;
        println!("lost {}", all - told);
        told = all;
        println!("done");
    }
    Ok(())
}
