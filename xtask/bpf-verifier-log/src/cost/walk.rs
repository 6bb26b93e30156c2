//! One program's log, line by line.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::cost_line::CostLine;
use super::insn_effects::{InsnFlow, flow_of};
use super::insn_table::{InsnTable, LineTable, keep_text};
use super::program_cost::StateCounts;
use super::walked_state::{SavedOrigins, WalkedState};
use super::watch_point::WatchPoint;
use crate::log::insn::find_jump_goal;

/// Forks whose other way is still to be walked. The kernel itself gives up at 8193.
const MOST_PENDING: usize = 4096;
const MOST_WATCHED: usize = 4096;
/// A line of source is cut there.
const LONGEST_SOURCE: usize = 1024;
/// The kernel allows 256 functions.
const MOST_FUNCTIONS: usize = 1024;

/// A function of the program.
#[derive(Debug, Default)]
pub struct FunctionRecord {
    pub first: Option<u32>,
    pub name: Option<String>,
    /// It was walked once for all calls.
    pub is_global: bool,
}

/// What the log shows of its kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogForm {
    /// `inv` for a number: before 5.18.
    pub says_inv: bool,
    /// `scalar`: since 5.18.
    pub says_scalar: bool,
    /// States after instructions: since 5.16.
    pub annotates: bool,
    /// `func#0 @0`, `mark_precise`: level 2 prints these.
    pub is_detailed: bool,
}

#[derive(Debug, Default)]
pub struct Walk {
    pub name: Option<String>,
    pub table: InsnTable,
    pub lines: LineTable,
    pub watched: BTreeMap<u32, WatchPoint>,
    pub functions: BTreeMap<u32, FunctionRecord>,
    /// How often the verifier came to a call, by the first instruction of what is called.
    pub calls: BTreeMap<u32, u64>,
    pub form: LogForm,
    pub walked: u64,
    pub pruned: u64,
    pub exits: u64,
    /// Paths.
    pub begun: u64,
    pub processed: Option<u64>,
    pub states: Option<StateCounts>,
    pub first_pc: Option<u32>,
    state: WalkedState,
    pending: VecDeque<(u32, u32, SavedOrigins)>,
    source: Vec<u8>,
    last: Option<LastInsn>,
    whole_state_next: bool,
    /// The instruction for which values must be known exactly, while the verifier looks back.
    asker: Option<u32>,
    /// Linux 7.3 lists the program before it walks it.
    in_listing: bool,
}

#[derive(Clone, Copy, Debug)]
struct LastInsn {
    pc: u32,
    line: u32,
    /// The path ended with it.
    ended: bool,
}

impl Walk {
    pub fn is_empty(&self) -> bool {
        self.walked + self.pruned == 0 && self.processed.is_none()
    }

    pub fn take_line(&mut self, line: CostLine<'_>) {
        if self.in_listing && !self.leaves_listing(&line) {
            return;
        }
        match line {
            CostLine::Insn { pc, opcode, rest } => self.take_insn(pc, opcode, rest),
            CostLine::State { text, numbered } => self.take_state(text, numbered),
            CostLine::Source(text) => {
                self.source.clear();
                self.source
                    .extend_from_slice(&text[..text.len().min(LONGEST_SOURCE)]);
            }
            CostLine::Precise {
                registers,
                slots,
                pc,
            } => self.take_precise(registers, slots, pc),
            CostLine::PreciseFor { pc } => self.take_asker(pc),
            CostLine::Propagated => self.asker = None,
            CostLine::Pruned { pc } => self.take_pruned(pc),
            CostLine::Resumed {
                from,
                to,
                text,
                pruned,
            } => self.take_resumed(from, to, text, pruned),
            CostLine::FrameChange => self.whole_state_next = true,
            CostLine::FunctionAt { number, pc } => {
                self.form.is_detailed = true;
                if let Some(function) = self.function(number) {
                    function.first = Some(pc);
                }
            }
            CostLine::FunctionName { number, name } => {
                self.name_function(number, name);
                self.in_listing = self.walked == 0;
            }
            CostLine::Validating { number, name } => self.take_validating(number, name),
            CostLine::Listing => self.in_listing = self.walked == 0 || self.in_listing,
            CostLine::Processed { text } => self.take_summary(text),
            CostLine::Other => {}
        }
    }

    fn leaves_listing(&mut self, line: &CostLine<'_>) -> bool {
        let leaves = matches!(
            line,
            CostLine::State { .. }
                | CostLine::Validating { .. }
                | CostLine::Processed { .. }
                | CostLine::Source(_)
        );
        self.in_listing = !leaves;
        leaves || matches!(line, CostLine::FunctionName { .. })
    }

