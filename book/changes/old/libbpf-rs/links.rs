mod skel {
    include!(concat!(env!("OUT_DIR"), "/opens.skel.rs"));
}
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use skel::*;

fn main() -> anyhow::Result<()> {
    let mut skel = OpensSkelBuilder::default().open()?.load()?;
    let link = skel.progs_mut().count_open().attach()?;
    skel.links = OpensLinks { count_open: Some(link) };
    Ok(())
}
