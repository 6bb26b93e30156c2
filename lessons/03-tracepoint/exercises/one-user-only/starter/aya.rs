//! Sets a global variable of an eBPF program before it is loaded.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::maps::Array;
use aya::programs::TracePoint;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().context("name the eBPF program's file")?;
    let _user: u32 = arguments
        .next()
        .context("name a user, by its id")?
        .parse()?;
    // TODO: the program watches user 0 as long as nobody sets its global variable WATCHED.
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("on_exec");
    let program: &mut TracePoint = program.context("cannot find on_exec")?.try_into()?;
    program.load()?;
    program.attach("sched", "sched_process_exec")?;
    let executed = ebpf.take_map("EXECUTED").context("cannot find EXECUTED")?;
    let executed: Array<_, u64> = Array::try_from(executed)?;
    println!("ready");

    for line in io::stdin().lines() {
        if line? != "count" {
            bail!("unknown command");
        }
        println!("{}", executed.get(&0, 0)?);
        println!("done");
    }
    Ok(())
}
