//! Lists the entries of a map, and removes some.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{Map, MapCore as _, ObjectBuilder};

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let program = object.progs_mut().find(|it| it.name() == "on_mkdir");
    let program = program.context("cannot find on_mkdir")?;
    let _link = program.attach_kprobe(false, "security_inode_mkdir")?;
    let made = object.maps().find(|it| it.name() == "MADE");
    let made = made.context("cannot find MADE")?;
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
fn list(_made: &Map<'_>, _least: u64) -> Result<()> {
    // TODO: go through the entries; print `THREAD COUNT` for each that has enough.
    Ok(())
}
