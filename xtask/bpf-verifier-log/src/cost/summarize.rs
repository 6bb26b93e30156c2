//! Makes the result of a walk.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::cost_advice::{AdviceKind, CostAdvice};
use super::find_advice::CostFacts;
use super::insn_effects::{InsnFlow, flow_of, loaded_slot};
use super::insn_table::{InsnRecord, InsnTable};
use super::liveness::live_registers;
use super::program_cost::{
    ForkCost, FunctionCost, LineCost, LogShare, LoopCost, MergeObstacle, PathCounts, ProgramCost,
};
use super::walk::{FunctionRecord, Walk};
use super::walked_state::slot_bit;
use super::walked_state::slot_offset;
use super::watch_point::{Difference, WatchPoint};
use crate::log::insn::find_jump_goal;
use crate::log::step::SourceLine;

/// Of forks, and of places where paths meet.
const MOST_PLACES: usize = 10;

pub fn summarize_walk(walk: &Walk) -> ProgramCost {
    let shown = walk.walked + walk.pruned;
    let (functions, loops) = (measure_functions(walk), measure_loops(walk));
    let (mut lines, all_obstacles) = (measure_lines(walk), find_obstacles(walk));
    let facts = CostFacts {
        shown,
        form: walk.form,
        table: &walk.table,
        functions: &functions,
        loops: &loops,
        lines: &lines,
        obstacles: &all_obstacles,
    };
    let advice = facts.find_advice();
    assign_advice(&mut lines, walk, &advice);
    let mut obstacles = all_obstacles;
    obstacles.truncate(MOST_PLACES);
    ProgramCost {
        name: walk.name.clone(),
        processed: walk.processed,
        shown,
        share: find_share(walk, shown),
        states: walk.states,
        paths: PathCounts {
            begun: walk.begun,
            pruned: walk.pruned,
            exited: walk.exits,
        },
        functions,
        loops,
        lines,
        forks: list_forks(walk),
        obstacles,
        advice,
    }
}

fn find_share(walk: &Walk, shown: u64) -> LogShare {
    let mut functions = walk.functions.values();
    let is_listed = functions.any(|function| function.first.is_some());
    let begins = is_listed || walk.first_pc.is_none_or(|pc| pc == 0);
    match walk.processed {
        // Where the verifier gives up, it has counted an instruction that it does not print.
        Some(processed) if shown + 1 >= processed => LogShare::Whole,
        _ if !begins => LogShare::BeginningMissing,
        None => LogShare::EndMissing,
        Some(_) if !walk.form.is_detailed => LogShare::LastPath,
        Some(_) => LogShare::Part,
    }
}

/// Those of one instruction, as the program has it.
struct Place {
    text: String,
    file: Option<String>,
    line: Option<u32>,
}

fn place_of(walk: &Walk, pc: u32) -> Place {
    let record = walk.table.find_record(pc);
    let number = record.map_or(0, |record| record.line as usize);
    let source = number
        .checked_sub(1)
        .and_then(|index| walk.lines.lines.get(index))
        .map(|line| line.source.clone());
    let SourceLine { text, file, line } = source.unwrap_or(SourceLine {
        text: String::new(),
        file: None,
        line: None,
    });
    Place { text, file, line }
}

fn describe_insn(table: &InsnTable, pc: u32) -> String {
    match table.find_record(pc).filter(|record| record.is_walked()) {
        Some(record) => format!("{pc}: {}", record.text),
        None => format!("{pc}"),
    }
}

fn measure_functions(walk: &Walk) -> Vec<FunctionCost> {
    let main = FunctionRecord {
        first: Some(0),
        ..FunctionRecord::default()
    };
    let mut found: Vec<(u32, u32, &FunctionRecord)> = Vec::new();
    for (&number, function) in &walk.functions {
        if let Some(first) = function.first {
            found.push((first, number, function));
        }
    }
    if found.is_empty() {
        found.push((0, 0, &main));
    }
    found.sort_by_key(|(first, ..)| *first);
    let mut insns = vec![0_u64; found.len()];
    for (pc, record) in walk.table.reached_records() {
        let after = found.partition_point(|(first, ..)| *first <= pc);
        insns[after.saturating_sub(1)] += record.cost();
    }
    let mut functions = Vec::new();
    for ((first_pc, number, function), insns) in found.into_iter().zip(insns) {
        functions.push(FunctionCost {
            number,
            name: function.name.clone(),
            first_pc,
            insns,
            is_global: function.is_global,
            calls: walk.calls.get(&first_pc).copied().unwrap_or(0),
        });
    }
    functions.sort_by_key(|function| Reverse(function.insns));
    functions
}

