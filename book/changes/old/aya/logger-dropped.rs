use aya::Ebpf;
use aya_log::EbpfLogger;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    EbpfLogger::init(&mut ebpf)?;
    Ok(())
}
