use aya::Ebpf;
use aya_log::BpfLogger;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    BpfLogger::init(&mut ebpf)?;
    Ok(())
}
