mod skel {
    include!(concat!(env!("OUT_DIR"), "/opens.skel.rs"));
}
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use skel::*;

fn main() -> anyhow::Result<()> {
    let mut open = OpensSkelBuilder::default().open()?;
    open.rodata_mut().wanted = 7;
    let mut skel = open.load()?;
    skel.attach()?;
    println!("{}", skel.bss().seen);
    Ok(())
}
