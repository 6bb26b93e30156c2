//! Attaches a program when it is told to, and detaches it again.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::programs::KProbe;

/// The kernel calls it for each file that is removed.
const FUNCTION: &str = "vfs_unlink";

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("on_remove");
    let program: &mut KProbe = program.context("cannot find on_remove")?.try_into()?;
    program.load()?;
    program.attach(FUNCTION, 0)?;
    println!("ready");

    for line in io::stdin().lines() {
        match line?.as_str() {
            // TODO: attach.
            "on" => {}
            // TODO: detach.
            "off" => {}
            other => bail!("unknown command: {other}"),
        }
        println!("done");
    }
    Ok(())
}
