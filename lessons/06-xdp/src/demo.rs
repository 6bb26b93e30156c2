//! The demo: one frame after the other, and what became of each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use ipnet::IpNet;
use serde_json::json;

use crate::counters::{Counters, Row};
use crate::fault;
use crate::firewall::{Firewall, Mode};
use crate::frame::{self, PAYLOAD};
use crate::interface::Interface;
use crate::network::{self, BAD_ADDRESS, LIMIT, Network, SERVER_ADDRESS};
use crate::output::Output;
use crate::rules::Action;
use crate::wire::Wire;

const PORT: u16 = 7000;
const REDIRECTED: u16 = 8000;
const GOOD: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 2);
const GOOD_V6: Ipv6Addr = Ipv6Addr::new(0xfd06, 0, 0, 0, 0, 0, 0, 2);
const BAD_V6: Ipv6Addr = Ipv6Addr::new(0xfd06, 6, 0, 0, 0, 0, 0, 6);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd06, 0, 0, 0, 0, 0, 0, 1);

struct Demo<'a> {
    firewall: &'a mut dyn Firewall,
    network: Network,
    client: Wire,
    behind: Wire,
    socket: UdpSocket,
    output: Output,
    counted: Counters,
}

pub fn run(firewall: &mut dyn Firewall, mode: Mode, output: Output) -> Result<()> {
    let network = network::create()?;
    output.prose(
        "network   c0 ==== fw0 [firewall]   fw1 ==== b0     two veth pairs in a namespace of their own",
    )?;
    let socket =
        UdpSocket::bind((SERVER_ADDRESS, PORT)).context("open a UDP socket behind the firewall")?;
    socket
        .set_read_timeout(Some(LIMIT))
        .context("set a time limit")?;
    let (client, behind) = (Wire::open(&network.client)?, Wire::open(&network.behind)?);
    let counted = firewall.frames()?;
    let mut demo = Demo {
        firewall,
        network,
        client,
        behind,
        socket,
        output,
        counted,
    };
    demo.all_verdicts(mode)?;
    demo.other_mode(mode)?;
    demo.egress()?;
    output.event(
        &format!(
            "\nthe counters of all CPUs, added up\n{}",
            demo.counted.table()
        ),
        &json!({ "event": "summary", "counters": demo.counted.json() }),
    )?;
    output.prose(
        "\nend       the namespace goes with this process, and takes interfaces and programs along",
    )
}

