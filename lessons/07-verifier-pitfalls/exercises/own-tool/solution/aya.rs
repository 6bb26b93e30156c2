//! Says who opens files, and who fails to.

use std::cmp::Reverse;
use std::io;
use std::{env, fs, process};

use anyhow::{Context as _, Result, bail, ensure};
use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData, MapError};
use aya::programs::TracePoint;

/// As the kernel keeps it: filled up with zeros, and the last byte is one.
type Name = [u8; 16];

/// How many calls succeeded, and how many failed.
type Counts = [u64; 2];

/// Stands for every name.
const EVERYBODY: Name = [0; 16];

struct Tool {
    counts: HashMap<MapData, Name, Counts>,
    wanted: HashMap<MapData, Name, u8>,
    /// The program is attached as long as this is there.
    _ebpf: Ebpf,
}

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let mut tool = Tool::start(&object)?;
    println!("ready");

    for line in io::stdin().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("report", _) => print!("{}", tool.report()?),
            ("save", file) => fs::write(file, tool.report()?)?,
            ("only", name) => tool.only(name)?,
            ("all", _) => tool.wanted.insert(EVERYBODY, 0, 0)?,
            ("clear", _) => tool.clear()?,
            (other, _) => bail!("unknown command: {other}"),
        }
        println!("done");
    }
    Ok(())
}

impl Tool {
    fn start(object: &str) -> Result<Self> {
        let mut ebpf = Ebpf::load_file(object)?;
        let counts = ebpf.take_map("COUNTS").context("cannot find COUNTS")?;
        let wanted = ebpf.take_map("WANTED").context("cannot find WANTED")?;
        let mut wanted = HashMap::try_from(wanted)?;
        wanted.insert(EVERYBODY, 0, 0)?;
        let own = ebpf.map_mut("OWN").context("cannot find OWN")?;
        Array::try_from(own)?.set(0, process::id(), 0)?;

        // Last: the program counts from here on.
        let program = ebpf.program_mut("openat_ends");
        let program: &mut TracePoint = program.context("cannot find openat_ends")?.try_into()?;
        program.load()?;
        program.attach("syscalls", "sys_exit_openat")?;
        Ok(Self {
            counts: HashMap::try_from(counts)?,
            wanted,
            _ebpf: ebpf,
        })
    }

    fn report(&self) -> Result<String> {
        let mut entries = self.counts.iter().collect::<Result<Vec<_>, MapError>>()?;
        entries.sort_by_key(|(name, [succeeded, failed])| (Reverse(succeeded + failed), *name));
        let lines = entries.iter().map(|(name, [succeeded, failed])| {
            let name = String::from_utf8_lossy(name);
            let name = name.trim_end_matches('\0');
            format!("{name} {succeeded} {failed}\n")
        });
        Ok(lines.collect())
    }

    /// At each moment the program finds the name or the entry that stands for everybody, if it
    /// should count both before and after.
    fn only(&mut self, name: &str) -> Result<()> {
        let name = to_name(name)?;
        self.wanted.insert(name, 0, 0)?;
        let wanted = self.wanted.keys().collect::<Result<Vec<_>, MapError>>()?;
        for other in wanted.iter().filter(|other| **other != name) {
            self.wanted.remove(other)?;
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<()> {
        let names = self.counts.keys().collect::<Result<Vec<_>, MapError>>()?;
        for name in names {
            self.counts.remove(&name)?;
        }
        Ok(())
    }
}

fn to_name(text: &str) -> Result<Name> {
    ensure!(text.len() < 16, "a name has at most 15 bytes: {text}");
    let mut name = EVERYBODY;
    name[..text.len()].copy_from_slice(text.as_bytes());
    Ok(name)
}
