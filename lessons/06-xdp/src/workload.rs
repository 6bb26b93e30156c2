//! The network of the demo, the frames that it sends, and what becomes of them.
//!
//! ```text
//!   c0 ======== fw0 [the program]     fw1 ======== b0
//!   the client  10.6.0.1              redirected frames leave here
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use common::say;
use network::frame::{self, CLIENT, Mac, PAYLOAD, SERVER};
use network::interface::Interface;
use network::network_namespace::{
    add_address, add_neighbour, create_veth_pair, enter_network_namespace,
};
use network::packet_socket::PacketSocket;

use crate::program::BoxedProgram;

/// Long enough for a machine that is very busy.
const LIMIT: Duration = Duration::from_secs(10);

pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd06, 0, 0, 0, 0, 0, 0, 1);
/// An address of the client, which the demo blocks.
pub const BAD_V4: Ipv4Addr = Ipv4Addr::new(10, 6, 6, 6);
/// The port of the server's socket.
pub const PORT: u16 = 7000;

const EXIT: Mac = [2, 0, 0, 0, 1, 1];
const BEHIND: Mac = [2, 0, 0, 0, 1, 2];

pub struct Workload {
    pub client: Interface,
    pub server: Interface,
    pub exit: Interface,
    pub behind: Interface,
    client_socket: PacketSocket,
    behind_socket: PacketSocket,
    server_socket: UdpSocket,
}

impl Workload {
    pub fn set_up() -> Result<Self> {
        enter_network_namespace()?;
        let [server, client] = create_veth_pair(("fw0", SERVER), ("c0", CLIENT))?;
        let [exit, behind] = create_veth_pair(("fw1", EXIT), ("b0", BEHIND))?;
        add_address(&server, SERVER_V4, 16)?;
        add_neighbour(&server, BAD_V4, CLIENT)?;
        let socket = UdpSocket::bind((SERVER_V4, PORT)).context("cannot open a UDP socket")?;
        let limited = socket.set_read_timeout(Some(LIMIT));
        limited.context("cannot set a time limit")?;
        Ok(Self {
            client_socket: PacketSocket::open(&client)?,
            behind_socket: PacketSocket::open(&behind)?,
            server_socket: socket,
            client,
            server,
            exit,
            behind,
        })
    }

    /// Sends a datagram to the server, and checks that what becomes of it fits the verdict.
    pub fn send_udp(&self, program: &BoxedProgram, from: Ipv4Addr, verdict: &str) -> Result<()> {
        let datagram = frame::udp_frame(from.into(), SERVER_V4.into(), PORT)?;
        self.send(program, &datagram, verdict)?;
        match verdict {
            "pass" => {
                self.receive_datagram(from)?;
                show("udp", from.into(), verdict, "the socket got it")
            }
            "redirect" => {
                self.behind_socket.wait_for_frame(LIMIT, &datagram)?;
                show("udp", from.into(), verdict, "came out at b0, unchanged")
            }
            _ => show("udp", from.into(), verdict, ""),
        }
    }

    pub fn send_ping(&self, program: &BoxedProgram, from: IpAddr, verdict: &str) -> Result<()> {
        let to = match from {
            IpAddr::V4(_) => SERVER_V4.into(),
            IpAddr::V6(_) => SERVER_V6.into(),
        };
        self.send(program, &frame::ping_frame(from, to)?, verdict)?;
        if verdict == "tx" {
            let reply = frame::ping_reply(from, to)?;
            self.client_socket.wait_for_frame(LIMIT, &reply)?;
            return show("ping", from, verdict, "answered, with the ping's own ttl");
        }
        show("ping", from, verdict, "")
    }

    /// Sends a datagram without its last byte.
    pub fn send_cut(&self, program: &BoxedProgram, from: Ipv4Addr, verdict: &str) -> Result<()> {
        let mut datagram = frame::udp_frame(from.into(), SERVER_V4.into(), PORT)?;
        datagram.pop();
        self.send(program, &datagram, verdict)?;
        show("udp", from.into(), verdict, "cut short")
    }

    /// Sends a frame from c0 to fw0, waits until it is counted, and checks the verdict.
    fn send(&self, program: &BoxedProgram, frame: &[u8], verdict: &str) -> Result<()> {
        let before = program.read_counters()?;
        self.client_socket.send_frame(frame)?;
        let deadline = Instant::now() + LIMIT;
        loop {
            let counted = program.read_counters()?.counted_since(&before);
            let rows = counted.list_rows();
            match rows[..] {
                [] if Instant::now() > deadline => bail!("the frame was not counted in {LIMIT:?}"),
                [] => sleep(Duration::from_millis(1)),
                [row] if row.counter.frames == 1 && row.verdict == verdict => return Ok(()),
                _ => bail!("one frame with {verdict} was expected, but {rows:?} was counted"),
            }
        }
    }

    fn receive_datagram(&self, from: Ipv4Addr) -> Result<()> {
        let mut buffer = [0; 64];
        let received = self.server_socket.recv_from(&mut buffer);
        let (length, sender) = received.context("the datagram did not arrive at the socket")?;
        let is_ours = buffer[..length] == *PAYLOAD && sender.ip() == from;
        ensure!(is_ours, "the socket received another datagram");
        Ok(())
    }

    /// Sends a datagram from the server to the blocked address.
    pub fn send_out(&self) -> Result<()> {
        let sent = self.server_socket.send_to(PAYLOAD, (BAD_V4, PORT));
        sent.map(drop).context("cannot send a datagram from fw0")
    }

    /// Waits until what `send_out` sent arrives at c0.
    pub fn receive_sent_out(&self) -> Result<()> {
        let is_for_bad = |frame: &[u8]| {
            frame.get(12..14) == Some(&[8, 0]) && frame.get(30..34) == Some(&BAD_V4.octets())
        };
        self.client_socket.wait_for(LIMIT, is_for_bad)
    }
}

fn show(what: &str, from: IpAddr, verdict: &str, then: &str) -> Result<()> {
    let line = format!("  {what:4} from {from:9}  {verdict:8}  {then}");
    say(line.trim_end())
}
