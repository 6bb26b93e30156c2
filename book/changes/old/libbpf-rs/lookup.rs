
use libbpf_rs::{MapFlags, MapHandle};

fn main() -> anyhow::Result<()> {
    let counts = MapHandle::from_pinned_path("/sys/fs/bpf/counts")?;
    println!("{:?}", counts.lookup(&1u32.to_ne_bytes(), MapFlags::ANY)?);
    Ok(())
}
