use aya::maps::perf::AsyncPerfEventArray;
use aya::Ebpf;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    let _events = AsyncPerfEventArray::try_from(ebpf.take_map("EVENTS").unwrap())?;
    Ok(())
}
