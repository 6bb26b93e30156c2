//! The verifier's way through a program, for those who want to look at it step by step: at each
//! instruction, all that was known behind it and what it changed.
//!
//! Kernels before 5.16 print the state at few places. What an instruction made is then taken from
//! the next line that shows it, as long as nothing in between could have changed it.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::insn::{Action, Insn, Operand, Register};
use crate::meaning::meaning;
use crate::state::{State, Value};
use crate::steps::{Source, Step, advance, previous};
use crate::trail::trail;
use crate::words;

/// The steps of one log, or those around the reason of the rejection.
#[derive(Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Trace {
    pub steps: Vec<Stop>,
    /// Index of the step at which the program was refused.
    pub decisive: Option<usize>,
    /// How many steps of the log come before the first of these.
    pub left_out_before: usize,
    /// How many come after the last.
    pub left_out_after: usize,
}

/// One step as it is shown.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stop {
    /// Number of its line in the input.
    pub line: usize,
    pub insn: Insn,
    /// What the instruction does, in words, where its text does not say it already.
    pub meaning: Option<String>,
    pub source: Option<Source>,
    /// The jump that the verifier comes back from.
    pub came_from: Option<u32>,
    /// 0 in the main program, 1 in a function that it called.
    pub frame: u32,
    /// What the verifier knows behind it: registers first, then the stack.
    pub known: Vec<Known>,
    /// What it knew before and does not know any more.
    pub lost: Vec<String>,
    /// A value of the reason comes through here.
    pub on_path: bool,
}

/// What is known of one register or stack slot.
#[derive(Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Known {
    /// `R1`, `fp-8`
    pub name: String,
    /// As it stands in the log; `None` where the log does not show it.
    pub value: Option<String>,
    pub words: String,
    /// It is another since the step before.
    pub changed: bool,
}

/// More steps than a person goes through; they are those around the reason.
pub const MOST_STEPS: usize = 1000;
/// Of them, behind the reason: the log rarely goes on there.
const MOST_AFTER: usize = 100;

/// `total`: how many steps the whole log has, where `steps` are the last of them.
pub fn trace(
    steps: &[Step],
    decisive: Option<usize>,
    register: Option<Register>,
    total: usize,
) -> Trace {
    let path = path(steps, decisive, register);
    let shown = around(decisive, steps.len());
    let mut history = History::default();
    let stops = (0..shown.end).map(|at| history.stop(steps, at, path.contains(&at)));
    Trace {
        steps: stops.skip(shown.start).collect(),
        decisive: decisive.map(|at| at - shown.start),
        left_out_before: total.saturating_sub(steps.len()) + shown.start,
        left_out_after: steps.len() - shown.end,
    }
}

fn around(decisive: Option<usize>, count: usize) -> Range<usize> {
    let end = decisive.map_or(count, |at| count.min(at + 1 + MOST_AFTER));
    end.saturating_sub(MOST_STEPS)..end
}

/// The steps that made the values which the reason is about.
fn path(steps: &[Step], decisive: Option<usize>, register: Option<Register>) -> BTreeSet<usize> {
    /// Enough for a sum of sums.
    const MOST: usize = 64;
    let mut path: BTreeSet<_> = decisive.into_iter().collect();
    let mut open: Vec<_> = decisive.zip(register).into_iter().collect();
    while let Some((at, register)) = open.pop() {
        for hop in trail(steps, at, register) {
            if path.len() < MOST && path.insert(hop.step) {
                open.extend(added(&steps[hop.step]).map(|by| (hop.step, by)));
            }
        }
    }
    path
}

/// The other value that goes into a sum.
fn added(step: &Step) -> Option<Register> {
    match step.insn.action() {
        Action::Change {
            by: Some(Operand::Register(by)),
            ..
        } => Some(by),
        _ => None,
    }
}

/// What was known behind each of the steps so far.
#[derive(Default)]
struct History {
    after: Vec<State>,
}

