//! All names on all kernels of an architecture.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use anyhow::Result;
use kernel::{Architecture, SERIES, is_older};

use crate::blocks::BlockPlace;
use crate::capture::CapturedNames;
use crate::function::KernelFunction;
use crate::history::History;
use crate::kind::Kind;
use crate::merged_block::MergedBlock;
use crate::packing::apply_difference;
use crate::record::Record;
use crate::series_range::SeriesRange;
use crate::store::KernelFile;
use crate::structure::Struct;
use crate::successor::{Successor, read_successors};

/// Blocks are unpacked when a name in them is asked for, once.
pub struct Names {
    pub architecture: Architecture,
    /// Of each series.
    files: Vec<KernelFile>,
    /// By the index of the block.
    blocks: Vec<OnceLock<MergedBlock>>,
    successors: Vec<Successor>,
}

/// So many similar names are named.
const SIMILAR: usize = 3;

impl Names {
    pub fn read(architecture: Architecture) -> Result<Self> {
        let series = SERIES.iter();
        let files = series.map(|series| KernelFile::read_series(series, architecture));
        Ok(Self {
            architecture,
            files: files.collect::<Result<_>>()?,
            blocks: (0..BlockPlace::COUNT).map(|_| OnceLock::new()).collect(),
            successors: read_successors()?,
        })
    }

    /// The series on which something of this kind has this name; none if it is on no series.
    pub fn presence(&self, kind: Kind, name: &str) -> Result<Vec<SeriesRange>> {
        Ok(self.find_history(kind, name)?.presence())
    }

    /// The oldest series on which it is there.
    pub fn first_series(&self, kind: Kind, name: &str) -> Result<Option<&'static str>> {
        let ranges = self.presence(kind, name)?;
        Ok(ranges.first().map(|range| range.first_name()))
    }

    /// Up to three names of this kind that are like `name` and there on this series, the most
    /// similar first.
    pub fn similar(&self, kind: Kind, name: &str, series: &str) -> Result<Vec<String>> {
        let mut known: Vec<&str> = Vec::new();
        let Some(place) = SERIES.iter().position(|other| *other == series) else {
            return Ok(Vec::new());
        };
        for index in BlockPlace::all_of(kind) {
            known.extend(self.block(index)?.names_on(place));
        }
        Ok(most_similar(name, known))
    }

    /// The same with those of any series.
    pub fn similar_anywhere(&self, kind: Kind, name: &str) -> Result<Vec<String>> {
        let mut known: Vec<&str> = Vec::new();
        for index in BlockPlace::all_of(kind) {
            known.extend(self.block(index)?.all_names());
        }
        // In a block, names are in order.
        known.dedup();
        Ok(most_similar(name, known))
    }

    /// What to use where a name is gone.
    pub fn successor(&self, kind: Kind, name: &str) -> Option<&Successor> {
        let mut fitting = self.successors.iter();
        fitting.find(|successor| successor.kind == kind && successor.old == name)
    }

    pub fn list_successors(&self) -> &[Successor] {
        &self.successors
    }

    /// The helper that programs call by this number, and the oldest series that has it.
    pub fn helper_by_number(&self, number: u32) -> Result<Option<(String, &'static str)>> {
        let number = number.to_string();
        let index = BlockPlace::all_of(Kind::Helper).start;
        let block = self.block(index)?;
        for (place, series) in SERIES.iter().enumerate() {
            let lines = block.lines_on(place);
            let mut helpers = lines.filter_map(|line| line.split_once('\t'));
            if let Some((name, _)) = helpers.find(|(_, value)| *value == number) {
                return Ok(Some((name.to_owned(), series)));
            }
        }
        Ok(None)
    }

    /// The full names of tracepoints that are called `name` within any group.
    pub fn tracepoints_named(&self, name: &str) -> Result<Vec<String>> {
        let block = self.block(BlockPlace::all_of(Kind::Tracepoint).start)?;
        let fits = |full: &&str| full.split_once(':').is_some_and(|(_, event)| event == name);
        let mut found: Vec<_> = block.all_names().filter(fits).map(str::to_owned).collect();
        found.dedup();
        Ok(found)
    }

    /// All names of a kind, and on which series each is.
    pub fn all_of_kind(&self, kind: Kind) -> Result<Vec<(String, History<()>)>> {
        let mut found = BTreeMap::new();
        for index in BlockPlace::all_of(kind) {
            let block = self.block(index)?;
            for place in 0..SERIES.len() {
                for name in block.names_on(place) {
                    let values = found
                        .entry(name)
                        .or_insert_with(|| vec![None; SERIES.len()]);
                    values[place] = Some(());
                }
            }
        }
        let found = found.into_iter();
        Ok(found
            .map(|(name, values)| (name.to_owned(), History::new(values)))
            .collect())
    }

    /// What is stored of a name, as text. A number for helpers and types of the bpf system call;
    /// arguments for raw tracepoints; for hooks and kfuncs a signature with the name as `@`.
    pub fn find_history(&self, kind: Kind, name: &str) -> Result<History<String>> {
        let block = self.block(BlockPlace::find(kind, name).block_index())?;
        Ok(History::new(block.find_values(name, SERIES.len())))
    }

    pub fn function(&self, name: &str) -> Result<History<KernelFunction>> {
        let stored = self.find_history(Kind::Function, name)?;
        Ok(stored.map_on_series(|series, value| {
            let mut function = KernelFunction::parse_value(value)?;
            function.has_trampolines = self.has_trampolines(series);
            Some(function)
        }))
    }

    /// Whether BPF trampolines attach to functions of this kernel.
    pub fn has_trampolines(&self, series: &str) -> bool {
        !is_older(series, self.architecture.trampolines_since())
    }

    /// All definitions of that name.
    pub fn structs(&self, name: &str) -> Result<History<Vec<Struct>>> {
        let stored = self.find_history(Kind::Struct, name)?;
        Ok(stored.map_values(|value| Struct::parse_value(value)))
    }

    /// `group:name`.
    pub fn find_record(&self, tracepoint: &str) -> Result<History<Record>> {
        let stored = self.find_history(Kind::Tracepoint, tracepoint)?;
        Ok(stored.map_values(|value| Record::parse_value(value)))
    }

    /// Names of a new capture that are not stored like this for the series, or are not stored, or
    /// that are stored and not in the capture.
    pub fn find_differences(&self, series: &str, capture: &CapturedNames) -> Result<Vec<String>> {
        let place = SERIES.iter().position(|other| *other == series);
        let mut different = Vec::new();
        for (index, new) in capture.format_blocks().iter().enumerate() {
            let mut old = BTreeSet::new();
            if let Some(place) = place {
                old.extend(self.block(index)?.lines_on(place));
            }
            let new: BTreeSet<&str> = new.lines().collect();
            different.extend(
                old.symmetric_difference(&new)
                    .map(|line| (*line).to_owned()),
            );
        }
        Ok(different)
    }

    fn block(&self, index: usize) -> Result<&MergedBlock> {
        if let Some(block) = self.blocks[index].get() {
            return Ok(block);
        }
        let mut texts: Vec<String> = Vec::new();
        for file in &self.files {
            let before = texts.last().map_or("", String::as_str);
            let difference = file.read_difference(index, before)?;
            texts.push(apply_difference(before, &difference));
        }
        Ok(self.blocks[index].get_or_init(|| MergedBlock::merge_texts(&texts)))
    }
}

fn most_similar(name: &str, known: Vec<&str>) -> Vec<String> {
    let found = problem::find_similar_names(name, known, SIMILAR);
    found.into_iter().map(str::to_owned).collect()
}
