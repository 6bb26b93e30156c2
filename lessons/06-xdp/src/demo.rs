//! The demo: the programs of the row one after the other, and what each does with frames.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result, ensure};
use common::say;
use network::frame;
use network::interface::{Interface, Mode};

use crate::counters::{DROP, PASS, verdict_name};
use crate::program::{BoxedProgram, PacketProgram};
use crate::workload::{BAD_V4, PORT, SERVER_V4, Workload};

const GOOD_V4: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 2);
const GOOD_V6: Ipv6Addr = Ipv6Addr::new(0xfd06, 0, 0, 0, 0, 0, 0, 2);
const BAD_V6: Ipv6Addr = Ipv6Addr::new(0xfd06, 6, 0, 0, 0, 0, 0, 6);

// ANCHOR: demo
/// `load` loads a program with one of the two libraries.
pub fn run_demo(mut load: impl FnMut(PacketProgram) -> Result<BoxedProgram>) -> Result<()> {
    show_parse(load(PacketProgram::Parse)?)?;

    let network = Workload::set_up()?;
    say("\nnetwork   c0 ==== fw0    fw1 ==== b0    two veth pairs in a separate namespace")?;
    show_count(&network, load(PacketProgram::Count)?)?;
    show_block(&network, load(PacketProgram::Block)?, Mode::Native)?;
    show_block(&network, load(PacketProgram::Block)?, Mode::Generic)?;
    let mut peers = load(PacketProgram::Parse)?;
    peers.attach_xdp(&network.client, Mode::Native)?;
    peers.attach_xdp(&network.behind, Mode::Native)?;
    say("\nparse     attached to c0 and b0: without a program, they refuse what XDP sends")?;
    show_reply(&network, load(PacketProgram::Reply)?, Mode::Native)?;
    show_redirect(&network, load(PacketProgram::Redirect)?, Mode::Native)?;
    drop(peers);
    show_reply(&network, load(PacketProgram::Reply)?, Mode::Generic)?;
    show_redirect(&network, load(PacketProgram::Redirect)?, Mode::Generic)?;
    show_egress(&network, load(PacketProgram::Egress)?)?;
    say("\nend       the namespace ends with this process, and so do its interfaces")
}
// ANCHOR_END: demo

// ANCHOR: parse
fn show_parse(program: BoxedProgram) -> Result<()> {
    say("parse     run by BPF_PROG_TEST_RUN, on frames made by hand, without any network")?;
    let whole = frame::tcp_frame(GOOD_V4.into(), SERVER_V4.into(), PORT)?;
    let mut too_long = whole.clone();
    too_long[16] = 1; // the upper byte of tot_len: 256 bytes more
    let mut short_header = whole.clone();
    short_header[14] = 0x44; // ihl: 16 bytes, but an IPv4 header has at least 20
    for (name, frame, expected) in [
        ("a TCP segment over IPv4", &whole[..], "pass"),
        ("the same, without its last byte", &whole[..53], "drop"),
        ("the same, with a tot_len of 296", &too_long, "drop"),
        ("the same, with an ihl of 4", &short_header, "drop"),
    ] {
        let result = program.test_run(frame, 1).context("cannot run parse")?;
        let (length, verdict) = (frame.len(), verdict_name(result.verdict));
        say(&format!("  {name:32} {length:3} bytes  {verdict}"))?;
        ensure!(verdict == expected, "{expected} was expected");
        ensure!(result.frame == frame, "the frame was changed");
    }
    Ok(())
}
// ANCHOR_END: parse

fn show_count(network: &Workload, mut program: BoxedProgram) -> Result<()> {
    attach(&mut program, "count", &network.server, Mode::Native)?;
    network.send_udp(&program, GOOD_V4, "pass")?;
    network.send_udp(&program, BAD_V4, "pass")?;
    network.send_ping(&program, GOOD_V6.into(), "pass")?;
    network.send_cut(&program, GOOD_V4, "drop")?;
    say("  what all CPUs counted:")?;
    say(&program.read_counters()?.format_table())
}

fn show_block(network: &Workload, mut program: BoxedProgram, mode: Mode) -> Result<()> {
    attach(&mut program, "block", &network.server, mode)?;
    network.send_udp(&program, BAD_V4, "pass")?;
    set_rule(&mut program, "10.6.6.0/24", Some(DROP))?;
    network.send_udp(&program, BAD_V4, "drop")?;
    network.send_udp(&program, GOOD_V4, "pass")?;
    set_rule(&mut program, "10.6.6.6/32", Some(PASS))?;
    network.send_udp(&program, BAD_V4, "pass")?;
    set_rule(&mut program, "10.6.6.6/32", None)?;
    network.send_udp(&program, BAD_V4, "drop")
}

fn show_reply(network: &Workload, mut program: BoxedProgram, mode: Mode) -> Result<()> {
    attach(&mut program, "reply", &network.server, mode)?;
    network.send_ping(&program, GOOD_V4.into(), "tx")?;
    network.send_ping(&program, GOOD_V6.into(), "tx")?;
    set_rule(&mut program, "fd06:6::/32", Some(DROP))?;
    network.send_ping(&program, BAD_V6.into(), "drop")
}

fn show_redirect(network: &Workload, mut program: BoxedProgram, mode: Mode) -> Result<()> {
    attach(&mut program, "redirect", &network.server, mode)?;
    network.send_udp(&program, GOOD_V4, "pass")?;
    program.set_redirect(PORT, &network.exit)?;
    say(&format!("  UDP port {PORT} leaves through fw1"))?;
    network.send_udp(&program, GOOD_V4, "redirect")
}

fn show_egress(network: &Workload, mut program: BoxedProgram) -> Result<()> {
    say("\negress    XDP sees only what comes in; tc also sees what goes out")?;
    set_rule(&mut program, "10.6.6.0/24", Some(DROP))?;
    network.send_out()?;
    network.receive_sent_out()?;
    say("  udp  to   10.6.6.6             arrived at c0: nothing is attached yet")?;
    program.attach_egress(&network.server)?;
    say("  attached to fw0, as a filter of tc")?;
    network.send_out()?;
    // tc drops a packet while it is being sent, so there is nothing to wait for.
    let drops = program.read_egress_drops()?;
    ensure!(drops == 1, "tc counted {drops} dropped packets, not 1");
    say("  udp  to   10.6.6.6   drop")
}

/// Shows the mode that the kernel reports, which need not be the one that was asked for.
fn attach(program: &mut BoxedProgram, name: &str, interface: &Interface, mode: Mode) -> Result<()> {
    program.attach_xdp(interface, mode)?;
    let to = &interface.name;
    let mode = Interface::find_interface(to)?.mode_name();
    say(&format!("\n{name:9} attached to {to} in {mode} mode"))
}

fn set_rule(program: &mut BoxedProgram, network: &str, verdict: Option<u32>) -> Result<()> {
    program.set_rule(network.parse()?, verdict)?;
    let verdict = verdict.map_or("removed", verdict_name);
    say(&format!("  rule {network} {verdict}"))
}
