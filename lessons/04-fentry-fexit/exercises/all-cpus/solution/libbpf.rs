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
        let mut total = 0;
        for (cpu, value) in values.iter().enumerate() {
            let count = u64::from_ne_bytes(value[..].try_into()?);
            if count > 0 {
                println!("{cpu} {count}");
            }
            total += count;
        }
        println!("total {total}");
        println!("done");
    }
    Ok(())
}
