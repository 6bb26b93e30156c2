
use libbpf_rs::{MapFlags, ObjectBuilder};

fn main() -> anyhow::Result<()> {
    let mut object = ObjectBuilder::default().open_file("opens.bpf.o")?.load()?;
    let _link = object.prog_mut("count_open").unwrap().attach()?;
    let counts = object.map("counts").unwrap();
    println!("{:?}", counts.lookup(&1u32.to_ne_bytes(), MapFlags::ANY)?);
    Ok(())
}
