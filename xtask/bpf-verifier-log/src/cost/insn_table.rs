//! What is kept of each instruction, and of each line of source.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::seen_hashes::{MOST_SEEN, SeenHashes};
use crate::log::step::SourceLine;

/// The kernel takes no longer program.
const MOST_INSNS: u32 = 1_000_000;
const PAGE: u32 = 256;
/// The kernel's own texts of an instruction are shorter.
const LONGEST_TEXT: usize = 120;
/// Of all lines together.
const MOST_HASHES: u64 = 64 * MOST_SEEN as u64;

/// One instruction of the program.
#[derive(Clone, Debug, Default)]
pub struct InsnRecord {
    /// How often it was walked.
    pub walked: u64,
    /// How often the verifier came here and went no further.
    pub pruned: u64,
    /// How many paths began with the other way out of this instruction.
    pub forks: u64,
    pub opcode: u8,
    pub text: Box<str>,
    /// Number of its line, from 1; 0 if it is not known.
    pub line: u32,
    /// Registers that must be known exactly after it, as a mask, and slots.
    pub precise: u16,
    pub precise_slots: u64,
    /// The instructions that asked for that last, by register; the last one is that of slots. From
    /// 1 on; 0 if it is not known.
    askers: [u32; SLOT_ASKER + 1],
    pub is_watched: bool,
}

impl InsnRecord {
    pub fn is_walked(&self) -> bool {
        self.walked > 0
    }

    pub fn cost(&self) -> u64 {
        self.walked + self.pruned
    }

    /// `asker`: the instruction that asks, if it is known.
    pub fn require_exact(&mut self, registers: u16, slots: u64, asker: Option<u32>) {
        self.precise |= registers;
        self.precise_slots |= slots;
        let Some(asker) = asker else {
            return;
        };
        for register in 0..SLOT_ASKER {
            if registers & (1 << register) != 0 {
                self.askers[register] = asker + 1;
            }
        }
        if slots != 0 {
            self.askers[SLOT_ASKER] = asker + 1;
        }
    }

    /// `None` for the register: a slot.
    pub fn find_asker(&self, register: Option<u8>) -> Option<u32> {
        let index = register.map_or(SLOT_ASKER, usize::from);
        self.askers.get(index)?.checked_sub(1)
    }
}

/// R0 to R9 can hold numbers.
const SLOT_ASKER: usize = 10;

#[derive(Debug, Default)]
pub struct InsnTable {
    pages: Vec<Vec<InsnRecord>>,
}

impl InsnTable {
    /// `None`: no program has such an instruction.
    pub fn record_at(&mut self, pc: u32) -> Option<&mut InsnRecord> {
        if pc >= MOST_INSNS {
            return None;
        }
        let (page, index) = ((pc / PAGE) as usize, (pc % PAGE) as usize);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, Vec::new);
        }
        let page = &mut self.pages[page];
        if page.is_empty() {
            *page = vec![InsnRecord::default(); PAGE as usize];
        }
        page.get_mut(index)
    }

    pub fn find_record(&self, pc: u32) -> Option<&InsnRecord> {
        self.pages
            .get((pc / PAGE) as usize)?
            .get((pc % PAGE) as usize)
    }

    /// Those that were reached, by number.
    pub fn reached_records(&self) -> impl Iterator<Item = (u32, &InsnRecord)> {
        let pages = self.pages.iter().enumerate();
        let all = pages.flat_map(|(page, records)| {
            let first = page as u32 * PAGE;
            let numbered = records.iter().enumerate();
            numbered.map(move |(index, record)| (first + index as u32, record))
        });
        all.filter(|(_, record)| record.cost() > 0)
    }
}

/// The text of an instruction, as it is kept.
pub fn keep_text(text: &[u8]) -> Box<str> {
    let text = &text[..text.len().min(LONGEST_TEXT)];
    crate::input::text::clean_text(text, false).trim().into()
}

/// A line of the program's source.
#[derive(Debug)]
pub struct LineRecord {
    pub source: SourceLine,
    /// How often the verifier came to it from another line, or again.
    pub visits: u64,
    pub states: SeenHashes,
}

#[derive(Debug, Default)]
pub struct LineTable {
    pub lines: Vec<LineRecord>,
    /// Their numbers, from 1.
    numbers: BTreeMap<String, u32>,
    hashes: u64,
}

impl LineTable {
    /// The number of a line, from 1.
    pub fn number_of(&mut self, text: &[u8]) -> u32 {
        let text = crate::input::text::clean_text(text, false);
        if let Some(number) = self.numbers.get(text.as_ref()) {
            return *number;
        }
        self.lines.push(LineRecord {
            source: SourceLine::parse_source(&text),
            visits: 0,
            states: SeenHashes::default(),
        });
        let number = self.lines.len() as u32;
        self.numbers.insert(text.as_ref().to_owned(), number);
        number
    }

    fn line_at(&mut self, number: u32) -> Option<&mut LineRecord> {
        self.lines.get_mut((number as usize).checked_sub(1)?)
    }

    /// A visit that went no further; the log does not show its state.
    pub fn add_pruned_visit(&mut self, number: u32) {
        if let Some(line) = self.line_at(number) {
            line.visits += 1;
        }
    }

    pub fn add_visit(&mut self, number: u32, state: u64) {
        let may_add = self.hashes < MOST_HASHES;
        let Some(line) = self.line_at(number) else {
            return;
        };
        line.visits += 1;
        if may_add {
            let before = line.states.count_hashes();
            line.states.add_hash(state);
            let added = line.states.count_hashes() - before;
            self.hashes += added;
        }
    }
}
