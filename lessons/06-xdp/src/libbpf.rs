//! Loads, attaches and reads with libbpf-rs the programs that clang built. As there are six object
//! files, they are used by name and not through a skeleton for each.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use common::record;
use ipnet::IpNet;
use libbpf_rs::{
    Map, MapCore as _, MapFlags, Object, ObjectBuilder, ProgramInput, ProgramMut, TC_EGRESS,
    TcHookBuilder,
};
use network::interface::{Interface, Mode};

use crate::counters::FrameCounters;
use crate::program::{LoadedProgram, PacketProgram, TestRunResult};

macro_rules! object {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".bpf.o"))
    };
}

pub struct LibbpfProgram {
    object: Object,
    name: &'static str,
    links: Vec<OwnedFd>,
}

// ANCHOR: load
pub fn load(program: PacketProgram) -> Result<LibbpfProgram> {
    let object: &[u8] = match program {
        PacketProgram::Parse => object!("parse"),
        PacketProgram::Count => object!("count"),
        PacketProgram::Block => object!("block"),
        PacketProgram::Reply => object!("reply"),
        PacketProgram::Redirect => object!("redirect"),
        PacketProgram::Egress => object!("egress"),
    };
    let name = program.program_name();
    let open = ObjectBuilder::default().open_memory(object);
    let open = open.with_context(|| format!("cannot open {name}"))?;
    let object = open.load();
    let object = object.with_context(|| format!("cannot load {name}"))?;
    Ok(LibbpfProgram {
        object,
        name,
        links: Vec::new(),
    })
}
// ANCHOR_END: load

impl LibbpfProgram {
    fn program(&self) -> Result<ProgramMut<'_>> {
        let name = self.name;
        let program = self.object.progs_mut().find(|found| found.name() == name);
        program.with_context(|| format!("cannot find the program {name}"))
    }

    fn map(&self, name: &str) -> Result<Map<'_>> {
        let map = self.object.maps().find(|found| found.name() == name);
        map.with_context(|| format!("cannot find the map {name}"))
    }
}

impl LoadedProgram for LibbpfProgram {
    // ANCHOR: attach
    fn attach_xdp(&mut self, interface: &Interface, mode: Mode) -> Result<()> {
        let created = interface.create_xdp_link(self.program()?.as_fd(), mode);
        let link = created.map_err(|error| interface.explain_attach_error(error.into(), mode))?;
        self.links.push(link);
        Ok(())
    }
    // ANCHOR_END: attach

    // ANCHOR: egress
    fn attach_egress(&mut self, interface: &Interface) -> Result<()> {
        // Filters belong to a queueing discipline. From Linux 6.6 on, tc has links too (tcx).
        let name = &interface.name;
        let program = self.program()?;
        let mut hook = TcHookBuilder::new(program.as_fd())
            .ifindex(i32::try_from(interface.index)?)
            .hook(TC_EGRESS);
        let created = hook.create();
        created.with_context(|| format!("cannot add clsact to {name}"))?;
        let attached = hook.attach();
        attached.with_context(|| format!("cannot attach egress to {name}"))?;
        Ok(())
    }
    // ANCHOR_END: egress

    // ANCHOR: rule
    fn set_rule(&mut self, network: IpNet, verdict: Option<u32>) -> Result<()> {
        // The bytes of `struct key_v4` or `struct key_v6`.
        let mut key = u32::from(network.prefix_len()).to_ne_bytes().to_vec();
        let rules = match network {
            IpNet::V4(net) => {
                key.extend(net.addr().octets());
                self.map("rules_v4")?
            }
            IpNet::V6(net) => {
                key.extend(net.addr().octets());
                self.map("rules_v6")?
            }
        };
        match verdict {
            Some(verdict) => rules.update(&key, &verdict.to_ne_bytes(), MapFlags::ANY)?,
            None => rules.delete(&key)?,
        }
        Ok(())
    }
    // ANCHOR_END: rule

    fn set_redirect(&mut self, port: u16, to: &Interface) -> Result<()> {
        let (key, value) = (u32::from(port).to_ne_bytes(), to.index.to_ne_bytes());
        let redirects = self.map("redirects")?;
        redirects.update(&key, &value, MapFlags::ANY)?;
        Ok(())
    }

    // ANCHOR: read
    fn read_counters(&self) -> Result<FrameCounters> {
        let frames = self.map("frames")?;
        FrameCounters::sum_cpus(|index| {
            let cpus = frames.lookup_percpu(&index.to_ne_bytes(), MapFlags::ANY)?;
            let cpus = cpus.unwrap_or_default();
            cpus.iter().map(|bytes| record::from_bytes(bytes)).collect()
        })
    }
    // ANCHOR_END: read

    fn read_egress_drops(&self) -> Result<u64> {
        let drops = self.map("egress_drops")?;
        let cpus = drops.lookup_percpu(&[0; 4], MapFlags::ANY)?;
        let mut sum = 0;
        for bytes in cpus.unwrap_or_default() {
            sum += record::from_bytes::<u64>(&bytes)?;
        }
        Ok(sum)
    }

    // ANCHOR: test-run
    fn test_run(&self, frame: &[u8], repeat: u32) -> Result<TestRunResult> {
        let mut after = vec![0; frame.len()];
        let result = self.program()?.test_run(ProgramInput {
            data_in: Some(frame),
            data_out: Some(&mut after),
            repeat,
            ..ProgramInput::default()
        })?;
        let (verdict, duration) = (result.return_value, result.duration);
        Ok(TestRunResult {
            verdict,
            frame: after,
            duration,
        })
    }
    // ANCHOR_END: test-run
}
