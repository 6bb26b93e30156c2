//! User side with libbpf-rs: one object from clang does it in all three ways.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{MapCore as _, MapFlags, OpenObject};

use super::seen::Seen;
use super::{Offsets, trigger};
use crate::tracer;

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "libbpf-cargo writes this file"
)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/parent.skel.rs"));
}
use skeleton::ParentSkelBuilder;

// ANCHOR: ladder
pub fn read(storage: &mut MaybeUninit<OpenObject>, offsets: &Offsets) -> Result<Seen> {
    let mut open = ParentSkelBuilder::default()
        .open(storage)
        .context("open the program")?;
    let globals = open.maps.rodata_data.as_mut().context("find the globals")?;
    globals.pid = offsets.pid;
    globals.real_parent = offsets.real_parent;
    globals.tgid = offsets.tgid;
    globals.state = offsets.state;
    let skeleton = open.load().context("load read_parent")?;
    let link = skeleton
        .progs
        .read_parent
        .attach_trace()
        .context("attach read_parent")?;
    trigger()?;
    drop(link);
    let bytes = skeleton
        .maps
        .seen
        .lookup(&0u32.to_ne_bytes(), MapFlags::ANY)
        .context("read map seen")?;
    tracer::decode(&bytes.context("read map seen: it is empty")?)
}
// ANCHOR_END: ladder
