//! Changes what a firewall drops while it runs.

use std::env;
use std::fs;
use std::io;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{MapCore as _, MapFlags, ObjectBuilder};

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().context("name the eBPF program's file")?;
    let interface = arguments.next().context("name an interface")?;
    let index = fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))?;
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let program = object.progs_mut().find(|it| it.name() == "filter");
    let program = program.context("cannot find filter")?;
    let _link = program.attach_xdp(index.trim().parse()?)?;
    let blocked = object.maps().find(|it| it.name() == "BLOCKED");
    let blocked = blocked.context("cannot find BLOCKED")?;
    println!("ready");

    for line in io::stdin().lines() {
        match line?.split_once(' ') {
            Some(("block", port)) => {
                let port: u16 = port.parse()?;
                blocked.update(&port.to_ne_bytes(), &[1], MapFlags::ANY)?;
            }
            Some(("allow", port)) => {
                let port: u16 = port.parse()?;
                blocked.delete(&port.to_ne_bytes())?;
            }
            _ => bail!("unknown command"),
        }
        println!("done");
    }
    Ok(())
}
