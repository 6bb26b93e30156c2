//! The demo with the messages of aya-log (`ebpf/src/log.rs`). There is no such library for C.

use std::process;

use anyhow::{Context as _, Result};
use aya::EbpfLoader;
use aya_log::EbpfLogger;
use common::{Stop, say, text};
use log::{Log, Metadata, Record};

use crate::workload;

// ANCHOR: log
pub fn run_demo(function: &str) -> Result<()> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hello-log-ebpf"));
    let mut ebpf = EbpfLoader::new()
        .load(object)
        .context("cannot load the program")?;
    let mut messages = EbpfLogger::init_with_logger(&mut ebpf, Printer)?;
    crate::aya::attach(&mut ebpf, function)?;
    // Ctrl-C must not end the process while the demo's directory exists; the demo is soon over.
    let _stop = Stop::catch()?;
    workload::remove_two_files()?;
    messages.flush();
    Ok(())
}

/// aya-log gives each message, as text, to a logger of the `log` crate.
struct Printer;

impl Log for Printer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = record.args().to_string();
        // Other processes remove files as well.
        if line.starts_with(&format!("pid={} ", process::id())) {
            // A logger cannot return an error.
            let _ = say(&with_name(&line));
        }
    }

    fn flush(&self) {}
}
// ANCHOR_END: log

/// The line with the name as text; the eBPF program sends its bytes as hexadecimal digits.
fn with_name(line: &str) -> String {
    match line.split_once(" name=") {
        Some((start, digits)) => format!("{start} name={}", text::printable(&from_hex(digits))),
        None => line.to_owned(),
    }
}

fn from_hex(digits: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for pair in digits.as_bytes().chunks_exact(2) {
        let pair = str::from_utf8(pair).unwrap_or_default();
        bytes.extend(u8::from_str_radix(pair, 16));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_text_and_cannot_harm_the_terminal() {
        let line = "pid=42 enter dirfd=-100 name=61206e616d65";
        assert_eq!(with_name(line), "pid=42 enter dirfd=-100 name=a name");
        let line = "pid=0 enter dirfd=0 name=1b5b324aff";
        assert_eq!(
            with_name(line),
            "pid=0 enter dirfd=0 name=\u{fffd}[2J\u{fffd}"
        );
    }

    #[test]
    fn a_return_has_no_name() {
        assert_eq!(with_name("pid=42 exit ret=-2"), "pid=42 exit ret=-2");
    }
}
