//! The path that the verifier walked: which step came before a step, as far as the log tells.

use crate::log::insn::{InsnAction, Operand};
use crate::log::step::LogStep;

/// The step that the verifier took before this one on the same path; `None` where it is not in the
/// log.
pub fn find_previous_step(steps: &[LogStep], index: usize) -> Option<usize> {
    let step = steps.get(index).filter(|step| !step.follows_gap)?;
    match step.came_from {
        Some(pc) => find_fork(steps, index, pc),
        None => {
            let before = index.checked_sub(1)?;
            may_follow(steps, before, index).then_some(before)
        }
    }
}

/// How a step leads to the next one of its path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StepKind {
    /// In the same function; a call returned, or what it called is checked on its own.
    Stays,
    /// Into a function that the program called.
    Enters,
    /// Into a function that a helper calls, with other arguments than the helper has.
    CallsBack,
    /// Back to the caller.
    Returns,
}

/// `next` comes after `step` on a path.
pub fn find_step_kind(step: &LogStep, next: &LogStep) -> StepKind {
    let goes_on = next.insn.pc == step.insn.next_pc();
    match step.insn.insn_action() {
        InsnAction::Exit => StepKind::Returns,
        InsnAction::Function if !goes_on => StepKind::Enters,
        // `call pc+0` is the only call of a function that goes on.
        InsnAction::Helper { .. } if !goes_on => StepKind::CallsBack,
        _ => StepKind::Stays,
    }
}

/// Whether the step at `next` can come right after the one at `before`. If not, the log leaves
/// something out.
fn may_follow(steps: &[LogStep], before: usize, next: usize) -> bool {
    let (step, next) = (&steps[before], &steps[next]);
    let pc = next.insn.pc;
    let goes_on = pc == step.insn.next_pc();
    match step.insn.insn_action() {
        // The end of a text like `gotox r1` says no place.
        InsnAction::Goto => match step.insn.jump_goal() {
            Some(goal) => pc == goal || (goes_on && step.insn.text.starts_with("may_goto")),
            None => !step.insn.text.contains("pc"),
        },
        InsnAction::Compare { .. } => goes_on || step.insn.jump_goal() == Some(pc),
        InsnAction::Function => goes_on || step.insn.jump_goal() == Some(pc),
        // A callback begins with its own state.
        InsnAction::Helper { .. } => {
            goes_on || next.before.as_ref().is_some_and(|state| state.frame > 0)
        }
        InsnAction::Exit => find_call(steps, before, pc).is_some(),
        _ => goes_on,
    }
}

/// The call that the function which ends at `exit` returns from, where `pc` is the next instruction
/// after it.
pub fn find_call(steps: &[LogStep], exit: usize, pc: u32) -> Option<usize> {
    /// A longer function is checked on its own, or can be.
    const FARTHEST: usize = 2000;
    let begin = exit.saturating_sub(FARTHEST);
    // After a callback, newer kernels look at the call once more.
    let is_call = |step: &LogStep| {
        step.insn.clears_arguments() && (step.insn.next_pc() == pc || step.insn.pc == pc)
    };
    let at = steps[begin..exit].iter().rposition(is_call)?;
    Some(begin + at)
}

/// The visit of the jump at `pc` whose other branch begins at `index`. The verifier keeps the
/// branches that it has not walked on a stack: each is taken up once, the latest first.
fn find_fork(steps: &[LogStep], index: usize, pc: u32) -> Option<usize> {
    let taken_up = |step: &LogStep| {
        let walked = usize::from(step.came_from == Some(pc));
        walked + step.pruned.iter().filter(|&&from| from == pc).count()
    };
    let mut later = steps[index]
        .pruned
        .iter()
        .filter(|&&from| from == pc)
        .count();
    for at in (0..index).rev() {
        let step = &steps[at];
        if step.insn.pc == pc && leaves_branch(step, steps.get(at + 1), index == at + 1) {
            if later == 0 {
                return Some(at);
            }
            later -= 1;
        }
        later += taken_up(step);
    }
    None
}

