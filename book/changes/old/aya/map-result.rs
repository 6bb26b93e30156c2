use aya::maps::HashMap;
use aya::Ebpf;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    let mut counts: HashMap<_, u32, u64> = HashMap::try_from(ebpf.map_mut("COUNTS")?)?;
    counts.insert(1, 0, 0)?;
    Ok(())
}
