//! What got more expensive, and what less, from one log to another.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bpf_verifier_log::ProgramCost;

use super::cost_table::{count_as_text, count_processed, source_as_text};

/// Lines and functions that are shown of each program.
const MOST_ROWS: usize = 10;

pub fn compare_programs(old: &[ProgramCost], new: &[ProgramCost]) -> String {
    let mut text = String::new();
    let mut gone: Vec<&ProgramCost> = old.iter().collect();
    for (index, program) in new.iter().enumerate() {
        let found = find_same(&gone, program, old.len() == 1 && new.len() == 1);
        match found.map(|at| gone.remove(at)) {
            Some(before) => text += &compare_program(before, program, index),
            None => {
                let insns = count_as_text(count_processed(program));
                let name = name_of(program, index);
                text += &format!("{name}: only in the new one, {insns} instructions\n");
            }
        }
    }
    for (index, program) in gone.into_iter().enumerate() {
        let insns = count_as_text(count_processed(program));
        let name = name_of(program, index);
        text += &format!("{name}: only in the old one, {insns} instructions\n");
    }
    text
}

/// Where each side has one program, they are compared whatever they are called.
fn find_same(old: &[&ProgramCost], program: &ProgramCost, is_only: bool) -> Option<usize> {
    if is_only {
        return Some(0);
    }
    old.iter().position(|before| before.name == program.name)
}

fn name_of(program: &ProgramCost, index: usize) -> String {
    let number = || format!("program {}", index + 1);
    program.name.clone().unwrap_or_else(number)
}

fn compare_program(old: &ProgramCost, new: &ProgramCost, index: usize) -> String {
    let (before, after) = (count_processed(old), count_processed(new));
    let mut text = format!("{}: {}\n", name_of(new, index), change(before, after));
    let both = [old, new];
    let are_named = both.map(has_names).iter().all(|named| *named);
    let have_files = both.map(has_files).iter().all(|known| *known);
    let [before, after] = both.map(|program| count_functions(program, are_named));
    text += &rows("functions", &before, &after);
    let [before, after] = both.map(|program| count_lines(program, have_files));
    text + &rows("lines", &before, &after)
}

/// Old kernels do not say it.
fn has_names(program: &ProgramCost) -> bool {
    program.functions.iter().all(|it| it.name.is_some())
}

/// Kernels before 6.9 do not say it.
fn has_files(program: &ProgramCost) -> bool {
    program.lines.iter().any(|line| line.file.is_some())
}

/// `6,721 instructions, now 876 (13.0 %)`
fn change(before: u64, after: u64) -> String {
    if before == after {
        return format!("{} instructions, as before", count_as_text(before));
    }
    let ratio = match before {
        0 => String::new(),
        _ => format!(" ({:.1} %)", after as f64 * 100.0 / before as f64),
    };
    let (before, now) = (count_as_text(before), count_as_text(after));
    format!("{before} instructions, now {now}{ratio}")
}

/// What the kernel of one side does not name goes by its number on both.
fn count_functions(program: &ProgramCost, are_named: bool) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for function in &program.functions {
        let name = function.name.as_ref().filter(|_| are_named);
        let name = match (name, function.first_pc) {
            (Some(name), _) => name.clone(),
            (None, 0) => "the program".to_owned(),
            (None, _) => format!("function {}", function.number),
        };
        add_count(&mut counts, name, function.insns);
    }
    counts
}

/// A line moves when something is added before it: its text tells it, and its file.
fn count_lines(program: &ProgramCost, have_files: bool) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in &program.lines {
        let name = match line.file.as_ref().filter(|_| have_files) {
            Some(file) => format!("{file}  {}", source_as_text(None, None, &line.text)),
            None => source_as_text(None, None, &line.text),
        };
        add_count(&mut counts, name, line.insns);
    }
    counts
}

/// A file may hold any numbers.
fn add_count(counts: &mut BTreeMap<String, u64>, name: String, more: u64) {
    let count = counts.entry(name).or_default();
    *count = count.saturating_add(more);
}

fn rows(title: &str, old: &BTreeMap<String, u64>, new: &BTreeMap<String, u64>) -> String {
    let mut changes: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (name, count) in old {
        changes.entry(name).or_default().0 = *count;
    }
    for (name, count) in new {
        changes.entry(name).or_default().1 = *count;
    }
    let mut changes: Vec<(&str, (u64, u64))> = changes.into_iter().collect();
    changes.retain(|(_, (before, after))| before != after);
    changes.sort_by_key(|(_, (before, after))| Reverse(before.abs_diff(*after)));
    if changes.is_empty() {
        return String::new();
    }
    let mut text = format!("  {title}\n");
    for (name, (before, after)) in changes.iter().take(MOST_ROWS) {
        let sign = if after > before { '+' } else { '-' };
        let difference = format!("{sign}{}", count_as_text(before.abs_diff(*after)));
        let (before, after) = (count_as_text(*before), count_as_text(*after));
        text += &format!("  {difference:>11}  {before:>9} to {after:>9}  {name}\n");
    }
    let left = changes.len().saturating_sub(MOST_ROWS);
    if left > 0 {
        text += &format!("    and {left} more\n");
    }
    text
}
