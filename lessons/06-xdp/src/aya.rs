//! User side with aya: loads the programs that rustc and bpf-linker built.

use anyhow::{Context as _, Result};
use aya::maps::lpm_trie::Key;
use aya::maps::{HashMap, LpmTrie, Map, MapData, PerCpuArray};
use aya::programs::tc::{NlOptions, TcAttachOptions, TcAttachType, qdisc_add_clsact};
use aya::programs::xdp::{XdpLink, XdpMode};
use aya::programs::{SchedClassifier, TestRun as _, Xdp};
use aya::{Ebpf, EbpfLoader, Pod, TestRunOptions};
use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::counters::Counters;
use crate::counting::Counter;
use crate::firewall::{Firewall, Judged, Mode, Settings};
use crate::interface::Interface;
use crate::rules::Action;

pub struct Aya {
    ebpf: Ebpf,
    rules_v4: LpmTrie<MapData, [u8; 4], u32>,
    rules_v6: LpmTrie<MapData, [u8; 16], u32>,
    redirects: HashMap<MapData, u32, u32>,
    frames: PerCpuArray<MapData, Counter>,
    egress_drops: PerCpuArray<MapData, u64>,
    links: Vec<XdpLink>,
}

// SAFETY: two integers without padding between them: any bytes make one.
unsafe impl Pod for Counter {}

// ANCHOR: load
pub fn load(settings: &Settings) -> Result<Aya> {
    // Up to Linux 5.10 maps count as locked memory, of which even root has little; libbpf raises
    // the limit by itself. Where that is not allowed, it is tried without.
    let _ = setrlimit(
        Resource::Memlock,
        Rlimit {
            current: None,
            maximum: None,
        },
    );
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xdp-ebpf"));
    let mut ebpf = EbpfLoader::new()
        .override_global("ANSWER_PING", &u8::from(settings.answer_ping), true)
        .map_max_entries("RULES_V4", settings.max_rules)
        .map_max_entries("RULES_V6", settings.max_rules)
        .load(object)
        .context("load the maps")?;
    for name in ["firewall", "pass"] {
        xdp(&mut ebpf, name)?
            .load()
            .with_context(|| format!("load {name}"))?;
    }
    classifier(&mut ebpf)?.load().context("load egress")?;
    Ok(Aya {
        rules_v4: take(&mut ebpf, "RULES_V4")?.try_into()?,
        rules_v6: take(&mut ebpf, "RULES_V6")?.try_into()?,
        redirects: take(&mut ebpf, "REDIRECTS")?.try_into()?,
        frames: take(&mut ebpf, "FRAMES")?.try_into()?,
        egress_drops: take(&mut ebpf, "EGRESS_DROPS")?.try_into()?,
        links: Vec::new(),
        ebpf,
    })
}
// ANCHOR_END: load

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name)
        .with_context(|| format!("find map {name}"))
}

fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    Ok(ebpf
        .program_mut(name)
        .with_context(|| format!("find program {name}"))?
        .try_into()?)
}

fn classifier(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier> {
    Ok(ebpf
        .program_mut("egress")
        .context("find program egress")?
        .try_into()?)
}

impl Firewall for Aya {
    fn attach(&mut self, interface: &Interface, mode: Mode) -> Result<()> {
        self.link("firewall", interface, mode)
    }

    fn attach_pass(&mut self, interface: &Interface, mode: Mode) -> Result<()> {
        self.link("pass", interface, mode)
    }

    // ANCHOR: egress
    fn attach_egress(&mut self, interface: &Interface) -> Result<()> {
        // What filters hang on. Linux 6.6 and newer have links for tc as well (tcx); this works on
        // all.
        qdisc_add_clsact(&interface.name)
            .with_context(|| format!("add clsact to {}", interface.name))?;
        let options = TcAttachOptions::Netlink(NlOptions::default());
        let program = classifier(&mut self.ebpf)?;
        program
            .attach_with_options(&interface.name, TcAttachType::Egress, options)
            .with_context(|| format!("attach egress to {}", interface.name))?;
        Ok(())
    }
    // ANCHOR_END: egress

    fn detach(&mut self) {
        self.links.clear();
    }

    // ANCHOR: set-rule
    fn set_rule(&mut self, prefix: IpNet, action: Action) -> Result<()> {
        let verdict = action.verdict();
        match prefix {
            IpNet::V4(net) => self.rules_v4.insert(&key_v4(net), verdict, 0)?,
            IpNet::V6(net) => self.rules_v6.insert(&key_v6(net), verdict, 0)?,
        }
        Ok(())
    }
    // ANCHOR_END: set-rule

    fn remove_rule(&mut self, prefix: IpNet) -> Result<()> {
        match prefix {
            IpNet::V4(net) => self.rules_v4.remove(&key_v4(net))?,
            IpNet::V6(net) => self.rules_v6.remove(&key_v6(net))?,
        }
        Ok(())
    }

    fn redirect(&mut self, port: u16, to: &Interface) -> Result<()> {
        Ok(self.redirects.insert(u32::from(port), to.index, 0)?)
    }

    fn frames(&self) -> Result<Counters> {
        Counters::read(|index| Ok(self.frames.get(&index, 0)?.to_vec()))
    }

    fn egress_drops(&self) -> Result<u64> {
        Ok(self.egress_drops.get(&0, 0)?.iter().sum())
    }

    // ANCHOR: test-run
    fn test_run(&self, frame: &[u8], repeat: u32) -> Result<Judged> {
        let program: &Xdp = self
            .ebpf
            .program("firewall")
            .context("find program firewall")?
            .try_into()?;
        let mut after = vec![0; frame.len()];
        let result = program.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut after),
            repeat,
            ..TestRunOptions::default()
        })?;
        Ok(Judged {
            verdict: result.return_value,
            frame: after,
            duration: result.duration,
        })
    }
    // ANCHOR_END: test-run
}

impl Aya {
    // ANCHOR: link
    fn link(&mut self, name: &str, interface: &Interface, mode: Mode) -> Result<()> {
        let mode = match mode {
            Mode::Native => XdpMode::Driver,
            Mode::Generic => XdpMode::Skb,
        };
        let program = xdp(&mut self.ebpf, name)?;
        let link = program.attach_to_if_index(interface.index, mode)?;
        // A link is a file descriptor: when it is closed, the program is detached, however this
        // process ends.
        self.links.push(program.take_link(link)?);
        Ok(())
    }
    // ANCHOR_END: link
}

fn key_v4(net: ipnet::Ipv4Net) -> Key<[u8; 4]> {
    Key::new(net.prefix_len().into(), net.addr().octets())
}

fn key_v6(net: ipnet::Ipv6Net) -> Key<[u8; 16]> {
    Key::new(net.prefix_len().into(), net.addr().octets())
}
