mod skel {
    include!(concat!(env!("OUT_DIR"), "/opens.skel.rs"));
}
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use skel::*;

fn main() -> anyhow::Result<()> {
    let skel = OpensSkelBuilder::default().open()?.load()?;
    let maps = skel.maps();
    let samples = libbpf_rs::PerfBufferBuilder::new(maps.samples())
        .sample_cb(|_cpu, _bytes: &[u8]| {})
        .build()?;
    samples.poll(std::time::Duration::from_millis(100))?;
    Ok(())
}
