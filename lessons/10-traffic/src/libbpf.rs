//! Loads, attaches and reads with libbpf-rs the programs that clang built. As there are four object
//! files, they are used by name and not through a skeleton for each.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use anyhow::{Context as _, Result};
use common::record;
use libbpf_rs::{Link, Map, MapCore as _, MapFlags, Object, ObjectBuilder, ProgramMut};
use network::interface::{Direction, Interface, TcFilter};
use nix::errno::Errno;
use nix::libc;

use crate::endpoint::Endpoint;
use crate::program::{LoadedProgram, ProtocolCounters, TcHold, TrafficProgram};

macro_rules! object {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".bpf.o"))
    };
}

pub struct LibbpfProgram {
    pub object: Object,
    links: Vec<Link>,
    tcx_links: Vec<OwnedFd>,
    filters: Vec<TcFilter>,
}

// ANCHOR: load
pub fn load(program: TrafficProgram) -> Result<LibbpfProgram> {
    let object: &[u8] = match program {
        TrafficProgram::Balance => object!("balance"),
        TrafficProgram::Connect => object!("connect"),
        TrafficProgram::Timeout => object!("timeout"),
        TrafficProgram::Protocols => object!("protocols"),
    };
    let open = ObjectBuilder::default().open_memory(object);
    let open = open.with_context(|| format!("cannot open {program:?}"))?;
    let object = open.load();
    let object = object.with_context(|| format!("cannot load {program:?}"))?;
    Ok(LibbpfProgram {
        object,
        links: Vec::new(),
        tcx_links: Vec::new(),
        filters: Vec::new(),
    })
}
// ANCHOR_END: load

impl LibbpfProgram {
    fn find_program(&self, name: &str) -> Result<ProgramMut<'_>> {
        let mut programs = self.object.progs_mut();
        let program = programs.find(|program| program.name() == name);
        program.with_context(|| format!("cannot find the program {name}"))
    }

    fn find_map(&self, name: &str) -> Result<Map<'_>> {
        let mut maps = self.object.maps();
        let map = maps.find(|map| map.name() == name);
        map.with_context(|| format!("cannot find the map {name}"))
    }
}

impl LoadedProgram for LibbpfProgram {
    // ANCHOR: tc
    fn attach_tc(&mut self, interface: &Interface) -> Result<TcHold> {
        let name = &interface.name;
        for (program, direction) in [
            ("to_backend", Direction::Ingress),
            ("to_client", Direction::Egress),
        ] {
            let classifier = self.find_program(program)?;
            let what = || format!("cannot attach {program} to {name}");
            let link = interface.create_tcx_link(classifier.as_fd(), direction);
            if let Some(link) = link.with_context(what)? {
                self.tcx_links.push(link);
            } else {
                if self.filters.is_empty() {
                    let added = interface.add_clsact(classifier.as_fd());
                    added.with_context(|| format!("cannot add clsact to {name}"))?;
                }
                let filter = interface.attach_filter(classifier.as_fd(), direction);
                self.filters.push(filter.with_context(what)?);
            }
        }
        Ok(match self.filters.is_empty() {
            true => TcHold::Link,
            false => TcHold::Filter,
        })
    }
    // ANCHOR_END: tc

    // ANCHOR: cgroup
    fn attach_cgroup(&mut self, cgroup: BorrowedFd<'_>) -> Result<()> {
        for program in self.object.progs_mut() {
            let name = program.name().to_string_lossy().into_owned();
            let link = program.attach_cgroup(cgroup.as_raw_fd());
            let link = link.with_context(|| format!("cannot attach {name} to the cgroup"))?;
            self.links.push(link);
        }
        Ok(())
    }
    // ANCHOR_END: cgroup

    // ANCHOR: socket
    fn attach_socket(&mut self, socket: BorrowedFd<'_>) -> Result<()> {
        let protocols = self.find_map("protocols")?;
        for (protocol, name) in [(6_u32, "count_tcp"), (17, "count_udp"), (1, "count_icmp")] {
            let program = self.find_program(name)?.as_fd().as_raw_fd();
            let (key, value) = (protocol.to_ne_bytes(), program.to_ne_bytes());
            protocols.update(&key, &value, MapFlags::ANY)?;
        }
        // libbpf has no function for this: it is an option of the socket.
        let program = self.find_program("dispatch")?.as_fd().as_raw_fd();
        let (fd, size) = (socket.as_raw_fd(), size_of_val(&program) as libc::socklen_t);
        let value = (&raw const program).cast();
        // SAFETY: the kernel reads the value, whose size it is told.
        let result =
            unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_ATTACH_BPF, value, size) };
        Errno::result(result).context("cannot attach dispatch to the socket")?;
        Ok(())
    }
    // ANCHOR_END: socket

    // ANCHOR: endpoint
    fn set_service(&mut self, service: &Endpoint) -> Result<()> {
        let (key, value) = (0_u32.to_ne_bytes(), bytemuck::bytes_of(service));
        let updated = self.find_map("service")?.update(&key, value, MapFlags::ANY);
        updated.context("cannot set the service")
    }

    fn set_backend(&mut self, index: u32, backend: &Endpoint) -> Result<()> {
        let (key, value) = (index.to_ne_bytes(), bytemuck::bytes_of(backend));
        let updated = self.find_map("backend")?.update(&key, value, MapFlags::ANY);
        updated.context("cannot set a backend")
    }
    // ANCHOR_END: endpoint

    fn read_counters(&self) -> Result<ProtocolCounters> {
        let counters = self.find_map("counters")?;
        let sum = |index: u32| {
            let cpus = counters.lookup_percpu(&index.to_ne_bytes(), MapFlags::ANY)?;
            let cpus = cpus.unwrap_or_default();
            let values = cpus.iter().map(|bytes| record::from_bytes::<u64>(bytes));
            values.sum::<Result<u64>>()
        };
        Ok(ProtocolCounters {
            connections: sum(0)?,
            datagrams: sum(1)?,
            pings: sum(2)?,
        })
    }
}
