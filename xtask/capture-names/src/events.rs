//! Tracepoints that have an event, with the fields of their records.

use std::fs;
use std::io::Write;

use anyhow::{Context as _, Result};
use common::tracepoint_format::parse_record_fields;

const EVENTS: &str = "/sys/kernel/tracing/events";

/// Not tracepoints, but records that ftrace itself writes.
const NO_TRACEPOINTS: &str = "ftrace";

/// A line for each: its group and name, and the offset and declaration of each field.
pub fn print_events(out: &mut impl Write) -> Result<()> {
    for group in directories(EVENTS)? {
        if group == NO_TRACEPOINTS {
            continue;
        }
        for event in directories(&format!("{EVENTS}/{group}"))? {
            let path = format!("{EVENTS}/{group}/{event}/format");
            let format =
                fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
            write!(out, "event\t{group}:{event}")?;
            for field in parse_record_fields(&format) {
                let is_common = field.name().starts_with("common_");
                if !is_common {
                    write!(out, "\t{} {}", field.offset, field.declaration)?;
                }
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

fn directories(path: &str) -> Result<Vec<String>> {
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {path}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {path}"))?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
