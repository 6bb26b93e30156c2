use aya::{include_bytes_aligned, Ebpf};

fn main() -> Result<(), anyhow::Error> {
    let _ebpf = Ebpf::load(include_bytes_aligned!(
        "../../target/bpfel-unknown-none/release/example"
    ))?;
    Ok(())
}
