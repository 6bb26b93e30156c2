//! Reads records from a ring buffer, and says how many were lost.

use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{MapCore as _, ObjectBuilder, RingBufferBuilder};

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let program = object.progs_mut().find(|it| it.name() == "on_mkdir");
    let program = program.context("cannot find on_mkdir")?;
    let _link = program.attach_kprobe(false, "security_inode_mkdir")?;
    let records = object.maps().find(|it| it.name() == "RECORDS");
    let records = records.context("cannot find RECORDS")?;
    let mut builder = RingBufferBuilder::new();
    builder.add(&records, print_record)?;
    let ring = builder.build()?;
    println!("ready");

    for line in io::stdin().lines() {
        if line? != "read" {
            bail!("unknown command");
        }
        // TODO: this takes one record at most; print each that waits.
        ring.consume_raw_n(1);
        // TODO: how many were lost since the last `read`?
        println!("lost 0");
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
