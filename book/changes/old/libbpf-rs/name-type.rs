
use libbpf_rs::ObjectBuilder;

fn main() -> anyhow::Result<()> {
    let object = ObjectBuilder::default().open_file("opens.bpf.o")?;
    let name: &str = object.name()?;
    println!("{name}");
    Ok(())
}
