//! Lists the entries of a map, and removes some.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::maps::{HashMap, MapData};
use aya::programs::KProbe;

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("on_mkdir");
    let program: &mut KProbe = program.context("cannot find on_mkdir")?.try_into()?;
    program.load()?;
    program.attach("security_inode_mkdir", 0)?;
    let map = ebpf.take_map("MADE").context("cannot find MADE")?;
    let made: HashMap<_, u32, u64> = HashMap::try_from(map)?;
    println!("ready");

    for line in io::stdin().lines() {
        match line?.split_once(' ') {
            Some(("list", least)) => list(&made, least.parse()?)?,
            // TODO: remove the entry of this thread.
            Some(("forget", _thread)) => {}
            _ => bail!("unknown command"),
        }
        println!("done");
    }
    Ok(())
}

/// Prints the threads that made at least this many directories, the most first.
fn list(_made: &HashMap<MapData, u32, u64>, _least: u64) -> Result<()> {
    // TODO: go through the entries; print `THREAD COUNT` for each that has enough.
    Ok(())
}