/// Whether the verifier kept another branch for later when it was at this step. Where it knows
/// which way a jump goes, there is none.
fn leaves_branch(step: &LogStep, next: Option<&LogStep>, is_last: bool) -> bool {
    let InsnAction::Compare { left, right, .. } = step.insn.insn_action() else {
        return true;
    };
    // It walks on with the next instruction, and keeps the goal of the jump.
    if let Some(next) = next
        && !is_last
        && next.came_from.is_none()
        && next.insn.pc != step.insn.next_pc()
    {
        return false;
    }
    let Some(Operand::Number(_)) = right else {
        return true;
    };
    let compared = step
        .after
        .as_ref()
        .and_then(|after| after.register_value(*left));
    compared.is_none_or(|value| value.bounds.as_constant().is_none() || is_last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain_log;
    use alloc::format;
    use alloc::vec::Vec;

    fn read(log: &str) -> Vec<LogStep> {
        let log = format!("{log}\nprocessed 9 insns (limit 1000000)");
        let program = explain_log(log.as_bytes()).programs.remove(0);
        program.read_steps(log.as_bytes()).steps
    }

    /// For each step the one before.
    fn previous(log: &str) -> Vec<Option<usize>> {
        let steps = read(log);
        (0..steps.len())
            .map(|at| find_previous_step(&steps, at))
            .collect()
    }

    #[test]
    fn what_the_log_leaves_out_is_not_skipped() {
        assert_eq!(
            previous(
                "0: (b7) r1 = 1\n\
                 1: (18) r2 = 0x8\n\
                 3: (bf) r3 = r2\n\
                 6: (bf) r4 = r3"
            ),
            [None, Some(0), Some(1), None]
        );
        let jump = "0: (15) if r1 == 0x0 goto pc+2\n3: (05) goto pc-3\n1: (95) exit";
        assert_eq!(previous(jump), [None, Some(0), Some(1)]);
        let far = "0: (15) if r1 == 0x0 goto pc+2\n4: (95) exit";
        assert_eq!(previous(far), [None, None]);
    }

    #[test]
    fn a_function_returns_to_its_call() {
        let log = "0: (85) call pc+1\n2: (b7) r0 = 1\n3: (95) exit\n1: (95) exit";
        assert_eq!(previous(log), [None, Some(0), Some(1), Some(2)]);
        let other = "0: (b7) r0 = 1\n1: (95) exit\n2: (b7) r0 = 1";
        assert_eq!(previous(other), [None, Some(0), None], "checked on its own");
    }

    /// A loop that is gone through twice: a branch is left at each visit of instruction 1.
    const LOOP: &str = "0: (b7) r6 = 1\n\
                        1: (15) if r1 == 0x0 goto pc+2     ; R1=scalar()\n\
                        2: (05) goto pc-2\n\
                        1: (15) if r1 == 0x0 goto pc+2     ; R1=scalar()\n\
                        2: (95) exit\n\
                        from 1 to 4: R10=fp0\n\
                        4: (95) exit\n";

    #[test]
    fn branches_are_taken_up_from_the_last_to_the_first() {
        let again = "from 1 to 4: R10=fp0\n4: (95) exit\n";
        assert_eq!(previous(&format!("{LOOP}{again}"))[5..], [Some(3), Some(1)]);
        let pruned = LOOP.replace("from", "from 1 to 4: safe\nfrom");
        assert_eq!(previous(&pruned)[5..], [Some(1)]);
    }

    #[test]
    fn a_jump_that_is_known_leaves_no_branch() {
        let (first, second) = LOOP.split_at(LOOP.rfind("R1=").unwrap());
        let known = format!("{first}{}", second.replace("R1=scalar()", "R1=7"));
        assert_eq!(previous(LOOP)[5], Some(3));
        assert_eq!(previous(&known)[5], Some(1));
    }
}
