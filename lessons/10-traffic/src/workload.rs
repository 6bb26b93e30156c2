//! The network of the demo, and its client.
//!
//! ```text
//!   client's namespace    server's namespace
//!   c0 ================== s0    the service, and the backends one and two
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result};
use network::frame::{CLIENT, SERVER, ping_frame};
use network::interface::Interface;
use network::network_namespace::{NetworkNamespace, add_address, join_namespaces, stay_on_one_cpu};
use network::packet_socket::PacketSocket;

use crate::endpoint::{BACKENDS, Endpoint};
use crate::servers::serve;

/// Long enough for a machine that is very busy.
const LIMIT: Duration = Duration::from_secs(10);

/// The last byte of an address, and a port.
pub const SERVICE: (u8, u16) = (8, 80);
pub const SERVERS: [(&str, (u8, u16)); BACKENDS as usize] =
    [("one", (1, 8001)), ("two", (2, 8002))];
const CLIENT_HOST: u8 = 9;

pub struct Workload {
    client_side: NetworkNamespace,
    server_side: NetworkNamespace,
    pub client: Interface,
    pub server: Interface,
}

pub fn ipv4(host: u8) -> IpAddr {
    Ipv4Addr::new(10, 10, 0, host).into()
}

pub fn ipv6(host: u8) -> IpAddr {
    Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, host.into()).into()
}

/// As the maps have it.
pub fn endpoint((host, port): (u8, u16), is_up: bool) -> Endpoint {
    let words = |address: IpAddr| {
        let octets = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        bytemuck::cast(octets)
    };
    Endpoint {
        ipv4: words(ipv4(host)),
        ipv6: words(ipv6(host)),
        port: port.to_be(),
        is_up: is_up.into(),
    }
}

impl Workload {
    /// This thread is on the server's side afterwards.
    pub fn set_up() -> Result<Self> {
        stay_on_one_cpu()?;
        let client_side = NetworkNamespace::create()?;
        let server_side = NetworkNamespace::create()?;
        let [server, client] = join_namespaces(
            (("s0", SERVER), &server_side),
            (("c0", CLIENT), &client_side),
        )?;
        let backends = SERVERS.map(|(_, (host, _))| host);
        for host in [SERVICE.0, backends[0], backends[1]] {
            add_address(&server, ipv4(host), 24)?;
            add_address(&server, ipv6(host), 64)?;
        }
        for (name, (host, port)) in SERVERS {
            for address in [ipv4(host), ipv6(host)] {
                serve(name, SocketAddr::new(address, port))?;
            }
        }
        client_side.enter()?;
        add_address(&client, ipv4(CLIENT_HOST), 24)?;
        add_address(&client, ipv6(CLIENT_HOST), 64)?;
        server_side.enter()?;
        Ok(Self {
            client_side,
            server_side,
            client,
            server,
        })
    }

    /// A connection from the client's side.
    pub fn connect(&self, to: SocketAddr) -> Result<io::Result<TcpStream>> {
        self.client_side.enter()?;
        let connected = TcpStream::connect_timeout(&to, LIMIT);
        self.server_side.enter()?;
        if let Ok(stream) = &connected {
            let limited = stream.set_read_timeout(Some(LIMIT));
            limited.context("cannot set a time limit")?;
        }
        Ok(connected)
    }

    /// A socket for datagrams on the client's side.
    pub fn open_udp(&self, is_ipv4: bool) -> Result<UdpSocket> {
        let family = if is_ipv4 { ipv4 } else { ipv6 };
        self.client_side.enter()?;
        let socket = UdpSocket::bind((family(CLIENT_HOST), 0));
        self.server_side.enter()?;
        let socket = socket.context("cannot open a UDP socket")?;
        let limited = socket.set_read_timeout(Some(LIMIT));
        limited.context("cannot set a time limit")?;
        Ok(socket)
    }

    /// Sends a ping out of c0, and waits for its answer.
    pub fn ping(&self, host: u8) -> Result<()> {
        self.client_side.enter()?;
        let socket = PacketSocket::open(&self.client);
        self.server_side.enter()?;
        let socket = socket?;
        let (from, to) = (ipv4(CLIENT_HOST), ipv4(host));
        socket.send_frame(&ping_frame(from, to)?)?;
        // ICMP, and the type of an answer.
        socket.wait_for(LIMIT, |frame| frame.get(23) == Some(&1) && frame[34] == 0)
    }
}
