use aya::programs::UProbe;
use aya::Ebpf;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    let program: &mut UProbe = ebpf.program_mut("uprobe").unwrap().try_into()?;
    program.load()?;
    program.attach(Some("getaddrinfo"), 0, "libc", None)?;
    Ok(())
}
