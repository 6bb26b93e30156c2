//! Reads records from a ring buffer, and says how many were lost.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{Map, MapCore as _, MapFlags, ObjectBuilder, RingBufferBuilder};

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let program = object.progs_mut().find(|it| it.name() == "on_mkdir");
    let program = program.context("cannot find on_mkdir")?;
    let _link = program.attach_kprobe(false, "security_inode_mkdir")?;
    let records = object.maps().find(|it| it.name() == "RECORDS");
    let records = records.context("cannot find RECORDS")?;
    let lost = object.maps().find(|it| it.name() == "LOST");
    let lost = lost.context("cannot find LOST")?;
    let mut builder = RingBufferBuilder::new();
    builder.add(&records, print_record)?;
    let ring = builder.build()?;
    let mut told = 0;
    println!("ready");

    for line in io::stdin().lines() {
        if line? != "read" {
            bail!("unknown command");
        }
        ring.consume()?;
        let all = read_number(&lost)?;
        println!("lost {}", all - told);
        told = all;
        println!("done");
    }
    Ok(())
}

/// Returns 0: go on with the next one.
fn print_record(record: &[u8]) -> i32 {
    let thread = record.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
    println!("{}", thread.unwrap_or_default());
    0
}

/// The one number in this map.
fn read_number(map: &Map<'_>) -> Result<u64> {
    let value = map.lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)?;
    let value = value.context("cannot find the number")?;
    Ok(u64::from_ne_bytes(value[..].try_into()?))
}