impl History {
    fn stop(&mut self, steps: &[Step], at: usize, on_path: bool) -> Stop {
        let step = &steps[at];
        let before = self.before(steps, at);
        let after = after(&before, steps, at);
        let is_refused = at + 1 == steps.len();
        let change = Change {
            before: &before,
            after: &after,
            step,
            is_refused,
        };
        let stop = Stop {
            line: step.line,
            insn: step.insn.clone(),
            meaning: meaning(&step.insn),
            source: step.source.clone().filter(|source| !source.text.is_empty()),
            came_from: step.came_from,
            frame: before.frame,
            known: change.known(),
            lost: change.lost(),
            on_path,
        };
        self.after.push(after);
        stop
    }

    fn before(&self, steps: &[Step], at: usize) -> State {
        let earlier = || {
            previous(steps, at)
                .and_then(|before| self.after.get(before))
                .cloned()
        };
        steps[at]
            .before
            .clone()
            .or_else(earlier)
            .unwrap_or_default()
    }
}

fn after(before: &State, steps: &[Step], at: usize) -> State {
    let step = &steps[at];
    match steps.get(at + 1) {
        // It was refused, and changed nothing.
        None if step.after.is_none() => return before.clone(),
        Some(Step {
            before: Some(printed),
            ..
        }) if previous(steps, at + 1) == Some(at) => {
            return printed.clone();
        }
        _ => {}
    }
    let mut state = before.clone();
    advance(&mut state, step);
    for home in unprinted_homes(&state, step) {
        if let Some(value) = printed_later(steps, at, home) {
            home.set(&mut state, Some(value));
        }
    }
    state
}

/// What a step may have changed without a word in the log. A comparison teaches something of all
/// that has to do with its registers.
fn unprinted_homes(state: &State, step: &Step) -> Vec<Home> {
    let printed = |home: &Home| {
        step.after
            .as_ref()
            .is_some_and(|after| home.value(after).is_some())
    };
    let homes = match step.insn.action() {
        Action::Compare { .. } => homes(state),
        _ => Home::target(step)
            .into_iter()
            .filter(|home| home.value(state).is_none())
            .collect(),
    };
    homes.into_iter().filter(|home| !printed(home)).collect()
}

/// A register, or a slot of the stack. In the order of a state: registers by number, then the stack
/// from below.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Home {
    Register(Register),
    Slot(i32),
}

impl Home {
    /// Where a step writes to.
    fn target(step: &Step) -> Option<Self> {
        let action = step.insn.action();
        match action {
            Action::Store { place, .. } if place.base == 10 => {
                let offset = i32::try_from(place.offset).ok()?;
                Some(Self::Slot(offset.div_euclid(8).checked_mul(8)?))
            }
            _ => action.sets().map(Self::Register),
        }
    }

    fn value(self, state: &State) -> Option<&Value> {
        match self {
            Self::Register(register) => state.register(register),
            Self::Slot(offset) => state.slot(offset),
        }
    }

    fn set(self, state: &mut State, value: Option<Value>) {
        match self {
            Self::Register(register) => state.set(register, value),
            Self::Slot(offset) => state.set_slot(offset, value),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Register(register) => format!("R{register}"),
            Self::Slot(offset) => format!("fp{offset}"),
        }
    }

    fn words(self, value: &Value) -> String {
        match self {
            Self::Slot(_) => words::slot(value),
            Self::Register(_) => words::value(value),
        }
    }

    /// Whether a step may write to it. Through a pointer, stores and helpers may reach the stack.
    fn is_touched_by(self, step: &Step) -> bool {
        let is_lost = match step.insn.action() {
            Action::Helper { .. } => !matches!(self, Self::Register(6..)),
            Action::Store { .. } | Action::Other => matches!(self, Self::Slot(_)),
            _ => false,
        };
        is_lost || Self::target(step) == Some(self)
    }
}

