//! Attaches a program when it is told to, and detaches it again.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::ObjectBuilder;

/// The kernel calls it for each file that is removed.
const FUNCTION: &str = "vfs_unlink";

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let mut programs = object.progs_mut();
    let program = programs.find(|program| program.name() == "on_remove");
    let program = program.context("cannot find on_remove")?;
    let mut link = None;
    println!("ready");

    for line in io::stdin().lines() {
        match line?.as_str() {
            "on" if link.is_none() => link = Some(program.attach_kprobe(false, FUNCTION)?),
            "on" => {}
            // A link that is dropped detaches the program.
            "off" => link = None,
            other => bail!("unknown command: {other}"),
        }
        println!("done");
    }
    Ok(())
}
