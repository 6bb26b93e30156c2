//! What the kernel says with a number, in words.

use std::io;

use anyhow::{Error, anyhow};
use common::NotReady;
use ipnet::IpNet;

use crate::firewall::Mode;
use crate::interface::Interface;

/// Attaching an XDP program failed.
pub fn of_attach(error: Error, interface: &Interface, mode: Mode) -> Error {
    let name = &interface.name;
    let what = format!("attach to {name} in {} mode", mode.name());
    match errno(&error) {
        // The second one: there is a program, in the other mode.
        Some(libc::EBUSY | libc::EEXIST) => busy(&what, interface).into(),
        Some(libc::EOPNOTSUPP) if mode == Mode::Native => {
            NotReady::new(format!("{what}: its driver cannot run XDP programs"))
                .help("--mode generic lets the kernel run them, with any driver")
                .into()
        }
        Some(libc::ERANGE | libc::EINVAL | libc::ENOSPC) if mode == Mode::Native => NotReady::new(
            format!("{what}: its driver refuses, because of its MTU or its queues: {error:#}"),
        )
        .help(format!("ip link set {name} mtu 1500"))
        .help("--mode generic lets the kernel run them, with any driver")
        .into(),
        _ => error.context(what),
    }
}

fn busy(what: &str, interface: &Interface) -> NotReady {
    // Looked up anew: it may have come a moment ago.
    let now = Interface::find(&interface.name).ok();
    let other = now
        .and_then(|now| now.program())
        .unwrap_or_else(|| "another XDP program".to_owned());
    NotReady::new(format!("{what}: {other} is there already"))
        .help("bpftool net shows it; end the program that attached it")
        .help(format!(
            "ip link set {} xdp off takes one off that 'ip link' put there",
            interface.name
        ))
}

/// A rule could not be set. libbpf-rs does not pass the kernel's number on, so it is the count that
/// tells.
pub fn of_rule(error: Error, prefix: IpNet, is_full: bool) -> Error {
    if is_full {
        let family = if prefix.addr().is_ipv4() {
            "IPv4"
        } else {
            "IPv6"
        };
        return anyhow!(
            "set the rule for {prefix}: the table for {family} is full; --max-rules makes it larger: {error:#}"
        );
    }
    error.context(format!("set the rule for {prefix}"))
}

/// The number that the kernel gave, wherever it is in the chain of causes.
fn errno(error: &Error) -> Option<i32> {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error())
}
