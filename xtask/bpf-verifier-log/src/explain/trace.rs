//! The verifier's walk through a program, to be looked at step by step: at each instruction, all
//! that was known after it and what it changed.
//!
//! Kernels before 5.16 print the state at few places. What an instruction made is then taken from
//! the next line that shows it, as long as nothing in between could have changed it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use alloc::collections::BTreeSet;
use core::ops::Range;

use crate::explain::describe_insn::describe_insn;
use crate::explain::words;
use crate::log::insn::{FRAME_POINTER, InsnAction, Register};
use crate::log::knowledge::{apply_step, pass_step};
use crate::log::path::find_previous_step;
use crate::log::state::{FrameState, Location, TrackedValue};
use crate::log::step::LogStep;
use crate::log::trail::find_trail;

/// The steps of one log, or those around the reason of the rejection.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LogTrace {
    /// In the order of the log.
    pub steps: Vec<TraceStep>,
    /// Index of the step at which the program was refused.
    pub decisive: Option<usize>,
    /// How many steps of the log come before the first of these.
    pub left_out_before: usize,
    /// How many come after the last.
    pub left_out_after: usize,
}

/// A step with all that was known at it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TraceStep {
    /// As the log has it.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub step: LogStep,
    /// What the instruction does, in words, where its text does not say it already.
    pub meaning: Option<String>,
    /// 0 in the main program, 1 in a function that it called.
    pub frame: u32,
    /// What the verifier knows after it: registers first, then the stack.
    pub known: Vec<KnownValue>,
    /// What it knew before and does not know any more.
    pub lost: Vec<String>,
    /// A value of the reason comes through here.
    pub on_path: bool,
}

/// What is known of one register or stack slot.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KnownValue {
    /// `R1`, `fp-8`
    pub name: String,
    /// As the log spells it; `None` where it is not known.
    pub value: Option<String>,
    /// The same in words.
    pub words: String,
    /// The step changed it.
    pub changed: bool,
}

/// More steps than a person goes through; they are those around the reason.
pub const MOST_STEPS: usize = 1000;
/// Of them, after the reason: the log rarely goes on there.
const MOST_AFTER: usize = 100;

/// `total`: how many steps the whole log has, where `steps` are the last of them.
pub fn build_trace(
    steps: &[LogStep],
    decisive: Option<usize>,
    register: Option<Register>,
    total: usize,
) -> LogTrace {
    let path = find_path(steps, decisive, register);
    let shown = find_shown(decisive, steps.len());
    let mut history = History::default();
    let mut traced = Vec::new();
    for at in 0..shown.end {
        let step = history.trace_step(steps, at, path.contains(&at));
        if at >= shown.start {
            traced.push(step);
        }
    }
    LogTrace {
        steps: traced,
        decisive: decisive.map(|at| at - shown.start),
        left_out_before: total.saturating_sub(steps.len()) + shown.start,
        left_out_after: steps.len() - shown.end,
    }
}

fn find_shown(decisive: Option<usize>, count: usize) -> Range<usize> {
    let end = decisive.map_or(count, |at| count.min(at + 1 + MOST_AFTER));
    end.saturating_sub(MOST_STEPS)..end
}

/// The steps that made the values which the reason is about.
fn find_path(
    steps: &[LogStep],
    decisive: Option<usize>,
    register: Option<Register>,
) -> BTreeSet<usize> {
    /// Enough for a sum of sums.
    const MOST: usize = 64;
    let mut path: BTreeSet<_> = decisive.into_iter().collect();
    let mut open: Vec<_> = decisive.zip(register).into_iter().collect();
    while let Some((at, register)) = open.pop() {
        for hop in find_trail(steps, at, register) {
            let is_new = path.len() < MOST && path.insert(hop.step);
            // The other value that goes into a sum has a way too.
            if is_new && let Some(by) = steps[hop.step].insn.insn_action().changes_by() {
                open.push((hop.step, by));
            }
        }
    }
    path
}

/// What was known after each of the steps so far.
#[derive(Default)]
struct History {
    after: Vec<FrameState>,
}

