use aya::Ebpf;
use aya_log::EbpfLogger;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    if let Err(error) = EbpfLogger::init(&mut ebpf) {
        eprintln!("no logger: {error}");
    }
    Ok(())
}
