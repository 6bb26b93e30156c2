//! What was sampled: tables, folded stacks, a flame graph.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::Result;
use common::architecture::SYSTEM_CALL;
use common::say;
use inferno::flamegraph::color::MultiPalette;
use inferno::flamegraph::{self, Options, Palette};

use crate::event::{MAX_FRAMES, SampleTotals};
use crate::stack::{CUT_MARK, KERNEL_MARK, NamedStacks, SampledStack, UNKEPT_MARK};

/// How many functions the table has.
const FUNCTIONS: usize = 20;

/// Each sample has a line here, or is in the stacks.
pub fn show_totals(totals: &SampleTotals, stacks: &[SampledStack]) -> Result<()> {
    let SampleTotals {
        samples,
        idle,
        uncounted,
    } = totals;
    let unkept = count_samples(stacks, SampledStack::is_unkept);
    let cut = count_samples(stacks, SampledStack::is_cut);
    say(&format!("{samples:>8} samples"))?;
    say(&format!(
        "{unkept:>8} of them without a stack: its place in the map was taken"
    ))?;
    say(&format!(
        "{cut:>8} with a stack that is cut, as it has more than {MAX_FRAMES} frames"
    ))?;
    say(&format!(
        "{uncounted:>8} not counted: the map of counts was full"
    ))?;
    say(&format!(
        "{idle:>8} more found a CPU that had nothing to do"
    ))
}

fn count_samples(stacks: &[SampledStack], is_wanted: fn(&SampledStack) -> bool) -> u64 {
    let wanted = stacks.iter().filter(|stack| is_wanted(stack));
    wanted.map(|stack| stack.count).sum()
}

/// The functions in which most samples were taken: `self`; `total` adds those in what they called.
pub fn show_functions(stacks: &NamedStacks) -> Result<()> {
    let all: u64 = stacks.values().sum();
    let mut functions: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (frames, count) in stacks {
        let called = frames.get(1..).unwrap_or_default();
        if let Some(top) = called.last() {
            functions.entry(top).or_default().0 += count;
        }
        // A function that calls itself counts once.
        for function in called.iter().collect::<BTreeSet<_>>() {
            functions.entry(function).or_default().1 += count;
        }
    }
    let mut rows: Vec<_> = functions.into_iter().collect();
    rows.sort_by_key(|(_, counts)| Reverse(*counts));
    say("\n   self    total  function")?;
    for (name, (own, total)) in rows.into_iter().take(FUNCTIONS) {
        let [own, total] = [own, total].map(|count| 100.0 * count as f64 / all as f64);
        say(&format!("{own:>5.1} %  {total:>5.1} %  {name}"))?;
    }
    Ok(())
}

/// The ways into the functions in which most samples were taken: for the demo, which prints the
/// same at each run.
pub fn show_paths(stacks: &NamedStacks) -> Result<()> {
    find_paths(stacks).iter().try_for_each(|line| say(line))
}

fn find_paths(stacks: &NamedStacks) -> Vec<String> {
    let all: u64 = stacks.values().sum();
    let mut paths: BTreeMap<String, u64> = BTreeMap::new();
    for (frames, count) in stacks {
        // Chance decides which stacks meet in one place of the map.
        if frames.iter().all(|name| name != UNKEPT_MARK) {
            *paths.entry(format_path(frames)).or_default() += count;
        }
    }
    let mut found = Vec::new();
    for (share, least, below) in [("over half", 2, 1), ("over a twentieth", 20, 2)] {
        for (path, count) in &paths {
            if count * least > all && count * below <= all {
                found.push(format!("  {share:<18}{path}"));
            }
        }
    }
    found
}

/// From `main` on; without it, from where the stack makes sense. A function that calls itself is
/// named once. Of the kernel's functions only that of the system call, as the others differ from
/// kernel to kernel.
fn format_path(frames: &[String]) -> String {
    let main = frames.iter().position(|name| name == "work::main");
    let mut path = Vec::new();
    if main.is_none() && frames.iter().all(|name| name != CUT_MARK) {
        path.push("?");
    }
    for name in frames.iter().skip(main.unwrap_or(1)) {
        match name.strip_suffix(KERNEL_MARK) {
            Some(name) if !name.starts_with(SYSTEM_CALL) => {}
            None if name == "[unknown]" => {}
            _ => path.push(name.strip_prefix("work::").unwrap_or(name)),
        }
    }
    path.dedup();
    path.join(" > ")
}

/// The form that tools for flame graphs read: a line for each stack, with its count at the end.
pub fn write_folded(stacks: &NamedStacks, mut file: impl Write) -> Result<()> {
    for (frames, count) in stacks {
        writeln!(file, "{} {count}", frames.join(";"))?;
    }
    Ok(())
}

// ANCHOR: flame
/// The width of a box is its share of the samples; the box that it stands on called it.
pub fn draw_flame_graph(
    stacks: &NamedStacks,
    mut options: Options<'_>,
    file: impl Write,
) -> Result<()> {
    let mut lines = Vec::new();
    for (frames, count) in stacks {
        // A function that calls itself has one box.
        let mut frames = frames.clone();
        frames.dedup();
        lines.push(format!("{} {count}", frames.join(";")));
    }
    // Those that are the same now must be neighbours.
    lines.sort();
    options.title = "Where the time goes".to_owned();
    options.colors = Palette::Multi(MultiPalette::Rust);
    // The same colours at each run.
    options.hash = true;
    let lines = lines.iter().map(String::as_str);
    Ok(flamegraph::from_lines(&mut options, lines, file)?)
}
// ANCHOR_END: flame

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    /// The stacks of a run: `--demo --folded /proc/self/fd/1`.
    const CAPTURED: &str = include_str!("../tests/captured.folded");
    const PICTURE: &str = "../../book/src/pictures/flame-graph.svg";

    fn captured() -> NamedStacks {
        let mut stacks = NamedStacks::new();
        for line in CAPTURED.lines() {
            let (frames, count) = line.rsplit_once(' ').expect("each has a count");
            let frames = frames.split(';').map(str::to_owned).collect();
            stacks.insert(frames, count.parse().expect("it is a number"));
        }
        stacks
    }

    #[test]
    fn folded_stacks_are_written_as_they_were_captured() {
        let mut folded = Vec::new();
        write_folded(&captured(), &mut folded).expect("memory can be written");
        assert_eq!(String::from_utf8_lossy(&folded), CAPTURED);
    }

    #[test]
    fn a_stack_that_found_its_place_taken_is_no_path() {
        let mut stacks = captured();
        let before = find_paths(&stacks);
        assert!(!before.is_empty());
        let all: u64 = stacks.values().sum();
        let unkept = ["work", UNKEPT_MARK].map(str::to_owned).to_vec();
        stacks.insert(unkept, all / 15);
        assert_eq!(find_paths(&stacks), before);
    }

    #[test]
    fn the_books_flame_graph_is_drawn_from_the_captured_stacks() {
        let mut options = Options::default();
        // For a phone.
        options.image_width = Some(340);
        options.no_javascript = true;
        let mut picture = Vec::new();
        draw_flame_graph(&captured(), options, &mut picture).expect("it can be drawn");
        if env::var_os("UPDATE_PICTURE").is_some() {
            fs::write(PICTURE, &picture).expect("the picture can be written");
        }
        let current = fs::read(PICTURE).expect("the book has the picture");
        assert!(
            current == picture,
            "{PICTURE} is not drawn from the captured stacks; draw it again: \
             UPDATE_PICTURE=1 cargo test -p profiler"
        );
    }
}
