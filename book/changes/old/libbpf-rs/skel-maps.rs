mod skel {
    include!(concat!(env!("OUT_DIR"), "/opens.skel.rs"));
}
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use skel::*;

fn main() -> anyhow::Result<()> {
    let mut skel = OpensSkelBuilder::default().open()?.load()?;
    let link = skel.progs_mut().count_open().attach()?;
    let mut builder = libbpf_rs::RingBufferBuilder::new();
    let maps = skel.maps();
    builder.add(maps.events(), |_record| 0)?;
    let events = builder.build()?;
    events.poll(std::time::Duration::from_millis(100))?;
    drop(link);
    Ok(())
}
