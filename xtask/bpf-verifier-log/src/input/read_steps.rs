//! Reads a log as the steps that the verifier took.

use alloc::vec::Vec;
use core::mem;

use crate::input::line::{LineKind, LogLine};
use crate::input::line_parts::split_line_parts;
use crate::input::lines::{InputLine, LinePlace, LineReader};
use crate::input::step_lines::StepLines;
use crate::log::insn::{Insn, InsnAction, find_replaced_insn};
use crate::log::state::{FrameState, parse_state};
use crate::log::step::{LogStep, SourceLine};

/// The steps that these lines tell.
pub fn read_steps(lines: &StepLines) -> Vec<LogStep> {
    let mut reader = StepReader::default();
    for raw in lines.all_lines() {
        reader.take_line(LogLine::read_line(&raw));
    }
    reader.steps
}

/// The steps of a text that has been decoded, from where a line begins to an offset.
pub fn read_steps_between(text: &[u8], begin: &LinePlace, end: u64) -> Vec<LogStep> {
    let offset = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
    let text = text.get(offset(begin.start)..offset(end));
    let mut reader = StepReader::default();
    let mut lines = LineReader::from_place(begin);
    let mut take = |raw: &InputLine<'_>| reader.take_raw(raw);
    lines.push_bytes(text.unwrap_or_default(), &mut take);
    lines.finish_lines(&mut take);
    reader.steps
}

#[derive(Default)]
struct StepReader {
    steps: Vec<LogStep>,
    source: Option<SourceLine>,
    before: Option<FrameState>,
    /// The instruction that it is the state before, where its line says so.
    before_pc: Option<u32>,
    came_from: Option<u32>,
    pruned: Vec<u32>,
    /// Registers in between are those of an earlier state.
    looks_back: bool,
}

impl StepReader {
    fn take_raw(&mut self, raw: &InputLine<'_>) {
        let mut take = |part: &InputLine<'_>| self.take_line(LogLine::read_line(part));
        split_line_parts(raw, &mut take);
    }

    fn take_line(&mut self, line: LogLine<'_>) {
        match line.kind {
            LineKind::LookingBack => self.looks_back = true,
            LineKind::Insn { insn, rest } => {
                let rest = line.text.get(rest..).unwrap_or_default();
                self.take_insn(line.number, insn, rest);
            }
            LineKind::State { start, branch } => {
                self.take_branch(branch);
                let pc = find_number(&line.text[..start]);
                let is_next = branch.is_some() || pc.is_some();
                if let Some(last) = self.steps.last_mut() {
                    last.is_passed |= is_next;
                }
                if let Some(mut state) = parse_state(&line.text[start..]) {
                    state.set_line(line.number);
                    self.before_pc = pc;
                    self.take_state(state, is_next);
                } else if branch.is_some() {
                    self.before_pc = pc;
                }
            }
            LineKind::Source { start, end } => {
                self.source = Some(SourceLine::parse_source(&line.text[start..end]));
            }
            LineKind::Messages(_) => {
                if let Some(insn) = find_replaced_insn(&line.text) {
                    self.take_insn(line.number, insn, "");
                }
            }
            _ => {}
        }
    }

    /// Of two branches in a row, the first is like one that was walked before: `from 2 to 9: safe`.
    fn take_branch(&mut self, branch: Option<u32>) {
        if branch.is_some() {
            self.pruned.extend(self.came_from);
            self.came_from = branch;
        }
    }

    /// `is_next`: the line says that this is the state before the next instruction.
    ///
    /// Kernels before 5.16 print the state below some instructions. Below a jump, it is what holds
    /// after it; below an access or a call, it is what held before: the line comes out of the
    /// check of the memory. Below the call of a function, all kernels print the caller's, then the
    /// function's own.
    fn take_state(&mut self, state: FrameState, is_next: bool) {
        if self.looks_back && !is_next {
            return;
        }
        let Some(last) = self.steps.last_mut().filter(|_| !is_next) else {
            self.before = Some(state);
            return;
        };
        match shows_state(last.insn.insn_action()) {
            ShownState::After => {
                self.before = Some(state);
                // Of a jump, it is printed where the walk goes on with the next instruction.
                let is_jump = matches!(last.insn.insn_action(), InsnAction::Compare { .. });
                self.before_pc = is_jump.then(|| last.insn.next_pc());
            }
            ShownState::Before if last.after.is_none() => last.before = Some(state),
            // The line of its instruction is missing.
            ShownState::Before | ShownState::None => {}
        }
    }

    /// `rest`: what follows the instruction in its line.
    fn take_insn(&mut self, line: usize, insn: Insn, rest: &str) {
        let mut state = parse_state(rest);
        if let Some(state) = &mut state {
            state.set_line(line);
        }
        // Where lines are missing, the state or the branch is not that of this instruction.
        let is_other = self.before_pc.take().is_some_and(|pc| pc != insn.pc);
        let before = self.before.take().filter(|_| !is_other);
        if is_other {
            self.pruned.extend(self.came_from.take());
        }
        // Without a `;` it is the state at the goal of a jump: `goto pc+3 15: R0=scalar()`.
        let after = if rest.trim_start().starts_with(';') {
            state
        } else {
            self.before_pc = state.as_ref().and_then(|_| {
                let (pc, _) = rest.split_once(':')?;
                pc.trim().parse().ok()
            });
            self.before = state;
            None
        };
        self.looks_back = false;
        self.steps.push(LogStep {
            line,
            insn,
            // A source line comes before the first of its instructions.
            source: self.source.clone(),
            before,
            after,
            came_from: self.came_from.take(),
            pruned: mem::take(&mut self.pruned),
            follows_gap: is_other,
            is_passed: self.before_pc.is_some(),
        });
    }
}