impl History {
    fn trace_step(&mut self, steps: &[LogStep], at: usize, on_path: bool) -> TraceStep {
        let step = &steps[at];
        let before = self.before(steps, at);
        let after = state_after(&before, steps, at);
        let change = StepChange {
            before: &before,
            after: &after,
            step,
            is_refused: at + 1 == steps.len(),
        };
        let traced = TraceStep {
            step: as_shown(step),
            meaning: describe_insn(&step.insn),
            frame: before.frame,
            known: change.known(),
            lost: change.lost(),
            on_path,
        };
        self.after.push(after);
        traced
    }

    fn before(&self, steps: &[LogStep], at: usize) -> FrameState {
        if let Some(printed) = &steps[at].before {
            return printed.clone();
        }
        let earlier = find_previous_step(steps, at).and_then(|before| self.after.get(before));
        earlier.cloned().unwrap_or_default()
    }
}

/// A step without the states of the log, which are in what is known, and without a source line that
/// has no text.
fn as_shown(step: &LogStep) -> LogStep {
    LogStep {
        line: step.line,
        insn: step.insn.clone(),
        source: step.source.clone().filter(|source| !source.text.is_empty()),
        came_from: step.came_from,
        pruned: Vec::new(),
        follows_gap: step.follows_gap,
        is_passed: step.is_passed,
        before: None,
        after: None,
    }
}

fn state_after(before: &FrameState, steps: &[LogStep], at: usize) -> FrameState {
    let step = &steps[at];
    match steps.get(at + 1) {
        // It was refused, and changed nothing.
        None if step.after.is_none() => return before.clone(),
        Some(LogStep {
            before: Some(printed),
            ..
        }) if find_previous_step(steps, at + 1) == Some(at) => {
            return printed.clone();
        }
        _ => {}
    }
    let mut state = before.clone();
    match steps.get(at + 1) {
        Some(next) => pass_step(&mut state, step, next),
        None => apply_step(&mut state, step),
    }
    for location in find_unprinted(&state, step) {
        if let Some(value) = find_printed_later(steps, at, location) {
            state.set_value(location, Some(value));
        }
    }
    state
}

/// What a step may have changed without a word in the log. A comparison teaches something of all
/// that has to do with its registers.
fn find_unprinted(state: &FrameState, step: &LogStep) -> Vec<Location> {
    let mut locations = match (step.insn.insn_action(), find_target(step)) {
        (InsnAction::Compare { .. }, _) => state.known_locations(),
        (_, Some(target)) if state.value_at(target).is_none() => vec![target],
        _ => Vec::new(),
    };
    if let Some(after) = &step.after {
        locations.retain(|location| after.value_at(*location).is_none());
    }
    locations
}

/// Where a step writes to.
fn find_target(step: &LogStep) -> Option<Location> {
    match step.insn.insn_action() {
        InsnAction::Store { place, .. } if place.base == FRAME_POINTER => {
            let slot = place.offset.div_euclid(8).checked_mul(8)?;
            Some(Location::Slot(slot))
        }
        action => action.set_register().map(Location::Register),
    }
}

/// Whether a step may write to a location. Through a pointer, stores and helpers may reach the
/// stack.
fn is_touched_by(location: Location, step: &LogStep) -> bool {
    let is_lost = match step.insn.insn_action() {
        InsnAction::Helper { .. } => !matches!(location, Location::Register(6..)),
        InsnAction::Store { .. } | InsnAction::Other => matches!(location, Location::Slot(_)),
        _ => false,
    };
    is_lost || find_target(step) == Some(location)
}

fn name_of(location: Location) -> String {
    match location {
        Location::Register(register) => format!("R{register}"),
        Location::Slot(offset) => format!("fp{offset}"),
    }
}

fn describe_at(location: Location, value: &TrackedValue) -> String {
    match location {
        Location::Slot(_) => words::describe_slot(value),
        Location::Register(_) => words::describe_value(value),
    }
}

