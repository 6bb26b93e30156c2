//! Reads records from a ring buffer, and says how many were lost.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::maps::RingBuf;
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
    println!("ready");

    for line in io::stdin().lines() {
        if line? != "read" {
            bail!("unknown command");
        }
        // TODO: print each record that waits, not only the first.
        if let Some(record) = records.next() {
            let thread = u64::from_ne_bytes(record[..].try_into()?);
            println!("{thread}");
        }
        // TODO: how many were lost since the last `read`?
        println!("lost 0");
        println!("done");
    }
    Ok(())
}
