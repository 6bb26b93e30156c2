use aya::programs::tc::{NlOptions, TcAttachOptions};
use aya::programs::{SchedClassifier, TcAttachType};
use aya::Ebpf;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    let program: &mut SchedClassifier = ebpf.program_mut("count").unwrap().try_into()?;
    program.load()?;
    let options = NlOptions { priority: 1, handle: 1 };
    program.attach_with_options("eth0", TcAttachType::Egress, TcAttachOptions::Netlink(options))?;
    Ok(())
}
