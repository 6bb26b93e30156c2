//! A log as the steps that the verifier took, each with what it knew before and learned by it.

use std::collections::VecDeque;

use crate::insn::{Action, Insn, Operand};
use crate::line::{Kind, Line};
use crate::lines::Lines;
use crate::scan::Log;
use crate::state::{self, State, Value};

/// One instruction that the verifier went through.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Step {
    /// Number of its line in the input.
    pub line: usize,
    pub insn: Insn,
    /// The source line that it was made from, where the log says so.
    pub source: Option<Source>,
    /// The whole state, where the log shows it before the instruction.
    pub before: Option<State>,
    /// What the log shows behind the instruction: the registers that it changed or used.
    pub after: Option<State>,
    /// The instruction that jumped here, where a branch begins.
    pub came_from: Option<u32>,
}

/// A line of the program's source.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Source {
    pub text: String,
    /// Kernels from 6.9 on say where it is.
    pub file: Option<String>,
    pub line: Option<u32>,
}

impl Source {
    fn parse(text: &str) -> Self {
        let text = text.trim_start_matches(';').trim();
        let place = text.rsplit_once(" @ ").and_then(|(code, place)| {
            let (file, line) = place
                .trim_end_matches(|c: char| !c.is_ascii_digit())
                .rsplit_once(':')?;
            Some((code, file, line.parse().ok()?))
        });
        match place {
            Some((code, file, line)) => Self {
                text: code.trim().to_owned(),
                file: Some(file.to_owned()),
                line: Some(line),
            },
            None => Self {
                text: text.to_owned(),
                file: None,
                line: None,
            },
        }
    }
}

/// The steps of a log, or the last of them: those that lie in its last `window` bytes.
pub fn steps(input: &[u8], log: &Log, window: usize) -> Vec<Step> {
    let Some(begin) = log.begin else {
        return Vec::new();
    };
    let earliest = log.end.saturating_sub(window);
    let lines = Lines::from(input, &begin);
    let mut reader = Reader::default();
    for raw in lines
        .skip_while(|raw| raw.start < earliest)
        .take_while(|raw| raw.start < log.end)
    {
        reader.take(Line::read(&raw));
    }
    reader.steps.into()
}

#[derive(Default)]
struct Reader {
    steps: VecDeque<Step>,
    source: Option<Source>,
    before: Option<State>,
    came_from: Option<u32>,
    /// Registers in between are those of an earlier state.
    looks_back: bool,
}

impl Reader {
    fn take(&mut self, line: Line<'_>) {
        match line.kind {
            Kind::LookingBack => self.looks_back = true,
            Kind::Insn { insn, rest } => {
                self.insn(line.number, insn, line.text.get(rest..).unwrap_or_default())
            }
            Kind::State { start, branch } => {
                self.came_from = branch.or(self.came_from);
                if let Some(state) = state::parse(&line.text[start..]) {
                    self.state(state, branch.is_some() || has_number(&line.text[..start]));
                }
            }
            Kind::Source { start } => self.source = Some(Source::parse(&line.text[start..])),
            _ => {}
        }
    }

    /// Kernels before 5.16 print the state below some instructions. Below a jump, it is what holds
    /// behind it; below an access or a call, it is what held before: the line comes out of the
    /// check of the memory. Below the call of a function, all kernels print the caller's, then the
    /// function's own.
    fn state(&mut self, state: State, is_next: bool) {
        if self.looks_back && !is_next {
            return;
        }
        let last = self
            .steps
            .back_mut()
            .filter(|last| !is_next && last.after.is_none());
        let goes_on = |last: &Step| {
            matches!(
                last.insn.action(),
                Action::Compare { .. } | Action::Exit | Action::Function
            )
        };
        match last.filter(|last| !goes_on(last)) {
            Some(last) => last.before = Some(state),
            None => self.before = Some(state),
        }
    }

    fn insn(&mut self, line: usize, insn: Insn, behind: &str) {
        let after = behind.find(';').and_then(|at| state::parse(&behind[at..]));
        let (before, came_from) = (self.before.take(), self.came_from.take());
        // Without a `;` it is the state at the goal of a jump: `goto pc+3 15: R0=scalar()`.
        self.before = state::parse(behind).filter(|_| after.is_none());
        self.looks_back = false;
        // A source line stands before the first of its instructions.
        let source = self.source.clone();
        self.steps.push_back(Step {
            line,
            insn,
            source,
            before,
            after,
            came_from,
        });
    }
}

/// `12: R0=...` is the state before instruction 12.
fn has_number(prefix: &str) -> bool {
    let prefix = prefix.trim_end().strip_suffix(':');
    prefix.is_some_and(|prefix| prefix.ends_with(|letter: char| letter.is_ascii_digit()))
}

/// The step that the verifier took before this one on the same path.
pub fn previous(steps: &[Step], index: usize) -> Option<usize> {
    match steps.get(index)?.came_from {
        Some(pc) => steps[..index].iter().rposition(|step| step.insn.pc == pc),
        None => index.checked_sub(1),
    }
}

