//! With libbpf-rs 0.27. The new forms of skeletons are in the lessons.

use std::path::Path;

use anyhow::{Context as _, Result};
use libbpf_rs::{MapCore as _, MapFlags, ObjectBuilder};

pub fn read_count(file: &Path) -> Result<Option<Vec<u8>>> {
    // ANCHOR: object
    let object = ObjectBuilder::default().open_file(file)?.load()?;
    let mut programs = object.progs_mut();
    let program = programs.find(|program| program.name() == "count_open");
    let program = program.context("cannot find count_open")?;
    let _link = program.attach()?;

    let counts = object.maps().find(|map| map.name() == "counts");
    let counts = counts.context("cannot find counts")?;
    // The trait MapCore has lookup, update, delete and keys.
    let count = counts.lookup(&1u32.to_ne_bytes(), MapFlags::ANY)?;
    // ANCHOR_END: object
    Ok(count)
}
