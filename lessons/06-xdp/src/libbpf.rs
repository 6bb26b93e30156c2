//! User side with libbpf-rs: loads the programs that clang built.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use ipnet::IpNet;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{
    MapCore as _, MapFlags, OpenObject, ProgramInput, ProgramMut, TC_EGRESS, TcHookBuilder,
};

use crate::counters::Counters;
use crate::counting::Counter;
use crate::firewall::{Firewall, Judged, Mode, Settings};
use crate::interface::Interface;
use crate::rules::Action;

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "libbpf-cargo writes this file"
)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/xdp.skel.rs"));
}
use skeleton::{XdpSkel, XdpSkelBuilder};

pub struct Libbpf<'a> {
    skeleton: XdpSkel<'a>,
    links: Vec<OwnedFd>,
}

// ANCHOR: load
pub fn load<'a>(
    storage: &'a mut MaybeUninit<OpenObject>,
    settings: &Settings,
) -> Result<Libbpf<'a>> {
    let mut open = XdpSkelBuilder::default()
        .open(storage)
        .context("open the programs")?;
    let globals = open
        .maps
        .rodata_data
        .as_deref_mut()
        .context("find the globals")?;
    globals.answer_ping = settings.answer_ping.into();
    open.maps.rules_v4.set_max_entries(settings.max_rules)?;
    open.maps.rules_v6.set_max_entries(settings.max_rules)?;
    let skeleton = open.load().context("load the programs")?;
    Ok(Libbpf {
        skeleton,
        links: Vec::new(),
    })
}
// ANCHOR_END: load

impl Firewall for Libbpf<'_> {
    fn attach(&mut self, interface: &Interface, mode: Mode) -> Result<()> {
        self.links
            .push(link(&self.skeleton.progs.firewall, interface, mode)?);
        Ok(())
    }

    fn attach_pass(&mut self, interface: &Interface, mode: Mode) -> Result<()> {
        self.links
            .push(link(&self.skeleton.progs.pass, interface, mode)?);
        Ok(())
    }

    // ANCHOR: egress
    fn attach_egress(&mut self, interface: &Interface) -> Result<()> {
        let index = i32::try_from(interface.index).context("convert the interface's number")?;
        let mut hook = TcHookBuilder::new(self.skeleton.progs.egress.as_fd())
            .ifindex(index)
            .hook(TC_EGRESS);
        // What filters hang on. Linux 6.6 and newer have links for tc as well (tcx); this works on
        // all.
        hook.create()
            .with_context(|| format!("add clsact to {}", interface.name))?;
        hook.attach()
            .with_context(|| format!("attach egress to {}", interface.name))?;
        Ok(())
    }
    // ANCHOR_END: egress

    fn detach(&mut self) {
        self.links.clear();
    }

    // ANCHOR: set-rule
    fn set_rule(&mut self, prefix: IpNet, action: Action) -> Result<()> {
        let (key, verdict) = (key(prefix), action.verdict().to_ne_bytes());
        match prefix {
            IpNet::V4(_) => self
                .skeleton
                .maps
                .rules_v4
                .update(&key, &verdict, MapFlags::ANY)?,
            IpNet::V6(_) => self
                .skeleton
                .maps
                .rules_v6
                .update(&key, &verdict, MapFlags::ANY)?,
        }
        Ok(())
    }
    // ANCHOR_END: set-rule

    fn remove_rule(&mut self, prefix: IpNet) -> Result<()> {
        match prefix {
            IpNet::V4(_) => self.skeleton.maps.rules_v4.delete(&key(prefix))?,
            IpNet::V6(_) => self.skeleton.maps.rules_v6.delete(&key(prefix))?,
        }
        Ok(())
    }

    fn redirect(&mut self, port: u16, to: &Interface) -> Result<()> {
        let (key, value) = (u32::from(port).to_ne_bytes(), to.index.to_ne_bytes());
        Ok(self
            .skeleton
            .maps
            .redirects
            .update(&key, &value, MapFlags::ANY)?)
    }

    fn frames(&self) -> Result<Counters> {
        Counters::read(|index| {
            let cpus = self
                .skeleton
                .maps
                .frames
                .lookup_percpu(&index.to_ne_bytes(), MapFlags::ANY)?;
            let words = cpus
                .unwrap_or_default()
                .into_iter()
                .map(|cpu| (word(&cpu, 0), word(&cpu, 8)));
            Ok(words
                .map(|(frames, bytes)| Counter { frames, bytes })
                .collect())
        })
    }

    fn egress_drops(&self) -> Result<u64> {
        let cpus = self
            .skeleton
            .maps
            .egress_drops
            .lookup_percpu(&[0; 4], MapFlags::ANY)?;
        Ok(cpus
            .unwrap_or_default()
            .iter()
            .map(|cpu| word(cpu, 0))
            .sum())
    }

    // ANCHOR: test-run
    fn test_run(&self, frame: &[u8], repeat: u32) -> Result<Judged> {
        let mut after = vec![0; frame.len()];
        let output = self.skeleton.progs.firewall.test_run(ProgramInput {
            data_in: Some(frame),
            data_out: Some(&mut after),
            repeat,
            ..ProgramInput::default()
        })?;
        let (verdict, duration) = (output.return_value, output.duration);
        Ok(Judged {
            verdict,
            frame: after,
            duration,
        })
    }
    // ANCHOR_END: test-run
}

// ANCHOR: link
/// `attach_xdp` of libbpf-rs does the same, but has no parameter for the mode.
fn link(program: &ProgramMut<'_>, interface: &Interface, mode: Mode) -> io::Result<OwnedFd> {
    let index = i32::try_from(interface.index).map_err(io::Error::other)?;
    let options = libbpf_sys::bpf_link_create_opts {
        sz: size_of::<libbpf_sys::bpf_link_create_opts>() as libbpf_sys::size_t,
        flags: match mode {
            Mode::Native => libbpf_sys::XDP_FLAGS_DRV_MODE,
            Mode::Generic => libbpf_sys::XDP_FLAGS_SKB_MODE,
        },
        ..Default::default()
    };
    let program = program.as_fd().as_raw_fd();
    // SAFETY: libbpf reads the options, whose size is in them.
    let fd = unsafe {
        libbpf_sys::bpf_link_create(program, index, libbpf_sys::BPF_XDP, &raw const options)
    };
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // A link is a file descriptor: when it is closed, the program is detached, however this process
    // ends. SAFETY: it is new, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
// ANCHOR_END: link

/// The bytes of `struct key_v4` or `struct key_v6`: a length in bits, then an address.
fn key(prefix: IpNet) -> Vec<u8> {
    let mut key = u32::from(prefix.prefix_len()).to_ne_bytes().to_vec();
    match prefix {
        IpNet::V4(net) => key.extend(net.addr().octets()),
        IpNet::V6(net) => key.extend(net.addr().octets()),
    }
    key
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 8)
        .and_then(|word| word.try_into().ok())
        .map_or(0, u64::from_ne_bytes)
}