impl Demo<'_> {
    fn all_verdicts(&mut self, mode: Mode) -> Result<()> {
        self.attach(mode)?;

        self.output
            .prose("\nno rules: what comes from 10.6.6.6 passes, and a socket gets it")?;
        self.udp(BAD_ADDRESS, "pass")?;

        self.output
            .prose("\na rule is set while the firewall runs")?;
        self.set("10.6.6.0/24", Action::Drop)?;
        self.udp(BAD_ADDRESS, "drop")?;
        self.udp(GOOD, "pass")?;
        self.output
            .prose("\nthe longest prefix that fits decides, so that there can be exceptions")?;
        self.set("10.6.6.6/32", Action::Pass)?;
        self.udp(BAD_ADDRESS, "pass")?;
        self.remove("10.6.6.6/32")?;
        self.udp(BAD_ADDRESS, "drop")?;

        self.output.prose(
            "\ntx: the firewall makes the answer in place and sends the frame back where it came from",
        )?;
        self.ping(GOOD.into(), SERVER_ADDRESS.into(), "tx")?;
        self.ping(GOOD_V6.into(), SERVER_V6.into(), "tx")?;
        self.set("fd06:6::/32", Action::Drop)?;
        self.ping(BAD_V6.into(), SERVER_V6.into(), "drop")?;

        self.output.prose(&format!(
            "\nredirect: UDP port {REDIRECTED} leaves by another interface"
        ))?;
        self.firewall
            .redirect(REDIRECTED, &self.network.exit)
            .context("set the redirection")?;
        self.redirected()
    }

    fn other_mode(&mut self, mode: Mode) -> Result<()> {
        let other = if mode == Mode::Native {
            Mode::Generic
        } else {
            Mode::Native
        };
        self.firewall.detach();
        self.output.prose("")?;
        self.attach(other)?;
        self.udp(GOOD, "pass")?;
        self.udp(BAD_ADDRESS, "drop")?;
        self.ping(GOOD.into(), SERVER_ADDRESS.into(), "tx")?;
        self.redirected()
    }

    /// A veth takes frames that XDP sends only while its own end of the cable has a program, in
    /// native mode: that is what makes it ready for them.
    fn attach(&mut self, mode: Mode) -> Result<()> {
        self.attach_one(mode, "firewall", &self.network.server.clone())?;
        if mode == Mode::Native {
            self.attach_one(mode, "pass", &self.network.client.clone())?;
            self.attach_one(mode, "pass", &self.network.behind.clone())?;
        }
        Ok(())
    }

    fn attach_one(&mut self, mode: Mode, program: &str, interface: &Interface) -> Result<()> {
        let attached = match program {
            "pass" => self.firewall.attach_pass(interface, mode),
            _ => self.firewall.attach(interface, mode),
        };
        attached.map_err(|error| fault::of_attach(error, interface, mode))?;
        let why = match (program, mode) {
            ("pass", _) => "else this veth would not take what XDP sends",
            (_, Mode::Native) => "the driver runs it",
            (_, Mode::Generic) => "the kernel runs it, after the driver",
        };
        // What the kernel says, not what was asked for.
        let how = Interface::find(&interface.name)?.attached_name();
        let name = &interface.name;
        self.output.event(
            &format!("attached  {program:8} to {name:3} in {how} mode: {why}"),
            &json!({ "event": "attached", "program": program, "interface": name, "mode": how }),
        )
    }

    fn set(&mut self, prefix: &str, action: Action) -> Result<()> {
        let net: IpNet = prefix.parse().context("read the demo's prefix")?;
        self.firewall
            .set_rule(net, action)
            .with_context(|| format!("set the rule for {prefix}"))?;
        self.output.event(
            &format!("  rule    {prefix} {}", action.name()),
            &json!({ "event": "rule", "change": "set", "prefix": prefix, "action": action.name() }),
        )
    }

    fn remove(&mut self, prefix: &str) -> Result<()> {
        let net: IpNet = prefix.parse().context("read the demo's prefix")?;
        self.firewall
            .remove_rule(net)
            .with_context(|| format!("remove the rule for {prefix}"))?;
        self.output.event(
            &format!("  rule    {prefix} removed"),
            &json!({ "event": "rule", "change": "removed", "prefix": prefix }),
        )
    }

    fn udp(&mut self, from: Ipv4Addr, expected: &str) -> Result<()> {
        let row = self.send(&frame::udp(from.into(), SERVER_ADDRESS.into(), PORT)?)?;
        let seen = if row.verdict == "pass" {
            let mut buffer = [0; 64];
            let (length, sender) = self
                .socket
                .recv_from(&mut buffer)
                .context("wait for the datagram")?;
            ensure!(
                buffer[..length] == *PAYLOAD && sender.ip() == from,
                "the socket got another datagram"
            );
            "the socket got it"
        } else {
            "counted, and gone"
        };
        self.tell("udp", &from.to_string(), row, seen, expected)
    }

    fn ping(&mut self, from: IpAddr, to: IpAddr, expected: &str) -> Result<()> {
        let request = frame::ping(from, to)?;
        let row = self.send(&request)?;
        let seen = if row.verdict == "tx" {
            self.client
                .wait_for(LIMIT, |answer| frame::is_answer(&request, answer))?;
            "answered with the request's own ttl: no network stack has seen it"
        } else {
            "counted, and gone"
        };
        self.tell("ping", &from.to_string(), row, seen, expected)
    }

    fn redirected(&mut self) -> Result<()> {
        let sent = frame::udp(GOOD.into(), SERVER_ADDRESS.into(), REDIRECTED)?;
        let row = self.send(&sent)?;
        if row.verdict == "redirect" {
            self.behind.wait_for(LIMIT, |frame| frame == sent)?;
        }
        self.tell(
            "udp",
            &GOOD.to_string(),
            row,
            "came out at b0, unchanged",
            "redirect",
        )
    }

    /// Sends a frame and waits until the firewall has counted it: as what, and with which verdict.
    fn send(&mut self, frame: &[u8]) -> Result<Row> {
        self.client.send(frame)?;
        let deadline = Instant::now() + LIMIT;
        loop {
            let now = self.firewall.frames()?;
            let new = now.since(&self.counted);
            if new.frames() > 0 {
                self.counted = now;
                ensure!(
                    new.frames() == 1,
                    "count one frame: the firewall counted {}",
                    new.frames()
                );
                return new.rows().next().context("find what was counted");
            }
            if Instant::now() > deadline {
                bail!("wait for the firewall to count a frame: it did not in {LIMIT:?}");
            }
            sleep(Duration::from_millis(1));
        }
    }

    fn tell(&self, what: &str, from: &str, row: Row, seen: &str, expected: &str) -> Result<()> {
        let verdict = row.verdict;
        self.output.event(
            &format!("  {what:4}    from {from:9} {verdict:8} {seen}"),
            &json!({ "event": "frame", "kind": row.kind, "from": from, "verdict": verdict, "seen": seen }),
        )?;
        ensure!(
            verdict == expected,
            "the verdict should have been {expected}"
        );
        Ok(())
    }

    fn egress(&mut self) -> Result<()> {
        self.output.prose(
            "\nXDP sees only what comes in. What goes out is tc's: fw0 sends to the blocked 10.6.6.6",
        )?;
        self.send_out()?;
        self.client.wait_for(LIMIT, is_for_bad)?;
        let told =
            |seen: &str, drops: u64| json!({ "event": "egress", "seen": seen, "drops": drops });
        self.output.event(
            "  udp     to   10.6.6.6           arrived at c0, though it is blocked",
            &told("arrived", 0),
        )?;
        let server = self.network.server.clone();
        self.firewall.attach_egress(&server)?;
        self.output
            .prose("attached  egress   to fw0 as a filter of tc, with the same rules")?;
        self.send_out()?;
        // tc drops a packet while it is being sent: there is nothing to wait for.
        let drops = self.firewall.egress_drops()?;
        self.output.event(
            "  udp     to   10.6.6.6  drop     counted, and gone",
            &told("dropped", drops),
        )?;
        ensure!(
            drops == 1,
            "count what tc dropped: it was {drops}, and should have been 1"
        );
        Ok(())
    }

    fn send_out(&self) -> Result<()> {
        self.socket
            .send_to(PAYLOAD, (BAD_ADDRESS, PORT))
            .context("send a datagram from fw0")?;
        Ok(())
    }
}

/// An IPv4 packet to the blocked address.
fn is_for_bad(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[8, 0]) && frame.get(30..34) == Some(&BAD_ADDRESS.octets())
}
