use aya::maps::perf::PerfEventArray;
use aya::util::online_cpus;
use aya::Ebpf;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    let mut events = PerfEventArray::try_from(ebpf.take_map("EVENTS").unwrap())?;
    for cpu in online_cpus().map_err(|(_, error)| error)? {
        let mut buffer = events.open(cpu, None)?;
        let mut records = vec![Default::default(); 10];
        buffer.read_events(&mut records)?;
    }
    Ok(())
}
