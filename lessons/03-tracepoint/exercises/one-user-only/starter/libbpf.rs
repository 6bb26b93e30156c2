//! Sets a global variable of an eBPF program before it is loaded.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{MapCore as _, MapFlags, ObjectBuilder, TracepointCategory};

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().context("name the eBPF program's file")?;
    let _user: u32 = arguments
        .next()
        .context("name a user, by its id")?
        .parse()?;
    let open = ObjectBuilder::default().open_file(object)?;
    // TODO: the program watches user 0 as long as nobody sets its global variable WATCHED.
    let object = open.load()?;
    let program = object.progs_mut().find(|it| it.name() == "on_exec");
    let program = program.context("cannot find on_exec")?;
    let _link = program.attach_tracepoint(TracepointCategory::Sched, "sched_process_exec")?;
    let executed = object.maps().find(|it| it.name() == "EXECUTED");
    let executed = executed.context("cannot find EXECUTED")?;
    println!("ready");

    for line in io::stdin().lines() {
        if line? != "count" {
            bail!("unknown command");
        }
        let value = executed.lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)?;
        let value = value.context("cannot find the number")?;
        println!("{}", u64::from_ne_bytes(value[..].try_into()?));
        println!("done");
    }
    Ok(())
}
