//! Loads `seen.rs`, and does with the logger what the second argument says: keeps it or, as
//! tutorials do, only looks whether there is an error.

use aya::{Ebpf, programs::KProbe};
use aya_log::EbpfLogger;
use log::{LevelFilter, Log, Metadata, Record};

struct Printer;

impl Log for Printer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        println!("message: {}", record.args());
    }

    fn flush(&self) {}
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Err(error) = run(&arguments[1], &arguments[2]) {
        println!("error: {error:#}");
    }
}

fn run(object: &str, logger: &str) -> anyhow::Result<()> {
    log::set_logger(&Printer).map_err(|error| anyhow::anyhow!("{error}"))?;
    log::set_max_level(LevelFilter::Info);
    let mut ebpf = Ebpf::load_file(object)?;
    let mut kept = None;
    if logger == "kept" {
        kept = Some(EbpfLogger::init(&mut ebpf)?);
    } else if let Err(error) = EbpfLogger::init(&mut ebpf) {
        println!("no logger: {error}");
    }
    let program: &mut KProbe = ebpf.program_mut("seen").unwrap().try_into()?;
    program.load()?;
    program.attach("do_sys_openat2", 0)?;
    std::fs::read_to_string("/proc/self/comm")?;
    if let Some(logger) = &mut kept {
        logger.flush();
    }
    Ok(())
}