/// Jumps back to the same instruction are one loop.
fn measure_loops(walk: &Walk) -> Vec<LoopCost> {
    let mut ends: BTreeMap<u32, u32> = BTreeMap::new();
    let mut sums: Vec<(u32, u64)> = vec![(0, 0)];
    let mut sum = 0;
    for (pc, record) in walk.table.reached_records() {
        sum += record.cost();
        sums.push((pc, sum));
        let is_jump = matches!(flow_of(record.opcode), InsnFlow::Goto | InsnFlow::Fork);
        if let Some(target) = find_jump_goal(pc, &record.text).filter(|it| is_jump && *it <= pc) {
            let end = ends.entry(target).or_insert(pc);
            *end = pc.max(*end);
        }
    }
    // Of all instructions before.
    let sum_before = |pc: u32| {
        let after = sums[1..].partition_point(|(earlier, _)| *earlier < pc);
        sums[after].1
    };
    let mut loops = Vec::new();
    for (first_pc, last_pc) in ends {
        let place = place_of(walk, last_pc);
        let rounds = walk.table.find_record(first_pc).map_or(0, InsnRecord::cost);
        loops.push(LoopCost {
            first_pc,
            last_pc,
            rounds,
            insns: sum_before(last_pc + 1) - sum_before(first_pc),
            text: place.text,
            file: place.file,
            line: place.line,
        });
    }
    loops.sort_by_key(|it| Reverse(it.insns));
    loops
}

fn measure_lines(walk: &Walk) -> Vec<LineCost> {
    let mut lines: Vec<LineCost> = Vec::new();
    for line in &walk.lines.lines {
        lines.push(LineCost {
            text: line.source.text.clone(),
            file: line.source.file.clone(),
            line: line.source.line,
            first_pc: u32::MAX,
            insns: 0,
            visits: line.visits,
            states: line.states.count_hashes(),
            copies: 0,
            advice: None,
        });
    }
    for (pc, record) in walk.table.reached_records() {
        let index = (record.line as usize).checked_sub(1);
        if let Some(line) = index.and_then(|index| lines.get_mut(index)) {
            line.insns += record.cost();
            line.first_pc = line.first_pc.min(pc);
        }
    }
    count_copies(walk, &mut lines);
    lines.retain(|line| line.insns > 0);
    lines.sort_by_key(|line| (Reverse(line.insns), line.first_pc));
    lines
}

/// How often the same codes come in a row for the same line.
fn count_copies(walk: &Walk, lines: &mut [LineCost]) {
    let mut runs: BTreeMap<(u32, Box<[u8]>), u64> = BTreeMap::new();
    let (mut line, mut codes) = (0, Vec::new());
    let mut end_run = |line: u32, codes: &mut Vec<u8>| {
        let codes = core::mem::take(codes);
        if codes.len() >= LEAST_RUN {
            *runs.entry((line, codes.into())).or_default() += 1;
        }
    };
    for (_, record) in walk.table.reached_records() {
        if record.line != line {
            end_run(line, &mut codes);
            line = record.line;
        }
        codes.push(record.opcode);
    }
    end_run(line, &mut codes);
    for ((line, _), count) in runs {
        let index = (line as usize).checked_sub(1);
        if let Some(line) = index.and_then(|index| lines.get_mut(index)) {
            line.copies = line.copies.max(count);
        }
    }
    for line in lines {
        line.copies = line.copies.max(1);
    }
}

/// Shorter ones are alike by chance.
const LEAST_RUN: usize = 2;

fn list_forks(walk: &Walk) -> Vec<ForkCost> {
    let mut found: Vec<(u32, &InsnRecord)> = Vec::new();
    found.extend(walk.table.reached_records().filter(|(_, it)| it.forks > 0));
    found.sort_by_key(|(pc, record)| (Reverse(record.forks), *pc));
    let mut forks = Vec::new();
    for (pc, record) in found.into_iter().take(MOST_PLACES) {
        let place = place_of(walk, pc);
        forks.push(ForkCost {
            pc,
            insn: record.text.as_ref().to_owned(),
            paths: record.forks,
            text: place.text,
            file: place.file,
            line: place.line,
        });
    }
    forks
}

/// At each place the location that differs most often, of those that matter.
fn find_obstacles(walk: &Walk) -> Vec<MergeObstacle> {
    let facts = StateFacts {
        walk,
        live: live_registers(&walk.table),
        loaded_slots: loaded_slots(&walk.table),
    };
    let mut obstacles = Vec::new();
    for (&pc, point) in &walk.watched {
        let mut best: Option<&Difference> = None;
        for difference in &point.differences {
            if difference.count > best.map_or(1, |best| best.count)
                && facts.matters(pc, point, difference)
            {
                best = Some(difference);
            }
        }
        obstacles.extend(best.map(|it| describe_obstacle(walk, pc, point, it)));
    }
    obstacles.sort_by_key(|it: &MergeObstacle| (Reverse(it.differs), it.pc));
    obstacles
}

