//! Changes what a firewall drops while it runs.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::maps::HashMap;
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
    let blocked = ebpf.take_map("BLOCKED").context("cannot find BLOCKED")?;
    let mut blocked: HashMap<_, u16, u8> = HashMap::try_from(blocked)?;
    println!("ready");

    for line in io::stdin().lines() {
        match line?.split_once(' ') {
            Some(("block", port)) => blocked.insert(port.parse::<u16>()?, 1, 0)?,
            Some(("allow", port)) => blocked.remove(&port.parse()?)?,
            _ => bail!("unknown command"),
        }
        println!("done");
    }
    Ok(())
}