/// What the log says of a location the next time, if nothing could have changed it until then.
fn find_printed_later(steps: &[LogStep], at: usize, location: Location) -> Option<TrackedValue> {
    /// Longer stretches without a jump are rare.
    const FARTHEST: usize = 200;
    let mut after_call = false;
    for (next, step) in steps.iter().enumerate().skip(at + 1).take(FARTHEST) {
        if find_previous_step(steps, next) != Some(next - 1) {
            return None;
        }
        // A call may take what was known of a pointer.
        let called = after_call;
        let is_certain = |value: &&TrackedValue| !called || !value.bounds.is_unknown();
        if let Some(before) = &step.before {
            return before.value_at(location).filter(is_certain).cloned();
        }
        let action = step.insn.insn_action();
        let ends = matches!(
            action,
            InsnAction::Function | InsnAction::Exit | InsnAction::Compare { .. }
        );
        if ends || is_touched_by(location, step) {
            return None;
        }
        after_call |= matches!(action, InsnAction::Helper { .. });
        let printed = step
            .after
            .as_ref()
            .and_then(|after| after.value_at(location));
        if let Some(value) = printed.filter(is_certain) {
            return Some(value.clone());
        }
    }
    None
}

/// What a step made of the state.
struct StepChange<'a> {
    before: &'a FrameState,
    after: &'a FrameState,
    step: &'a LogStep,
    /// The log ends here.
    is_refused: bool,
}

impl StepChange<'_> {
    fn known(&self) -> Vec<KnownValue> {
        let mut locations = self.after.known_locations();
        locations.extend(self.unprinted());
        locations.sort_unstable();
        let mut known = Vec::new();
        for location in locations {
            known.push(self.known_at(location));
        }
        known
    }

    /// The register that the step sets to what the log never shows.
    fn unprinted(&self) -> Option<Location> {
        let target = find_target(self.step)?;
        let is_unprinted = matches!(target, Location::Register(_))
            && self.after.value_at(target).is_none()
            && !self.leaves_frame()
            && !self.is_refused;
        is_unprinted.then_some(target)
    }

    fn known_at(&self, location: Location) -> KnownValue {
        let Some(value) = self.after.value_at(location) else {
            return KnownValue {
                name: name_of(location),
                value: None,
                words: "a new value, which the log does not show".to_owned(),
                changed: true,
            };
        };
        let is_same = is_same_value(self.before.value_at(location), value);
        KnownValue {
            name: name_of(location),
            value: Some(value.text.clone()),
            words: describe_at(location, value),
            changed: self.is_by_this_step(location) && !is_same,
        }
    }

    /// A state that is printed late also shows what earlier steps did.
    fn is_by_this_step(&self, location: Location) -> bool {
        if self.leaves_frame() {
            return false;
        }
        if matches!(self.step.insn.insn_action(), InsnAction::Compare { .. }) {
            return self.before.value_at(location).is_some();
        }
        let after = self.step.after.as_ref();
        after.is_some_and(|after| after.value_at(location).is_some())
            || find_target(self.step) == Some(location)
    }

    /// After it, the registers are those of another function.
    fn leaves_frame(&self) -> bool {
        self.before.frame != self.after.frame
            || matches!(
                self.step.insn.insn_action(),
                InsnAction::Function | InsnAction::Exit
            )
    }

    /// The names of what was known before and is not any more.
    fn lost(&self) -> Vec<String> {
        if self.leaves_frame() {
            return Vec::new();
        }
        let target = find_target(self.step);
        let mut lost = Vec::new();
        for location in self.before.known_locations() {
            if self.after.value_at(location).is_none() && target != Some(location) {
                lost.push(name_of(location));
            }
        }
        lost
    }
}

/// Equal but for their spelling, which also has marks of what the verifier has used, and for the
/// number that copies share.
fn is_same_value(before: Option<&TrackedValue>, after: &TrackedValue) -> bool {
    let Some(before) = before else { return false };
    let before = TrackedValue {
        text: after.text.clone(),
        line: after.line,
        id: after.id,
        ..before.clone()
    };
    before == *after
}