/// What the log says of it the next time, if nothing could have changed it until then.
fn printed_later(steps: &[Step], at: usize, home: Home) -> Option<Value> {
    /// Longer stretches without a jump are rare.
    const FARTHEST: usize = 200;
    let mut behind_call = false;
    for (next, step) in steps.iter().enumerate().skip(at + 1).take(FARTHEST) {
        if previous(steps, next) != Some(next - 1) {
            return None;
        }
        // A call may take what was known of a pointer.
        let calls = behind_call;
        let is_certain = |value: &&Value| !calls || !value.bounds.is_unknown();
        if let Some(before) = &step.before {
            return home.value(before).filter(is_certain).cloned();
        }
        let action = step.insn.action();
        if home.is_touched_by(step) || matches!(action, Action::Function | Action::Exit) {
            return None;
        }
        behind_call |= matches!(action, Action::Helper { .. });
        if matches!(action, Action::Compare { .. }) {
            return None;
        }
        if let Some(value) = step
            .after
            .as_ref()
            .and_then(|after| home.value(after))
            .filter(is_certain)
        {
            return Some(value.clone());
        }
    }
    None
}

/// What a step made of the state.
struct Change<'a> {
    before: &'a State,
    after: &'a State,
    step: &'a Step,
    /// The log ends here.
    is_refused: bool,
}

impl Change<'_> {
    fn known(&self) -> Vec<Known> {
        let mut homes = homes(self.after);
        homes.extend(self.unprinted());
        homes.sort_unstable();
        homes.into_iter().map(|home| self.one(home)).collect()
    }

    /// The register that the step sets to what the log never shows.
    fn unprinted(&self) -> Option<Home> {
        let target = Home::target(self.step).filter(|home| matches!(home, Home::Register(_)))?;
        let is_unprinted =
            target.value(self.after).is_none() && !self.leaves_frame() && !self.is_refused;
        is_unprinted.then_some(target)
    }

    fn one(&self, home: Home) -> Known {
        let Some(value) = home.value(self.after) else {
            return unprinted(home);
        };
        Known {
            name: home.name(),
            value: Some(value.text.clone()),
            words: home.words(value),
            changed: self.is_by_this_step(home) && !same(home.value(self.before), value),
        }
    }

    /// A state that is printed late also shows what earlier steps did.
    fn is_by_this_step(&self, home: Home) -> bool {
        let is_printed = self
            .step
            .after
            .as_ref()
            .is_some_and(|after| home.value(after).is_some());
        let is_known = home.value(self.before).is_some();
        let may = match self.step.insn.action() {
            Action::Compare { .. } => is_known,
            _ => is_printed || Home::target(self.step) == Some(home),
        };
        may && !self.leaves_frame()
    }

    /// Behind it, the registers are those of another function.
    fn leaves_frame(&self) -> bool {
        self.before.frame != self.after.frame
            || matches!(self.step.insn.action(), Action::Function | Action::Exit)
    }

    fn lost(&self) -> Vec<String> {
        let is_lost = |home: &Home| {
            home.value(self.after).is_none() && Home::target(self.step) != Some(*home)
        };
        let lost = homes(self.before).into_iter().filter(is_lost);
        lost.filter(|_| !self.leaves_frame())
            .map(Home::name)
            .collect()
    }
}

fn homes(state: &State) -> Vec<Home> {
    let registers = state
        .registers
        .iter()
        .map(|(register, _)| Home::Register(*register));
    let slots = state.slots.iter().map(|(offset, _)| Home::Slot(*offset));
    registers.chain(slots).collect()
}

fn unprinted(home: Home) -> Known {
    let words = "a new value, which the log does not show".to_owned();
    Known {
        name: home.name(),
        value: None,
        words,
        changed: true,
    }
}

/// Equal but for their spelling, which also has marks of what the verifier has used.
fn same(before: Option<&Value>, after: &Value) -> bool {
    before.is_some_and(|before| {
        Value {
            text: after.text.clone(),
            ..before.clone()
        } == *after
    })
}
