//! Loads, attaches and reads with aya the programs that rustc and bpf-linker built.

use anyhow::{Context as _, Result};
use aya::maps::lpm_trie::Key;
use aya::maps::{HashMap, LpmTrie, Map, PerCpuArray};
use aya::programs::tc::{NlOptions, TcAttachOptions, TcAttachType, qdisc_add_clsact};
use aya::programs::xdp::XdpMode;
use aya::programs::{SchedClassifier, TestRun as _, Xdp};
use aya::{Ebpf, EbpfLoader, Pod, TestRunOptions};
use ipnet::IpNet;
use network::interface::{Interface, Mode};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::counters::{Counter, FrameCounters};
use crate::program::{LoadedProgram, PacketProgram, TestRunResult};

macro_rules! object {
    ($name:literal) => {
        aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xdp-", $name, "-ebpf"))
    };
}

pub struct AyaProgram {
    /// Has the links of the attached programs too.
    ebpf: Ebpf,
    name: &'static str,
}

// SAFETY: two integers without padding between them, for which any bytes are valid.
unsafe impl Pod for Counter {}

// ANCHOR: load
pub fn load(loader: &mut EbpfLoader<'_>, program: PacketProgram) -> Result<AyaProgram> {
    // Up to Linux 5.10 maps count as locked memory, which even for root is limited. An error here
    // does not matter to newer kernels. libbpf does this without being asked.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    let object = match program {
        PacketProgram::Parse => object!("parse"),
        PacketProgram::Count => object!("count"),
        PacketProgram::Block => object!("block"),
        PacketProgram::Reply => object!("reply"),
        PacketProgram::Redirect => object!("redirect"),
        PacketProgram::Egress => object!("egress"),
    };
    let name = program.program_name();
    let loaded = loader.load(object);
    let mut ebpf = loaded.with_context(|| format!("cannot load the maps of {name}"))?;
    let loaded = match find_program(&mut ebpf, name)? {
        aya::programs::Program::Xdp(xdp) => xdp.load(),
        other => <&mut SchedClassifier>::try_from(other)?.load(),
    };
    loaded.with_context(|| format!("cannot load {name}"))?;
    Ok(AyaProgram { ebpf, name })
}
// ANCHOR_END: load

fn find_program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut aya::programs::Program> {
    ebpf.program_mut(name)
        .with_context(|| format!("cannot find the program {name}"))
}

impl AyaProgram {
    fn map(&self, name: &str) -> Result<&Map> {
        let map = self.ebpf.map(name);
        map.with_context(|| format!("cannot find the map {name}"))
    }

    fn map_mut(&mut self, name: &str) -> Result<&mut Map> {
        let map = self.ebpf.map_mut(name);
        map.with_context(|| format!("cannot find the map {name}"))
    }
}

impl LoadedProgram for AyaProgram {
    // ANCHOR: attach
    fn attach_xdp(&mut self, interface: &Interface, mode: Mode) -> Result<()> {
        let flags = match mode {
            Mode::Native => XdpMode::Driver,
            Mode::Generic => XdpMode::Skb,
        };
        let program: &mut Xdp = find_program(&mut self.ebpf, self.name)?.try_into()?;
        match program.attach_to_if_index(interface.index, flags) {
            Ok(_) => Ok(()),
            Err(error) => Err(interface.explain_attach_error(error.into(), mode)),
        }
    }
    // ANCHOR_END: attach

    // ANCHOR: egress
    fn attach_egress(&mut self, interface: &Interface) -> Result<()> {
        // Filters belong to a queueing discipline. From Linux 6.6 on, tc has links too (tcx).
        let name = &interface.name;
        qdisc_add_clsact(name).with_context(|| format!("cannot add clsact to {name}"))?;
        let options = TcAttachOptions::Netlink(NlOptions::default());
        let program: &mut SchedClassifier = find_program(&mut self.ebpf, self.name)?.try_into()?;
        let attached = program.attach_with_options(name, TcAttachType::Egress, options);
        attached.with_context(|| format!("cannot attach egress to {name}"))?;
        Ok(())
    }
    // ANCHOR_END: egress

    // ANCHOR: rule
    fn set_rule(&mut self, network: IpNet, verdict: Option<u32>) -> Result<()> {
        match network {
            IpNet::V4(net) => {
                let key = Key::new(net.prefix_len().into(), net.addr().octets());
                change_rule(self.map_mut("RULES_V4")?, &key, verdict)
            }
            IpNet::V6(net) => {
                let key = Key::new(net.prefix_len().into(), net.addr().octets());
                change_rule(self.map_mut("RULES_V6")?, &key, verdict)
            }
        }
    }
    // ANCHOR_END: rule

    fn set_redirect(&mut self, port: u16, to: &Interface) -> Result<()> {
        let mut redirects = HashMap::try_from(self.map_mut("REDIRECTS")?)?;
        redirects.insert(u32::from(port), to.index, 0)?;
        Ok(())
    }

    // ANCHOR: read
    fn read_counters(&self) -> Result<FrameCounters> {
        let frames = PerCpuArray::<_, Counter>::try_from(self.map("FRAMES")?)?;
        FrameCounters::sum_cpus(|index| Ok(frames.get(&index, 0)?.to_vec()))
    }
    // ANCHOR_END: read

    fn read_egress_drops(&self) -> Result<u64> {
        let drops = PerCpuArray::<_, u64>::try_from(self.map("EGRESS_DROPS")?)?;
        Ok(drops.get(&0, 0)?.iter().sum())
    }

    // ANCHOR: test-run
    fn test_run(&self, frame: &[u8], repeat: u32) -> Result<TestRunResult> {
        let program = self.ebpf.program(self.name);
        let program: &Xdp = program.context("cannot find the program")?.try_into()?;
        let mut after = vec![0; frame.len()];
        let result = program.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut after),
            repeat,
            ..TestRunOptions::default()
        })?;
        Ok(TestRunResult {
            verdict: result.return_value,
            frame: after,
            duration: result.duration,
        })
    }
    // ANCHOR_END: test-run
}

// ANCHOR: change-rule
fn change_rule<K: Pod>(map: &mut Map, key: &Key<K>, verdict: Option<u32>) -> Result<()> {
    let mut rules = LpmTrie::try_from(map)?;
    match verdict {
        Some(verdict) => rules.insert(key, verdict, 0)?,
        None => rules.remove(key)?,
    }
    Ok(())
}
// ANCHOR_END: change-rule