/// What decides whether a difference matters.
struct StateFacts<'a> {
    walk: &'a Walk,
    /// Registers that are read from an instruction on.
    live: BTreeMap<u32, u16>,
    /// Offsets of slots that are read somewhere.
    loaded_slots: BTreeSet<i32>,
}

impl StateFacts<'_> {
    /// Numbers keep states apart only where they must be known exactly, and registers only where
    /// they are read later.
    fn matters(&self, pc: u32, point: &WatchPoint, difference: &Difference) -> bool {
        let mut before = records_before(self.walk, point);
        let is_exact = before.any(|it| is_exact_after(it, difference));
        match slot_offset(difference.location) {
            Some(offset) => {
                is_exact || (difference.has_pointers && self.loaded_slots.contains(&offset))
            }
            None => {
                let bit = 1_u16 << difference.location;
                let is_live = self.live.get(&pc).is_some_and(|mask| mask & bit != 0);
                is_live && (is_exact || difference.has_pointers)
            }
        }
    }
}

fn loaded_slots(table: &InsnTable) -> BTreeSet<i32> {
    let records = table.reached_records();
    records
        .filter_map(|(_, record)| loaded_slot(record.opcode, &record.text))
        .collect()
}

/// The instructions that the verifier came from.
fn records_before<'a>(
    walk: &'a Walk,
    point: &'a WatchPoint,
) -> impl Iterator<Item = &'a InsnRecord> {
    let before = point.before.iter();
    before.filter_map(|&pc| walk.table.find_record(pc))
}

fn is_exact_after(record: &InsnRecord, difference: &Difference) -> bool {
    match slot_bit(difference.location) {
        Some(bit) => record.precise_slots & bit != 0,
        None => record.precise & (1 << difference.location) != 0,
    }
}

/// The instruction for which the value must be known exactly, where the log says so.
fn find_asker(walk: &Walk, point: &WatchPoint, difference: &Difference) -> Option<u32> {
    let register = slot_offset(difference.location).is_none();
    let register = register.then_some(difference.location);
    let mut exact = records_before(walk, point).filter(|it| is_exact_after(it, difference));
    exact.find_map(|record| record.find_asker(register))
}

fn describe_obstacle(
    walk: &Walk,
    pc: u32,
    point: &WatchPoint,
    difference: &Difference,
) -> MergeObstacle {
    let place = place_of(walk, pc);
    let are_numbers = difference.numbers == difference.count;
    let is_counter = are_numbers
        && difference.step != 0
        && difference.numbers > 2
        && difference.same_steps * 2 >= difference.numbers;
    let need = find_asker(walk, point, difference);
    // At an exit, the log shows what something before it has set in the caller's frame.
    let is_exit = |origin: &&u32| {
        let record = walk.table.find_record(**origin);
        record.is_some_and(|record| flow_of(record.opcode) == InsnFlow::Exit)
    };
    let origins = difference.origins.iter().filter(|origin| !is_exit(origin));
    MergeObstacle {
        pc,
        text: place.text,
        file: place.file,
        line: place.line,
        arrivals: point.arrivals,
        name: match slot_offset(difference.location) {
            Some(offset) => format!("fp{offset}"),
            None => format!("R{}", difference.location),
        },
        differs: difference.count,
        least: are_numbers.then_some(difference.least),
        greatest: are_numbers.then_some(difference.greatest),
        step: is_counter.then_some(difference.step),
        set_by: origins
            .map(|&origin| describe_insn(&walk.table, origin))
            .collect(),
        needed_by: need.map(|need| describe_insn(&walk.table, need)),
    }
}

/// A line gets the advice on the smallest place that it is in.
fn assign_advice(lines: &mut [LineCost], walk: &Walk, advice: &[CostAdvice]) {
    let mut by_line: BTreeMap<(u32, &str), usize> = BTreeMap::new();
    for (index, it) in advice.iter().enumerate() {
        for (pc, record) in walk.table.reached_records() {
            if !(it.first_pc..=it.last_pc).contains(&pc) {
                continue;
            }
            let source = (record.line as usize).checked_sub(1);
            let Some(line) = source.and_then(|source| walk.lines.lines.get(source)) else {
                continue;
            };
            let key = (line.source.line.unwrap_or(0), line.source.text.as_str());
            let size = |it: &CostAdvice| match it.kind {
                AdviceKind::MeetingPaths | AdviceKind::RepeatedCode => u32::MAX,
                _ => it.last_pc - it.first_pc,
            };
            let best = by_line.entry(key).or_insert(index);
            if size(it) < size(&advice[*best]) {
                *best = index;
            }
        }
    }
    for line in lines {
        let key = (line.line.unwrap_or(0), line.text.as_str());
        line.advice = by_line.get(&key).copied();
    }
}
