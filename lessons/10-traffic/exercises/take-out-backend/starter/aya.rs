//! Adds backends to a load balancer and takes them out while it runs.

use std::env;
use std::fs::File;
use std::io;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::maps::{Array, MapData};
use aya::programs::{CgroupAttachMode, CgroupSockAddr};

/// The indices of SETTINGS.
const COUNT: u32 = 0;
const SERVICE: u32 = 1;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().context("name the eBPF program's file")?;
    let cgroup = arguments.next().context("name a cgroup's directory")?;
    let service = arguments.next().context("name the service's port")?;
    let mut ebpf = Ebpf::load_file(object)?;
    let backends = ebpf.take_map("BACKENDS").context("cannot find BACKENDS")?;
    let mut backends: Array<_, u32> = Array::try_from(backends)?;
    let settings = ebpf.take_map("SETTINGS").context("cannot find SETTINGS")?;
    let mut settings: Array<_, u32> = Array::try_from(settings)?;
    settings.set(SERVICE, service.parse::<u32>()?, 0)?;
    let program = ebpf.program_mut("balance");
    let program: &mut CgroupSockAddr = program.context("cannot find balance")?.try_into()?;
    program.load()?;
    program.attach(File::open(cgroup)?, CgroupAttachMode::Single)?;
    println!("ready");

    for line in io::stdin().lines() {
        match line?.split_once(' ') {
            Some(("add", port)) => add(&mut backends, &mut settings, port.parse()?)?,
            // TODO: take the port out of BACKENDS.
            Some(("remove", _port)) => {}
            _ => bail!("unknown command"),
        }
        println!("done");
    }
    Ok(())
}

type Ports = Array<MapData, u32>;

/// First the port, then the count: the eBPF program runs between the two.
fn add(backends: &mut Ports, settings: &mut Ports, port: u32) -> Result<()> {
    let count = settings.get(&COUNT, 0)?;
    backends.set(count, port, 0)?;
    settings.set(COUNT, count + 1, 0)?;
    Ok(())
}
