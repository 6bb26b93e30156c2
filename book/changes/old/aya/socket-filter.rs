use std::net::UdpSocket;

use aya::programs::{Link, SocketFilter};
use aya::Ebpf;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let program: &mut SocketFilter = ebpf.program_mut("filter").unwrap().try_into()?;
    program.load()?;
    let id = program.attach(&socket)?;
    program.take_link(id)?.detach()?;
    Ok(())
}
