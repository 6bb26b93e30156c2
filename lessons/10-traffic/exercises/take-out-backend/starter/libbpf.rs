//! Adds backends to a load balancer and takes them out while it runs.

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{Map, MapCore as _, MapFlags, ObjectBuilder};

/// The indices of SETTINGS.
const COUNT: u32 = 0;
const SERVICE: u32 = 1;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().context("name the eBPF program's file")?;
    let cgroup = arguments.next().context("name a cgroup's directory")?;
    let service = arguments.next().context("name the service's port")?;
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let backends = object.maps().find(|it| it.name() == "BACKENDS");
    let backends = backends.context("cannot find BACKENDS")?;
    let settings = object.maps().find(|it| it.name() == "SETTINGS");
    let settings = settings.context("cannot find SETTINGS")?;
    set(&settings, SERVICE, service.parse()?)?;
    let cgroup = File::open(cgroup)?;
    let program = object.progs_mut().find(|it| it.name() == "balance");
    let program = program.context("cannot find balance")?;
    let _link = program.attach_cgroup(cgroup.as_raw_fd())?;
    println!("ready");

    for line in io::stdin().lines() {
        match line?.split_once(' ') {
            Some(("add", port)) => add(&backends, &settings, port.parse()?)?,
            // TODO: take the port out of BACKENDS.
            Some(("remove", _port)) => {}
            _ => bail!("unknown command"),
        }
        println!("done");
    }
    Ok(())
}

/// First the port, then the count: the eBPF program runs between the two.
fn add(backends: &Map<'_>, settings: &Map<'_>, port: u32) -> Result<()> {
    let count = get(settings, COUNT)?;
    set(backends, count, port)?;
    set(settings, COUNT, count + 1)
}

fn get(map: &Map<'_>, index: u32) -> Result<u32> {
    let value = map.lookup(&index.to_ne_bytes(), MapFlags::ANY)?;
    let bytes = value.context("the index is too large")?;
    Ok(u32::from_ne_bytes(bytes.as_slice().try_into()?))
}

fn set(map: &Map<'_>, index: u32, number: u32) -> Result<()> {
    map.update(&index.to_ne_bytes(), &number.to_ne_bytes(), MapFlags::ANY)?;
    Ok(())
}
