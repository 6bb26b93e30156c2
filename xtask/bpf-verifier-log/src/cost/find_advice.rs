//! Finds what would make verification cheaper, where the log proves it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::cost_advice::{AdviceKind, CostAdvice};
use super::insn_table::InsnTable;
use super::program_cost::{FunctionCost, LineCost, LoopCost, MergeObstacle};
use super::walk::LogForm;

/// A program that takes less needs no advice.
const LEAST_INSNS: u64 = 500;
/// Of each kind.
const MOST_ADVICE: usize = 10;
/// Fewer rounds or calls are not worth a change of the program.
const LEAST_ROUNDS: u64 = 16;
const LEAST_CALLS: u64 = 2;
const LEAST_COPIES: u64 = 4;
/// Of all instructions: one in so many.
const LEAST_SHARE: u64 = 10;

/// What the advice is made from.
pub struct CostFacts<'a> {
    pub shown: u64,
    pub form: LogForm,
    pub table: &'a InsnTable,
    pub functions: &'a [FunctionCost],
    pub loops: &'a [LoopCost],
    pub lines: &'a [LineCost],
    pub obstacles: &'a [MergeObstacle],
}

impl CostFacts<'_> {
    /// The most important first.
    pub fn find_advice(&self) -> Vec<CostAdvice> {
        let mut advice = Vec::new();
        if self.shown < LEAST_INSNS {
            return advice;
        }
        let loops = self.loops.iter().take(MOST_ADVICE);
        advice.extend(loops.filter_map(|it| self.advise_on_loop(it)));
        let functions = self.functions.iter().take(MOST_ADVICE);
        advice.extend(functions.filter_map(|it| self.advise_on_function(it)));
        let is_covered = |line: &&LineCost| {
            let mut found = advice.iter();
            found.any(|it: &CostAdvice| (it.first_pc..=it.last_pc).contains(&line.first_pc))
        };
        let mut uncovered = self.lines.iter().filter(|it| !is_covered(it));
        let copies = uncovered.find_map(|it| self.advise_on_copies(it));
        advice.extend(copies);
        let in_loop = |obstacle: &&MergeObstacle| {
            let mut found = advice.iter();
            found.any(|it: &CostAdvice| {
                it.kind == AdviceKind::LoopRounds
                    && (it.first_pc..=it.last_pc).contains(&obstacle.pc)
            })
        };
        let mut meeting = self.obstacles.iter().filter(|it| !in_loop(it));
        let meeting = meeting.find_map(|it| self.advise_on_meeting(it));
        advice.extend(meeting);
        advice.sort_by_key(|it| core::cmp::Reverse(it.insns));
        advice
    }

    fn is_expensive(&self, insns: u64) -> bool {
        insns.saturating_mul(LEAST_SHARE) >= self.shown
    }

    /// The counter holds another number at each round, and must be known exactly.
    fn advise_on_loop(&self, it: &LoopCost) -> Option<CostAdvice> {
        let mut obstacles = self.obstacles.iter();
        let counter = obstacles.find(|obstacle| {
            obstacle.pc == it.first_pc && obstacle.step.is_some() && obstacle.needed_by.is_some()
        })?;
        if it.rounds < LEAST_ROUNDS || !self.is_expensive(it.insns) {
            return None;
        }
        let (least, greatest) = (counter.least?, counter.greatest?);
        let needed = counter.needed_by.as_deref().unwrap_or_default();
        Some(CostAdvice {
            kind: AdviceKind::LoopRounds,
            first_pc: it.first_pc,
            last_pc: it.last_pc,
            insns: it.insns,
            observed: format!(
                "the verifier came {} times to the beginning of the loop of instructions {} to {}: \
                 {} of {} times {} held another number there than the time before ({least} to \
                 {greatest}, mostly in steps of {}), and the verifier must know that number \
                 exactly for `{needed}`",
                it.rounds,
                it.first_pc,
                it.last_pc,
                counter.differs,
                counter.arrivals,
                counter.name,
                counter.step?
            ),
            instead: loop_advice(self.form, it.file.is_some()),
        })
    }

    fn advise_on_function(&self, it: &FunctionCost) -> Option<CostAdvice> {
        if it.is_global || it.calls < LEAST_CALLS || !self.is_expensive(it.insns) {
            return None;
        }
        let name = match &it.name {
            Some(name) => format!("the function {name}"),
            None => format!("the function at instruction {}", it.first_pc),
        };
        let mut later = self.functions.iter().map(|other| other.first_pc);
        let next = later.by_ref().filter(|first| *first > it.first_pc).min();
        Some(CostAdvice {
            kind: AdviceKind::RepeatedFunction,
            first_pc: it.first_pc,
            last_pc: next.map_or(u32::MAX, |next| next - 1),
            insns: it.insns,
            observed: format!(
                "the verifier walked {name} at each of {} calls that it came to: it is static",
                it.calls
            ),
            instead:
                "make it global, which is walked once for all calls (since 5.6): in C without \
                      `static` and with `__attribute__((noinline))`; in Rust `#[unsafe(no_mangle)] \
                      #[inline(never)] pub extern \"C\" fn`. The verifier then knows nothing about \
                      its arguments but their types"
                    .into(),
        })
    }

    fn advise_on_copies(&self, it: &LineCost) -> Option<CostAdvice> {
        if it.copies < LEAST_COPIES || !self.is_expensive(it.insns) {
            return None;
        }
        Some(CostAdvice {
            kind: AdviceKind::RepeatedCode,
            first_pc: it.first_pc,
            last_pc: it.first_pc,
            insns: it.insns,
            observed: format!(
                "the compiled program has the instructions of `{}` {} times: the compiler unrolled \
                 a loop or inlined a function",
                it.text, it.copies
            ),
            instead: "put it into a global function that is not inlined: it is there once, and \
                      the verifier walks it once (since 5.6)"
                .into(),
        })
    }

    fn advise_on_meeting(&self, it: &MergeObstacle) -> Option<CostAdvice> {
        if it.arrivals < LEAST_ROUNDS || it.differs * 2 < it.arrivals || it.set_by.len() < 2 {
            return None;
        }
        let needed = it.needed_by.as_ref()?;
        let range = match (it.least, it.greatest) {
            (Some(least), Some(greatest)) => format!(" ({least} to {greatest})"),
            _ => String::new(),
        };
        let insns = self.table.find_record(it.pc).map_or(0, |it| it.cost());
        Some(CostAdvice {
            kind: AdviceKind::MeetingPaths,
            first_pc: it.pc,
            last_pc: it.pc,
            insns,
            observed: format!(
                "paths meet at instruction {} {} times, and {} of these times {} was not what it \
                 had been the time before{range}, so that the rest was walked again; `{}` set it, \
                 and the verifier must know it exactly for `{needed}`",
                it.pc,
                it.arrivals,
                it.differs,
                it.name,
                it.set_by.join("`, `")
            ),
            instead: "compute the value without a branch (from the condition's bits, or as a \
                      number that is read and then limited with `&`), so that the verifier has one \
                      range for it in place of one path for each value"
                .into(),
        })
    }
}

/// What the kernel that wrote the log has.
fn loop_advice(form: LogForm, names_files: bool) -> String {
    if form.says_inv {
        return "fewer rounds: kernels that write logs of this form are older than 5.18, and of \
                them only 5.17 has bpf_loop(), whose body is walked a few times however many \
                rounds there are"
            .into();
    }
    let newer = if names_files {
        "; this kernel also has bpf_for() and may_goto"
    } else {
        ", bpf_for() since 6.4, may_goto since 6.9"
    };
    format!(
        "a loop whose body is walked a few times, however many rounds there are: bpf_loop() \
         (since 5.17){newer}. Inside, check the index against the bound, since it is any number"
    )
}