    fn function(&mut self, number: u32) -> Option<&mut FunctionRecord> {
        let is_known = self.functions.contains_key(&number);
        if !is_known && self.functions.len() >= MOST_FUNCTIONS {
            return None;
        }
        Some(self.functions.entry(number).or_default())
    }

    fn name_function(&mut self, number: u32, name: &[u8]) {
        let name = crate::input::text::clean_text(name, false).into_owned();
        if let Some(function) = self.function(number) {
            function.name = Some(name);
        }
    }

    fn take_validating(&mut self, number: u32, name: &[u8]) {
        self.name_function(number, name);
        if let Some(function) = self.function(number) {
            function.is_global = true;
        }
        self.last = None;
        self.pending.clear();
    }

    fn take_insn(&mut self, pc: u32, opcode: u8, rest: &[u8]) {
        self.first_pc = self.first_pc.or(Some(pc));
        match self.last {
            None => self.begun += 1,
            Some(last) if last.ended => self.resume_unsaid(pc),
            Some(_) => {}
        }
        self.walked += 1;
        let (text, after) = split_comment(rest);
        let Some(record) = self.table.record_at(pc) else {
            return;
        };
        record.walked += 1;
        let is_first = record.walked == 1;
        if is_first {
            record.opcode = opcode;
            record.text = keep_text(text);
        }
        if record.line == 0 && !self.source.is_empty() {
            record.line = self.lines.number_of(&self.source);
        }
        let (line, is_watched) = (record.line, record.is_watched);
        let target = match flow_of(opcode) {
            InsnFlow::Next | InsnFlow::Exit => None,
            _ => find_jump_goal(pc, &record.text),
        };
        self.visit_line(pc, line);
        if is_watched {
            self.arrive(pc);
        }
        self.follow(pc, opcode, target);
        if is_first && let Some(target) = target {
            self.watch(target);
        }
        self.take_after(pc, opcode, after);
        self.last = Some(LastInsn {
            pc,
            line,
            ended: opcode == EXIT && self.state.frame_number() == 0,
        });
    }

    fn path_ended(&self) -> bool {
        self.last.is_none_or(|last| last.ended)
    }

    fn visit_line(&mut self, pc: u32, line: u32) {
        let goes_on = self
            .last
            .is_some_and(|last| last.line == line && last.pc < pc && !last.ended);
        if !goes_on {
            self.lines.add_visit(line, self.state.state_hash());
        }
    }

    fn arrive(&mut self, pc: u32) {
        let before = self.last.filter(|last| !last.ended).map(|last| last.pc);
        if let Some(point) = self.watched.get_mut(&pc) {
            point.add_arrival(before, self.state.current_frame());
        }
    }

    /// What jumps lead to is compared from then on.
    fn watch(&mut self, pc: u32) {
        if self.watched.len() < MOST_WATCHED
            && let Some(record) = self.table.record_at(pc)
        {
            record.is_watched = true;
            self.watched.entry(pc).or_default();
        }
    }

    fn follow(&mut self, pc: u32, opcode: u8, target: Option<u32>) {
        match (flow_of(opcode), target) {
            (InsnFlow::Fork, Some(target)) => {
                if self.pending.len() >= MOST_PENDING {
                    self.pending.pop_front();
                }
                let origins = self.state.save_origins();
                self.pending.push_back((pc, target, origins));
            }
            (InsnFlow::Call, Some(target)) => self.count_call(target),
            (InsnFlow::Call, None) => self.state.forget_arguments(),
            (InsnFlow::Exit, _) if self.state.frame_number() == 0 => self.exits += 1,
            _ => {}
        }
    }

    fn count_call(&mut self, target: u32) {
        if self.calls.len() < MOST_FUNCTIONS || self.calls.contains_key(&target) {
            *self.calls.entry(target).or_default() += 1;
        }
    }

    fn take_after(&mut self, pc: u32, opcode: u8, after: &[u8]) {
        if after.is_empty() {
            return;
        }
        self.form.annotates = true;
        let is_said = self.form.says_scalar || self.form.says_inv;
        if !is_said {
            self.notice_spelling(after);
        }
        // After a call, R0 is all that is new.
        if flow_of(opcode) == InsnFlow::Exit {
            return;
        }
        self.state.update_from(after, pc);
    }

    fn notice_spelling(&mut self, text: &[u8]) {
        self.form.says_scalar |= memchr::memmem::find(text, b"=scalar(").is_some();
        self.form.says_inv |= memchr::memmem::find(text, b"=inv").is_some();
    }

