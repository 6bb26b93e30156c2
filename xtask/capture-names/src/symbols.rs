//! Functions of the running kernel by the names of its symbols: which can be traced, which exist
//! twice, and which only as a copy that the compiler changed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::Write;
use std::ops::Range;

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};

const SYMBOLS: &str = "/proc/kallsyms";
const TRACEABLE: &str = "/sys/kernel/tracing/available_filter_functions";
/// Its names come one after the other, each with a zero after it.
const BTF: &str = "/sys/kernel/btf/vmlinux";
const DEBUGFS: &str = "/sys/kernel/debug";
const KPROBE_BLACKLIST: &str = "/sys/kernel/debug/kprobes/blacklist";

/// What the compiler adds to the name of a copy that it changed. Others, such as `.cold`, are parts
/// of functions and take no arguments.
const COPIES: [&str; 3] = [".constprop.", ".isra.", ".part."];

pub fn print_symbols(out: &mut impl Write) -> Result<()> {
    let symbols = fs::read_to_string(SYMBOLS).context("cannot read /proc/kallsyms")?;
    let traceable = fs::read_to_string(TRACEABLE)
        .context("cannot read the list of functions that can be traced")?;
    let types = fs::read(BTF).context("cannot read the kernel's BTF")?;
    let described: HashSet<&[u8]> = types.split(|&byte| byte == 0).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let code = find_code(&symbols);
    for symbol in symbols.lines().filter_map(Symbol::parse_line) {
        if symbol.is_function(&code) {
            *counts.entry(symbol.name).or_default() += 1;
        }
    }
    let traceable: BTreeSet<&str> = traceable.lines().filter(|line| is_vmlinux(line)).collect();
    for name in &traceable {
        writeln!(out, "traceable\t{name}")?;
    }
    for name in counts.keys().filter(|name| !traceable.contains(*name)) {
        if described.contains(name.as_bytes()) {
            writeln!(out, "untraceable\t{name}")?;
        }
    }
    print_copies(out, &counts)?;
    let blacklist = read_blacklist()?;
    for name in blacklist
        .iter()
        .filter(|name| traceable.contains(name.as_str()))
    {
        writeln!(out, "no-kprobe\t{name}")?;
    }
    Ok(())
}

/// How many functions have a name, where they are several; and the changed copies of functions.
fn print_copies(out: &mut impl Write, counts: &BTreeMap<&str, usize>) -> Result<()> {
    for (name, count) in counts {
        if *count > 1 {
            writeln!(out, "several\t{name}\t{count}")?;
        }
        if COPIES.iter().any(|copy| name.contains(copy)) {
            writeln!(out, "copy\t{name}")?;
        }
    }
    Ok(())
}

/// A symbol of the kernel itself, not of a module.
struct Symbol<'a> {
    address: u64,
    kind: &'a str,
    name: &'a str,
}

impl<'a> Symbol<'a> {
    fn parse_line(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
        let is_ours = words.next().is_none();
        is_ours.then_some(Self {
            address: u64::from_str_radix(address, 16).ok()?,
            kind,
            name,
        })
    }

    /// The kind alone does not tell: since Linux 6.16 variables have that of functions too.
    /// Compilers and macros add symbols that begin with `__pfx_` for the padding before a function.
    fn is_function(&self, code: &[Range<u64>]) -> bool {
        let is_code = code.iter().any(|range| range.contains(&self.address));
        is_code && matches!(self.kind, "t" | "T" | "w" | "W") && !self.name.starts_with("__pfx_")
    }
}

/// Where the kernel's code is: that of every day, and that of its start.
fn find_code(symbols: &str) -> Vec<Range<u64>> {
    let addresses: BTreeMap<&str, u64> = symbols
        .lines()
        .filter_map(Symbol::parse_line)
        .map(|symbol| (symbol.name, symbol.address))
        .collect();
    let parts = [("_stext", "_etext"), ("_sinittext", "_einittext")];
    let ranges = parts.iter().filter_map(|(start, end)| {
        let (start, end) = (addresses.get(start)?, addresses.get(end)?);
        Some(*start..*end)
    });
    ranges.collect()
}

fn is_vmlinux(line: &str) -> bool {
    !line.contains(char::is_whitespace) && !line.starts_with("__ftrace_invalid_address__")
}

/// The functions to which the kernel attaches no kprobe.
fn read_blacklist() -> Result<HashSet<String>> {
    let nothing: Option<&str> = None;
    if !fs::exists(KPROBE_BLACKLIST)? {
        mount(nothing, DEBUGFS, Some("debugfs"), MsFlags::empty(), nothing)
            .context("cannot mount debugfs")?;
    }
    let text = fs::read_to_string(KPROBE_BLACKLIST)
        .context("cannot read the functions that take no kprobe")?;
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    Ok(names.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_told_from_data_padding_and_modules() {
        let symbols = "1000 T _stext\n1010 t do_nanosleep\n1020 t __pfx_do_nanosleep\n\
            2000 T _etext\n3000 T jiffies\n3010 d jiffies_64\n1010 t veth_open\t[veth]\n\
            4000 T _sinittext\n4010 t fuse_init\n5000 T _einittext\n";
        let code = find_code(symbols);
        assert_eq!(code, [0x1000..0x2000, 0x4000..0x5000]);
        let found = symbols.lines().filter_map(Symbol::parse_line);
        let functions = found.filter(|symbol| symbol.is_function(&code));
        let names: Vec<&str> = functions.map(|symbol| symbol.name).collect();
        let expected = ["_stext", "do_nanosleep", "_sinittext", "fuse_init"];
        assert_eq!(names, expected);
    }

    #[test]
    fn copies_and_shared_names_are_told() {
        let counts = BTreeMap::from([
            ("a", 1),
            ("a.part.0", 1),
            ("b.constprop.0.isra.0", 1),
            ("c", 2),
            ("c.cold", 1),
        ]);
        let mut out = Vec::new();
        print_copies(&mut out, &counts).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "copy\ta.part.0\ncopy\tb.constprop.0.isra.0\nseveral\tc\t2\n"
        );
    }
}
