//! Reads a log as the steps that the verifier took.

use alloc::vec::Vec;

use crate::input::line::{LineKind, LogLine};
use crate::input::lines::InputLines;
use crate::input::program_log::ProgramLog;
use crate::log::insn::{Insn, InsnAction};
use crate::log::state::{FrameState, parse_state};
use crate::log::step::{LogStep, SourceLine};

/// The steps of a log, or the last of them: those in its last `window` bytes.
pub fn read_steps(input: &[u8], log: &ProgramLog, window: usize) -> Vec<LogStep> {
    let Some(begin) = log.begin else {
        return Vec::new();
    };
    let earliest = log.end.saturating_sub(window);
    let lines = InputLines::from_position(input, &begin);
    let mut reader = StepReader::default();
    for raw in lines
        .skip_while(|raw| raw.start < earliest)
        .take_while(|raw| raw.start < log.end)
    {
        reader.take_line(LogLine::read_line(&raw));
    }
    reader.steps
}

#[derive(Default)]
struct StepReader {
    steps: Vec<LogStep>,
    source: Option<SourceLine>,
    before: Option<FrameState>,
    came_from: Option<u32>,
    /// Registers in between are those of an earlier state.
    looks_back: bool,
}

impl StepReader {
    fn take_line(&mut self, line: LogLine<'_>) {
        match line.kind {
            LineKind::LookingBack => self.looks_back = true,
            LineKind::Insn { insn, rest } => {
                let rest = line.text.get(rest..).unwrap_or_default();
                self.take_insn(line.number, insn, rest);
            }
            LineKind::State { start, branch } => {
                self.came_from = branch.or(self.came_from);
                let is_next = branch.is_some() || has_number(&line.text[..start]);
                if let Some(state) = parse_state(&line.text[start..]) {
                    self.take_state(state, is_next);
                }
            }
            LineKind::Source { start } => {
                self.source = Some(SourceLine::parse_source(&line.text[start..]));
            }
            _ => {}
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
        if !is_next
            && let Some(last) = self.steps.last_mut()
            && last.after.is_none()
            && !goes_on(last.insn.insn_action())
        {
            last.before = Some(state);
        } else {
            self.before = Some(state);
        }
    }

    /// `rest`: what follows the instruction in its line.
    fn take_insn(&mut self, line: usize, insn: Insn, rest: &str) {
        let after = rest.find(';').and_then(|at| parse_state(&rest[at..]));
        let before = self.before.take();
        // Without a `;` it is the state at the goal of a jump: `goto pc+3 15: R0=scalar()`.
        if after.is_none() {
            self.before = parse_state(rest);
        }
        self.looks_back = false;
        self.steps.push(LogStep {
            line,
            insn,
            // A source line comes before the first of its instructions.
            source: self.source.clone(),
            before,
            after,
            came_from: self.came_from.take(),
        });
    }
}

/// Whether a state below the instruction is what holds after it.
fn goes_on(action: &InsnAction) -> bool {
    matches!(
        action,
        InsnAction::Compare { .. } | InsnAction::Exit | InsnAction::Function
    )
}

/// `12: R0=...` is the state before instruction 12.
fn has_number(prefix: &str) -> bool {
    let prefix = prefix.trim_end().strip_suffix(':');
    prefix.is_some_and(|prefix| prefix.ends_with(|letter: char| letter.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::scan::scan_text;
    use crate::log::knowledge::reconstruct_state;
    use crate::log::step::find_previous_step;

    fn read(log: &str) -> Vec<LogStep> {
        let scan = scan_text(log.as_bytes());
        read_steps(log.as_bytes(), &scan.logs[0], usize::MAX)
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

    #[test]
    fn a_window_keeps_the_end() {
        let log = scan_text(NEW.as_bytes()).logs.remove(0);
        let steps = read_steps(NEW.as_bytes(), &log, 60);
        assert_eq!(steps.first().unwrap().insn.pc, 5);
    }
}