    /// `text` begins with the first register, or with the name of a function's frame.
    fn take_state(&mut self, text: &[u8], numbered: bool) {
        if !numbered && !self.whole_state_next {
            return;
        }
        if !self.form.says_scalar && !self.form.says_inv {
            self.notice_spelling(text);
        }
        let origin = self.last.map_or(0, |last| last.pc);
        if self.whole_state_next || !self.form.annotates {
            self.state.replace_by(text, origin);
        } else {
            self.state.update_from(text, origin);
        }
        self.whole_state_next = false;
    }

    fn take_precise(&mut self, registers: u16, slots: u64, pc: u32) {
        self.form.is_detailed = true;
        let asker = self.asker;
        if let Some(record) = self.table.record_at(pc) {
            record.require_exact(registers, slots, asker);
        }
    }

    /// A look back begins at the instruction that is walked; what follows goes on with it in
    /// earlier states.
    fn take_asker(&mut self, pc: u32) {
        if self.last.is_some_and(|last| last.pc == pc) {
            self.asker = Some(pc);
        }
    }

    fn take_pruned(&mut self, pc: u32) {
        if self.path_ended() {
            self.resume_unsaid(pc);
        }
        self.count_pruned(pc);
    }

    fn count_pruned(&mut self, pc: u32) {
        self.pruned += 1;
        if let Some(record) = self.table.record_at(pc) {
            record.pruned += 1;
            let line = record.line;
            self.lines.add_pruned_visit(line);
        }
        self.last = self.last.map(|last| LastInsn {
            ended: true,
            ..last
        });
    }

    fn take_resumed(&mut self, from: u32, to: u32, text: &[u8], pruned: bool) {
        if !self.path_ended() {
            // It comes back from a function.
            if pruned {
                self.count_pruned(to);
            } else {
                self.state.replace_by(text, from);
            }
            return;
        }
        let saved = self.take_pending(|(pc, ..)| *pc == from);
        self.count_resumed(from);
        if pruned {
            self.count_pruned(to);
            return;
        }
        self.state.replace_by(text, from);
        if let Some((.., origins)) = saved {
            self.state.restore_origins(&origins);
        }
        self.last = Some(LastInsn {
            pc: from,
            line: 0,
            ended: false,
        });
    }

    /// Kernels before 5.16 do not say in a log of level 2 where a path comes from: it begins at the
    /// goal of the last fork.
    fn resume_unsaid(&mut self, pc: u32) {
        let Some((from, _, origins)) = self.take_pending(|(_, target, _)| *target == pc) else {
            self.begun += 1;
            return;
        };
        self.count_resumed(from);
        self.state.restore_origins(&origins);
        self.last = Some(LastInsn {
            pc: from,
            line: 0,
            ended: false,
        });
    }

    /// The last fork that fits. Those after it had one way out; all of them, where none fits.
    fn take_pending(
        &mut self,
        fits: impl Fn(&(u32, u32, SavedOrigins)) -> bool,
    ) -> Option<(u32, u32, SavedOrigins)> {
        while let Some(last) = self.pending.pop_back() {
            if fits(&last) {
                return Some(last);
            }
        }
        None
    }

    fn count_resumed(&mut self, from: u32) {
        self.begun += 1;
        if let Some(record) = self.table.record_at(from) {
            record.forks += 1;
        }
    }

    /// `processed 12 insns (limit 1000000) max_states_per_insn 1 total_states 2 peak_states 2 ...`
    fn take_summary(&mut self, text: &[u8]) {
        let text = crate::input::text::clean_text(text, false);
        let mut words = text.split(' ');
        let number_after = |name: &str| {
            let (_, after) = text.split_once(name)?;
            after.trim_start().split(' ').next()?.parse().ok()
        };
        self.processed = words.nth(1).and_then(|number| number.parse().ok());
        self.states = number_after("total_states").map(|total| StateCounts {
            total,
            peak: number_after("peak_states").unwrap_or(0),
            most_at_one: number_after("max_states_per_insn").unwrap_or(0),
        });
    }
}

const EXIT: u8 = 0x95;

/// `r3 += r1      ; R3=4` as the instruction's text and the state after it.
fn split_comment(rest: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b';', rest) {
        Some(at) => {
            let after = &rest[at + 1..];
            let start = after.iter().take_while(|&&byte| byte == b' ').count();
            (&rest[..at], &after[start..])
        }
        None => (rest, &[]),
    }
}
