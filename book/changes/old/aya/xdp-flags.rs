use aya::programs::{Xdp, XdpFlags};
use aya::Ebpf;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    let program: &mut Xdp = ebpf.program_mut("firewall").unwrap().try_into()?;
    program.load()?;
    program.attach("eth0", XdpFlags::default())?;
    Ok(())
}
