use aya::BpfLoader;

fn main() -> Result<(), anyhow::Error> {
    let pid: u32 = std::process::id();
    let mut bpf = BpfLoader::new()
        .set_global("PID", &pid, true)
        .set_max_entries("SEEN", 64)
        .map_pin_path("/sys/fs/bpf/example")
        .load_file("example.o")?;
    let _: &mut aya::Bpf = &mut bpf;
    Ok(())
}
