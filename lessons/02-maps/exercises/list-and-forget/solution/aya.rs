//! Lists the entries of a map, and removes some.

use std::cmp::Reverse;
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
    let mut made: HashMap<_, u32, u64> = HashMap::try_from(map)?;
    println!("ready");

    for line in io::stdin().lines() {
        match line?.split_once(' ') {
            Some(("list", least)) => list(&made, least.parse()?)?,
            Some(("forget", thread)) => made.remove(&thread.parse()?)?,
            _ => bail!("unknown command"),
        }
        println!("done");
    }
    Ok(())
}

/// Prints the threads that made at least this many directories, the most first.
fn list(made: &HashMap<MapData, u32, u64>, least: u64) -> Result<()> {
    let mut entries = Vec::new();
    for entry in made.iter() {
        let (thread, count) = entry?;
        if count >= least {
            entries.push((thread, count));
        }
    }
    entries.sort_by_key(|(thread, count)| (Reverse(*count), *thread));
    for (thread, count) in entries {
        println!("{thread} {count}");
    }
    Ok(())
}
