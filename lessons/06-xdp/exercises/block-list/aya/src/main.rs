//! Changes what a firewall drops while it runs.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::programs::{Xdp, XdpMode};

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().context("name the eBPF program's file")?;
    let interface = arguments.next().context("name an interface")?;
    let mut ebpf = Ebpf::load_file(object)?;
    let program = ebpf.program_mut("filter");
    let program: &mut Xdp = program.context("cannot find filter")?.try_into()?;
    program.load()?;
    program.attach(&interface, XdpMode::Skb)?;
    println!("ready");

    for line in io::stdin().lines() {
        match line?.split_once(' ') {
            // TODO: put the port into BLOCKED.
            Some(("block", _port)) => {}
            // TODO: take the port out of BLOCKED.
            Some(("allow", _port)) => {}
            _ => bail!("unknown command"),
        }
        println!("done");
    }
    Ok(())
}
