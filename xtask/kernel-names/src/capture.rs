//! All names of one kernel, from the lines that `capture-names` prints.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};

use crate::blocks::{BlockPlace, format_block};
use crate::function::KernelFunction;
use crate::kind::Kind;
use crate::record::Record;
use crate::structure::{Field, Struct};

/// What is stored of each name, by kind.
#[derive(Debug, Default)]
pub struct CapturedNames {
    names: BTreeMap<(Kind, String), String>,
}

impl CapturedNames {
    /// From what the image describes and what the running kernel tells.
    pub fn parse_lines(image: &str, running: &str) -> Result<Self> {
        let mut reading = Reading::default();
        for line in image.lines().chain(running.lines()) {
            reading
                .read_line(line)
                .with_context(|| format!("a captured line makes no sense: {line}"))?;
        }
        let mut capture = reading.finish();
        // Other text in between would be a name without a value.
        capture.names.retain(|(_, name), _| !name.is_empty());
        ensure!(!capture.names.is_empty(), "nothing was captured");
        Ok(capture)
    }

    /// In order of their places.
    pub fn format_blocks(&self) -> Vec<String> {
        let mut blocks = vec![BTreeMap::new(); BlockPlace::COUNT];
        for ((kind, name), value) in &self.names {
            let place = BlockPlace::find(*kind, name);
            blocks[place.block_index()].insert(name.clone(), value.clone());
        }
        blocks.iter().map(format_block).collect()
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    functions: BTreeMap<String, KernelFunction>,
    /// Functions that have a symbol, not only copies of theirs.
    symbols: BTreeSet<String>,
    counts: BTreeMap<String, usize>,
    copies: BTreeMap<String, Vec<String>>,
    structs: BTreeMap<String, Vec<Struct>>,
    others: BTreeMap<(Kind, String), String>,
}

impl Reading {
    fn read_line(&mut self, line: &str) -> Option<()> {
        let mut parts = line.split('\t');
        let (what, name) = (parts.next()?, parts.next()?.to_owned());
        let mut other = |kind, value: &str| {
            self.others.insert((kind, name.clone()), value.to_owned());
        };
        match what {
            "function" => self
                .functions
                .entry(name)
                .or_default()
                .add_signature(parts.next()?),
            "traceable" => self.traceable(name),
            "untraceable" => drop(self.symbols.insert(name)),
            "no-kprobe" => self.functions.entry(name).or_default().refuses_kprobes = true,
            "several" => drop(self.counts.insert(name, parts.next()?.parse().ok()?)),
            "copy" => {
                let (function, copy) = name.split_at(name.find('.')?);
                let copies = self.copies.entry(function.to_owned()).or_default();
                copies.push(copy.to_owned());
            }
            "struct" | "union" => {
                let definition = parse_struct(what, parts)?;
                self.structs.entry(name).or_default().push(definition);
            }
            "event" => other(
                Kind::Tracepoint,
                &Record::parse_fields(parts)?.format_value(),
            ),
            word => {
                let kind = Kind::ALL
                    .into_iter()
                    .find(|kind| kind.kind_word() == word)?;
                other(kind, parts.next()?);
            }
        }
        Some(())
    }

    /// A copy that the compiler changed can be traced under its own name.
    fn traceable(&mut self, name: String) {
        let function = name.split('.').next().unwrap_or_default();
        let is_copy = function.len() < name.len();
        let told = self.functions.entry(function.to_owned()).or_default();
        told.is_traceable |= !is_copy;
        if !is_copy {
            self.symbols.insert(name);
        }
    }

    fn finish(mut self) -> CapturedNames {
        for (name, function) in &mut self.functions {
            function.count = self.counts.get(name).copied().unwrap_or(1);
            function.copies = self.copies.remove(name).unwrap_or_default();
            function.has_symbol = self.symbols.contains(name);
        }
        let mut names = self.others;
        for (name, function) in self.functions {
            names.insert((Kind::Function, name), function.format_value());
        }
        for (name, definitions) in self.structs {
            names.insert((Kind::Struct, name), Struct::format_value(&definitions));
        }
        CapturedNames { names }
    }
}

fn parse_struct<'a>(keyword: &str, mut parts: impl Iterator<Item = &'a str>) -> Option<Struct> {
    let size = parts.next()?.parse().ok()?;
    let fields = parts.map(|part| {
        let (offset, declaration) = part.split_once(' ')?;
        Field::parse_declaration(offset.parse().ok()?, declaration)
    });
    Some(Struct {
        keyword: keyword.to_owned(),
        size,
        fields: fields.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "function\tvfs_unlink\tint @(struct inode *dir)\n\
        function\tgone\tint @(int one)\n\
        struct\tlist_head\t16\t0 struct list_head *@next\t8 struct list_head *@prev\n\
        helper\tbpf_loop\t181\n";
    const RUNNING: &str = "traceable\tvfs_unlink\ntraceable\tgone.isra.0\n\
        several\tvfs_unlink\t2\ncopy\tgone.isra.0\ncopy\tunknown.part.0\n\
        event\tsched:sched_switch\t8 char prev_comm[16]\n";

    fn value(kind: Kind, name: &str) -> Option<String> {
        let capture = CapturedNames::parse_lines(IMAGE, RUNNING).unwrap();
        capture.names.get(&(kind, name.to_owned())).cloned()
    }

    #[test]
    fn both_sources_tell_of_a_function() {
        let told = |name| value(Kind::Function, name);
        assert_eq!(told("vfs_unlink").unwrap(), "t2;;int @(struct inode *dir)");
        assert_eq!(told("gone").unwrap(), "n;.isra.0;int @(int one)");
        assert_eq!(told("unknown"), None);
    }

    #[test]
    fn other_names_are_kept_by_kind() {
        assert_eq!(value(Kind::Helper, "bpf_loop").unwrap(), "181");
        let record = value(Kind::Tracepoint, "sched:sched_switch").unwrap();
        assert_eq!(record, "8 char prev_comm[16]");
        let list = value(Kind::Struct, "list_head").unwrap();
        let expected = "struct 16;0 struct list_head *@next;8 struct list_head *@prev";
        assert_eq!(list, expected);
        let blocks = CapturedNames::parse_lines(IMAGE, RUNNING)
            .unwrap()
            .format_blocks();
        let place = BlockPlace::find(Kind::Helper, "bpf_loop");
        assert_eq!(blocks[place.block_index()], "bpf_loop\t181\n");
    }

    #[test]
    fn a_line_that_makes_no_sense_is_an_error() {
        for line in ["", "what\tname\tvalue", "struct\tname\tx", "function\tname"] {
            assert!(CapturedNames::parse_lines(line, "\n").is_err(), "{line}");
        }
        assert!(CapturedNames::parse_lines("", "").is_err());
    }
}
