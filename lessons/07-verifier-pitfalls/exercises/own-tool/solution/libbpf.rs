//! Says who opens files, and who fails to.

use std::cmp::Reverse;
use std::io;
use std::{env, fs, process};

use anyhow::{Context as _, Result, bail, ensure};
use libbpf_rs::{Link, Map, MapCore as _, MapFlags, Object, ObjectBuilder};

/// As the kernel keeps it: filled up with zeros, and the last byte is one.
type Name = [u8; 16];

/// Stands for every name.
const EVERYBODY: Name = [0; 16];

struct Tool<'a> {
    counts: Map<'a>,
    wanted: Map<'a>,
    /// The program is attached as long as this is there.
    _link: Link,
}

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let mut object = ObjectBuilder::default().open_file(object)?.load()?;
    let tool = Tool::start(&mut object)?;
    println!("ready");

    for line in io::stdin().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("report", _) => print!("{}", tool.report()?),
            ("save", file) => fs::write(file, tool.report()?)?,
            ("only", name) => tool.only(name)?,
            ("all", _) => tool.wanted.update(&EVERYBODY, &[0], MapFlags::ANY)?,
            ("clear", _) => tool.clear()?,
            (other, _) => bail!("unknown command: {other}"),
        }
        println!("done");
    }
    Ok(())
}

impl<'a> Tool<'a> {
    fn start(object: &'a mut Object) -> Result<Self> {
        find_map(object, "WANTED")?.update(&EVERYBODY, &[0], MapFlags::ANY)?;
        let own = process::id().to_ne_bytes();
        find_map(object, "OWN")?.update(&0_u32.to_ne_bytes(), &own, MapFlags::ANY)?;

        // Last: the program counts from here on.
        let mut programs = object.progs_mut();
        let program = programs.find(|program| program.name() == "openat_ends");
        let link = program.context("cannot find openat_ends")?.attach()?;
        Ok(Self {
            counts: find_map(object, "COUNTS")?,
            wanted: find_map(object, "WANTED")?,
            _link: link,
        })
    }

    fn report(&self) -> Result<String> {
        let mut entries = Vec::new();
        for key in self.counts.keys() {
            let counts = self.counts.lookup(&key, MapFlags::ANY)?;
            let counts = counts.context("cannot find an entry")?;
            let (succeeded, failed) = counts.split_at(8);
            let succeeded = u64::from_ne_bytes(succeeded.try_into()?);
            let failed = u64::from_ne_bytes(failed.try_into()?);
            entries.push((Reverse(succeeded + failed), key, succeeded, failed));
        }
        entries.sort();
        let lines = entries.iter().map(|(_, name, succeeded, failed)| {
            let name = String::from_utf8_lossy(name);
            let name = name.trim_end_matches('\0');
            format!("{name} {succeeded} {failed}\n")
        });
        Ok(lines.collect())
    }

    /// At each moment the program finds the name or the entry that stands for everybody, if it
    /// should count both before and after.
    fn only(&self, name: &str) -> Result<()> {
        let name = to_name(name)?;
        self.wanted.update(&name, &[0], MapFlags::ANY)?;
        let wanted: Vec<_> = self.wanted.keys().collect();
        for other in wanted.iter().filter(|other| **other != name) {
            self.wanted.delete(other)?;
        }
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        let names: Vec<_> = self.counts.keys().collect();
        for name in names {
            self.counts.delete(&name)?;
        }
        Ok(())
    }
}

fn find_map<'a>(object: &'a Object, name: &str) -> Result<Map<'a>> {
    let map = object.maps().find(|map| map.name() == name);
    map.with_context(|| format!("cannot find {name}"))
}

fn to_name(text: &str) -> Result<Name> {
    ensure!(text.len() < 16, "a name has at most 15 bytes: {text}");
    let mut name = EVERYBODY;
    name[..text.len()].copy_from_slice(text.as_bytes());
    Ok(name)
}