/// What the verifier knew before a step: what it printed last, and what follows from the
/// instructions since.
pub fn knowledge(steps: &[Step], index: usize) -> State {
    /// Old kernels print little; further back, nothing of it is true any more.
    const FARTHEST: usize = 400;
    let mut path = vec![index];
    while let Some(&first) = path.last()
        && steps[first].before.is_none()
        && path.len() < FARTHEST
        && let Some(before) = previous(steps, first)
    {
        path.push(before);
    }
    let first = path.last().map_or(index, |&first| first);
    let mut state = steps[first].before.clone().unwrap_or_default();
    for &step in path.iter().skip(1).rev() {
        advance(&mut state, &steps[step]);
    }
    state
}

pub fn advance(state: &mut State, step: &Step) {
    match step.insn.action() {
        Action::Helper { .. } | Action::Function => {
            (0..=5).for_each(|register| state.set(register, None))
        }
        Action::Move { to, from } => {
            let value = operand(state, from);
            state.set(to, value);
        }
        Action::Load { to, place } => {
            let value = i32::try_from(place.offset)
                .ok()
                .filter(|_| place.base == 10 && place.bytes == 8);
            let value = value.and_then(|offset| state.slot(offset).cloned());
            state.set(to, value);
        }
        Action::Store { place, from } if place.base == 10 => {
            if let Ok(offset) = i32::try_from(place.offset) {
                let value = operand(state, from).filter(|_| place.bytes == 8);
                state.set_slot(offset, value);
            }
        }
        action => {
            if let Some(register) = action.sets() {
                state.set(register, None);
            }
        }
    }
    if let Some(after) = &step.after {
        state.update(after);
    }
}

fn operand(state: &State, operand: Operand) -> Option<Value> {
    match operand {
        Operand::Register(register) => state.register(register).cloned(),
        Operand::Number(number) => Some(Value::number(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    fn read(log: &str) -> Vec<Step> {
        let scan = scan(log.as_bytes());
        steps(log.as_bytes(), &scan.logs[0], usize::MAX)
    }

    const NEW: &str = "0: R1=ctx() R10=fp0\n; int x = ctx->a; @ prog.c:7\n0: (61) r2 = *(u32 *)(r1 +0)   ; R1=ctx() \
                       R2_w=scalar(smin=0,smax=umax=0xffffffff)\n1: (15) if r2 == 0x0 goto pc+2   ; R2_w=scalar()\n2: (95) exit\n\n\
                       from 1 to 4: R1=ctx() R2=0 R10=fp0\n4: (bf) r3 = r2\n5: (85) call bpf_x#1\n6: (95) exit\nprocessed 6 insns (l";

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
                .register(2)
                .unwrap()
                .bounds
                .umax,
            0xffff_ffff
        );
        assert_eq!(steps[3].came_from, Some(1));
        assert_eq!(previous(&steps, 3), Some(1));
    }

    #[test]
    fn what_is_not_printed_follows_from_the_instructions() {
        let steps = read(NEW);
        let known = knowledge(&steps, 4);
        assert_eq!(known.register(3).unwrap().bounds.as_constant(), Some(0));
        let known = knowledge(&steps, 5);
        assert_eq!(known.register(2), None, "a call clears it");
    }

    #[test]
    fn old_kernels_print_what_held_before_an_access_below_it() {
        let steps = read(
            "0: (15) if r7 == 0x0 goto pc+9\n R0=inv0 R7=map_value(id=0,off=0,ks=4,vs=56,imm=0) R10=fp0\n\
             1: (85) call bpf_probe_read_user_str#114\n R0=map_value(id=0,off=0,ks=4,vs=56,imm=0) R10=fp0\n\
             2: (bf) r2 = r0\n3: (95) exit\nprocessed 3 insns (limit 1)",
        );
        assert_eq!(knowledge(&steps, 1).register(0).unwrap().kind, "map_value");
        assert_eq!(
            knowledge(&steps, 3).register(2),
            None,
            "what the call returned is not printed"
        );
    }

    #[test]
    fn a_function_begins_with_its_own_state() {
        let steps = read(
            "6: (85) call pc+12\ncaller:\n R6_w=inv(id=0) R10=fp0\ncallee:\n frame1: R1_w=fp-64 R10=fp0\n\
             19: (15) if r3 == 0x0 goto pc+6\n20: (95) exit\nprocessed 3 insns (limit 1)",
        );
        let begin = steps[1].before.as_ref().unwrap();
        assert_eq!(
            (
                begin.frame,
                begin.register(1).unwrap().offset,
                begin.register(6)
            ),
            (1, -64, None)
        );
    }

    #[test]
    fn a_window_keeps_the_end() {
        let log = scan(NEW.as_bytes()).logs.remove(0);
        let steps = steps(NEW.as_bytes(), &log, 60);
        assert_eq!(steps.first().unwrap().insn.pc, 5);
    }
}
