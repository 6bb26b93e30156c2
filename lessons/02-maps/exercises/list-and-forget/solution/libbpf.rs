//! Lists the entries of a map, and removes some.

use std::cmp::Reverse;
use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{Map, MapCore as _, MapFlags, ObjectBuilder};

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
            Some(("forget", thread)) => {
                let thread: u32 = thread.parse()?;
                made.delete(&thread.to_ne_bytes())?;
            }
            _ => bail!("unknown command"),
        }
        println!("done");
    }
    Ok(())
}

/// Prints the threads that made at least this many directories, the most first.
fn list(made: &Map<'_>, least: u64) -> Result<()> {
    let mut entries = Vec::new();
    for key in made.keys() {
        let value = made.lookup(&key, MapFlags::ANY)?;
        let value = value.context("cannot find an entry")?;
        let thread = u32::from_ne_bytes(key[..].try_into()?);
        let count = u64::from_ne_bytes(value[..].try_into()?);
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