/// What a state below an instruction is.
enum ShownState {
    Before,
    After,
    /// No kernel prints one there.
    None,
}

fn shows_state(action: &InsnAction) -> ShownState {
    match action {
        InsnAction::Compare { .. } | InsnAction::Exit | InsnAction::Function => ShownState::After,
        InsnAction::Load { .. }
        | InsnAction::Store { .. }
        | InsnAction::Atomic { .. }
        | InsnAction::Helper { .. } => ShownState::Before,
        _ => ShownState::None,
    }
}

/// 12 in `12: R0=...` and `from 9 to 12: R0=...`: the state before instruction 12.
fn find_number(prefix: &str) -> Option<u32> {
    let prefix = prefix
        .trim_end()
        .trim_end_matches(" safe")
        .strip_suffix(':')?;
    let digits = prefix
        .trim_end_matches(|letter: char| letter.is_ascii_digit())
        .len();
    prefix[digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::scan::scan_text;
    use crate::log::knowledge::reconstruct_state;
    use crate::log::path::find_previous_step;

    fn read(log_text: &str) -> Vec<LogStep> {
        let log = &scan_text(log_text.as_bytes()).logs[0];
        let end = log.steps.last_end();
        let steps = read_steps(&log.steps);
        let again = read_steps_between(log_text.as_bytes(), &log.begin.unwrap(), end);
        assert_eq!(again.len(), steps.len());
        steps
    }

    const NEW: &str = "0: R1=ctx() R10=fp0\n\
                       ; int x = ctx->a; @ prog.c:7\n\
                       0: (61) r2 = *(u32 *)(r1 +0)   ; R1=ctx() \
                       R2_w=scalar(smin=0,smax=umax=0xffffffff)\n\
                       1: (15) if r2 == 0x0 goto pc+2   ; R2_w=scalar()\n\
                       2: (95) exit\n\n\
                       from 1 to 4: R1=ctx() R2=0 R10=fp0\n\
                       4: (bf) r3 = r2\n\
                       5: (85) call bpf_x#1\n\
                       6: (95) exit\n\
                       processed 6 insns (l";

    #[test]
    fn steps_have_sources_and_states() {
        let steps = read(NEW);
        assert_eq!(steps.len(), 6);
        let source = steps[0].source.as_ref().unwrap();
        assert_eq!(
            (source.text.as_str(), source.file.as_deref(), source.line),
            ("int x = ctx->a;", Some("prog.c"), Some(7))
        );
        assert_eq!(
            steps[0]
                .after
                .as_ref()
                .unwrap()
                .register_value(2)
                .unwrap()
                .bounds
                .umax,
            0xffff_ffff
        );
        assert_eq!(steps[3].came_from, Some(1));
        assert_eq!(find_previous_step(&steps, 3), Some(1));
    }

    #[test]
    fn what_is_not_printed_follows_from_the_instructions() {
        let steps = read(NEW);
        let known = reconstruct_state(&steps, 4);
        assert_eq!(
            known.register_value(3).unwrap().bounds.as_constant(),
            Some(0)
        );
        let known = reconstruct_state(&steps, 5);
        assert_eq!(known.register_value(2), None, "a call clears it");
    }

    #[test]
    fn old_kernels_print_what_held_before_an_access_below_it() {
        let steps = read(
            "0: (15) if r7 == 0x0 goto pc+9\n \
             R0=inv0 R7=map_value(id=0,off=0,ks=4,vs=56,imm=0) R10=fp0\n\
             1: (85) call bpf_probe_read_user_str#114\n \
             R0=map_value(id=0,off=0,ks=4,vs=56,imm=0) R10=fp0\n\
             2: (bf) r2 = r0\n\
             3: (95) exit\n\
             processed 3 insns (limit 1)",
        );
        assert_eq!(
            reconstruct_state(&steps, 1).register_value(0).unwrap().kind,
            "map_value"
        );
        assert_eq!(
            reconstruct_state(&steps, 3).register_value(2),
            None,
            "what the call returned is not printed"
        );
    }

    #[test]
    fn a_function_begins_with_its_own_state() {
        let steps = read(
            "6: (85) call pc+12\n\
             caller:\n \
             R6_w=inv(id=0) R10=fp0\n\
             callee:\n \
             frame1: R1_w=fp-64 R10=fp0\n\
             19: (15) if r3 == 0x0 goto pc+6\n\
             20: (95) exit\n\
             processed 3 insns (limit 1)",
        );
        let begin = steps[1].before.as_ref().unwrap();
        assert_eq!(
            (
                begin.frame,
                begin.register_value(1).unwrap().offset,
                begin.register_value(6)
            ),
            (1, -64, None)
        );
    }
}
