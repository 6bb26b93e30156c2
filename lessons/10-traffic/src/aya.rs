//! Loads, attaches and reads with aya the programs that rustc and bpf-linker built.

use std::os::fd::BorrowedFd;

use anyhow::{Context as _, Result, bail};
use aya::maps::{Array, Map, PerCpuArray, ProgramArray};
use aya::programs::tc::{TcAttachType, TcError, qdisc_add_clsact};
use aya::programs::{CgroupAttachMode, Program, SchedClassifier, SocketFilter};
use aya::util::KernelVersion;
use aya::{Ebpf, EbpfLoader, Pod};
use network::interface::Interface;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::endpoint::Endpoint;
use crate::program::{LoadedProgram, ProtocolCounters, TcHold, TrafficProgram};

macro_rules! object {
    ($name:literal) => {
        aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/traffic-", $name, "-ebpf"))
    };
}

/// Has the links of the attached programs too.
pub struct AyaProgram(pub Ebpf);

// SAFETY: integers without padding between them, for which any bytes are valid.
unsafe impl Pod for Endpoint {}

// ANCHOR: load
pub fn load(program: TrafficProgram) -> Result<AyaProgram> {
    // Up to Linux 5.10 maps count as locked memory, which even for root is limited. An error here
    // does not matter to newer kernels. libbpf does this without being asked.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    let object = match program {
        TrafficProgram::Balance => object!("balance"),
        TrafficProgram::Connect => object!("connect"),
        TrafficProgram::Timeout => object!("timeout"),
        TrafficProgram::Protocols => object!("protocols"),
    };
    let loaded = EbpfLoader::new().btf(None).load(object);
    let mut ebpf = loaded.with_context(|| format!("cannot load the maps of {program:?}"))?;
    for (name, program) in ebpf.programs_mut() {
        let loaded = match program {
            Program::SchedClassifier(classifier) => classifier.load(),
            Program::CgroupSockAddr(sock_addr) => sock_addr.load(),
            Program::SockOps(sock_ops) => sock_ops.load(),
            Program::SocketFilter(filter) => filter.load(),
            _ => bail!("cannot load {name}: its type is not one of this lesson's"),
        };
        loaded.with_context(|| format!("cannot load {name}"))?;
    }
    Ok(AyaProgram(ebpf))
}
// ANCHOR_END: load

impl AyaProgram {
    fn find_filter(&self, name: &str) -> Result<&SocketFilter> {
        let program = self.0.program(name);
        let program = program.with_context(|| format!("cannot find the program {name}"))?;
        Ok(program.try_into()?)
    }

    fn set_endpoint(&mut self, map: &str, index: u32, endpoint: &Endpoint) -> Result<()> {
        let found = self.0.map_mut(map);
        let found = found.with_context(|| format!("cannot find the map {map}"))?;
        Array::<_, Endpoint>::try_from(found)?.set(index, endpoint, 0)?;
        Ok(())
    }
}

impl LoadedProgram for AyaProgram {
    // ANCHOR: tc
    fn attach_tc(&mut self, interface: &Interface) -> Result<TcHold> {
        let name = &interface.name;
        let hold = match KernelVersion::current()? < KernelVersion::new(6, 6, 0) {
            true => TcHold::Filter,
            false => TcHold::Link,
        };
        if hold == TcHold::Filter {
            match qdisc_add_clsact(name) {
                Ok(()) | Err(TcError::AlreadyAttached) => {}
                Err(error) => bail!("cannot add clsact to {name}: {error}"),
            }
        }
        for (program, direction) in [
            ("to_backend", TcAttachType::Ingress),
            ("to_client", TcAttachType::Egress),
        ] {
            let found = self.0.program_mut(program).context("cannot find it")?;
            let classifier: &mut SchedClassifier = found.try_into()?;
            // As a link if the kernel has them, or else as a filter.
            let attached = classifier.attach(name, direction);
            attached.with_context(|| format!("cannot attach {program} to {name}"))?;
        }
        Ok(hold)
    }
    // ANCHOR_END: tc

    // ANCHOR: cgroup
    fn attach_cgroup(&mut self, cgroup: BorrowedFd<'_>) -> Result<()> {
        // Links share a cgroup whatever the mode says, and the kernel refuses a link with another
        // mode: EINVAL for `AllowMultiple`.
        let mode = CgroupAttachMode::Single;
        for (name, program) in self.0.programs_mut() {
            let attached = match program {
                Program::CgroupSockAddr(sock_addr) => sock_addr.attach(cgroup, mode).map(drop),
                Program::SockOps(sock_ops) => sock_ops.attach(cgroup, mode).map(drop),
                _ => continue,
            };
            attached.with_context(|| format!("cannot attach {name} to the cgroup"))?;
        }
        Ok(())
    }
    // ANCHOR_END: cgroup

    // ANCHOR: socket
    fn attach_socket(&mut self, socket: BorrowedFd<'_>) -> Result<()> {
        for (protocol, name) in [(6, "count_tcp"), (17, "count_udp"), (1, "count_icmp")] {
            let program = self.find_filter(name)?.fd()?.try_clone()?;
            let map = self.0.map_mut("PROTOCOLS").context("cannot find it")?;
            ProgramArray::try_from(map)?.set(protocol, &program, 0)?;
        }
        let attached = self.find_filter("dispatch")?.attach(socket);
        attached.context("cannot attach dispatch to the socket")
    }
    // ANCHOR_END: socket

    // ANCHOR: endpoint
    fn set_service(&mut self, service: &Endpoint) -> Result<()> {
        self.set_endpoint("SERVICE", 0, service)
    }

    fn set_backend(&mut self, index: u32, backend: &Endpoint) -> Result<()> {
        self.set_endpoint("BACKEND", index, backend)
    }
    // ANCHOR_END: endpoint

    fn read_counters(&self) -> Result<ProtocolCounters> {
        let map = self.0.map("COUNTERS").context("cannot find COUNTERS")?;
        let counters: PerCpuArray<&_, u64> = PerCpuArray::try_from(map as &Map)?;
        let sum = |index| Ok::<u64, anyhow::Error>(counters.get(&index, 0)?.iter().sum());
        Ok(ProtocolCounters {
            connections: sum(0)?,
            datagrams: sum(1)?,
            pings: sum(2)?,
        })
    }
}
