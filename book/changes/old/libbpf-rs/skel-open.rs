mod skel {
    include!(concat!(env!("OUT_DIR"), "/opens.skel.rs"));
}
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use skel::*;

fn main() -> anyhow::Result<()> {
    let open = OpensSkelBuilder::default().open()?;
    let mut skel = open.load()?;
    skel.attach()?;
    Ok(())
}
