//! Finds the calls in an eBPF object file that no kernel accepts, and the source line of each.
//!
//! ```text
//!   code      functions and calls of the object file: symbols, instructions, relocations
//!   btf       which missing functions are the kernel's, and source lines without inlined functions
//!   lines     source lines, through inlined functions, from the debug information (DWARF)
//!   debug_limits  debug information that would take for ever is not read
//!   names     names that are longer than the file are refused
//!   kind      why such a call is made, and what to write instead
//!   site      places in source files
//!   demangle  names of functions
//! ```
//!
//! The verifier's log does not name them: a panic in Rust is a call of a function that never
//! returns, and what the verifier says ("last insn is not an exit or jmp") is about that function's
//! end. The object file has all of it. The object may come from anyone: nothing here panics, and
//! there is no I/O.

mod btf;
mod code;
mod debug_limits;
mod demangle;
mod kind;
mod lines;
mod names;
mod site;

use std::cell::Cell;
use std::collections::BTreeSet;

use code::{Call, Code, Target};
pub use kind::ForbiddenKind;
use lines::LineTable;
pub use names::check_name_lengths;
pub use site::SourceSite;
use site::{SourceFrame, find_own_site};

/// A call that no kernel accepts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForbiddenCall {
    /// The program that leads to it: the name of its function.
    pub program: String,
    pub kind: ForbiddenKind,
    /// The function that is called, by its full path; a call through a pointer has none.
    pub callee: Option<String>,
    /// The line that was written by hand, where the object file has debug information.
    pub site: Option<SourceSite>,
}

/// More calls of a program are not looked for.
const MOST_CALLS: usize = 200;

/// Instructions that are looked at for all programs together: a program looks at each function
/// that it leads to, and those may be the same for all. A hundred programs that all lead to a
/// hundred thousand instructions look at 10 million.
const MOST_INSTRUCTIONS: u64 = 1 << 24;

/// To find the line of one costs as much as to look at so many.
const LINE_COST: u64 = 512;

/// An object file, read once.
pub struct Object<'data> {
    code: Code<'data>,
    lines: Option<LineTable>,
    /// Instructions that may still be looked at.
    budget: Cell<u64>,
}

impl<'data> Object<'data> {
    /// # Errors
    /// Returns what is wrong with a file that is no eBPF object.
    pub fn parse(bytes: &'data [u8]) -> Result<Self, String> {
        let code = Code::parse(bytes)?;
        let lines = LineTable::parse(bytes);
        Ok(Self {
            code,
            lines,
            budget: Cell::new(MOST_INSTRUCTIONS),
        })
    }

    /// The names of the programs.
    pub fn program_names(&self) -> impl Iterator<Item = &str> {
        self.code
            .find_programs()
            .map(|program| program.name.as_str())
    }

    /// The calls that a program leads to, also those in functions that it calls. Of an object that
    /// no compiler makes, those that were found before it took too long.
    pub fn find_forbidden_calls(&self, program: &str) -> Vec<ForbiddenCall> {
        let Some(start) = self.code.find_function(program) else {
            return Vec::new();
        };
        let (mut found, mut seen, mut pending) = (Vec::new(), BTreeSet::from([start]), vec![start]);
        while let Some(function) = pending.pop() {
            let length = self.code.function_at(function).size / code::INSTRUCTION;
            if !self.spend(length) {
                return found;
            }
            for call in self.code.find_calls(function) {
                match self.code.check_call(&call) {
                    Ok(Some(next)) if seen.insert(next) => pending.push(next),
                    Ok(_) => {}
                    Err(_) if !self.spend(LINE_COST) => return found,
                    Err(callee) => {
                        let call = self.forbidden(program, &call, callee);
                        // A loop that was unrolled has it several times.
                        if !found.contains(&call) {
                            found.push(call);
                        }
                        if found.len() == MOST_CALLS {
                            return found;
                        }
                    }
                }
            }
        }
        found
    }

    /// False if there is not so much left.
    fn spend(&self, instructions: u64) -> bool {
        let left = self.budget.get().checked_sub(instructions);
        self.budget.set(left.unwrap_or(0));
        left.is_some()
    }

    fn forbidden(&self, program: &str, call: &Call, callee: Option<String>) -> ForbiddenCall {
        let frames = self.find_frames(call.section, call.offset);
        let kind = match (&call.target, &callee) {
            (Target::Register, _) => ForbiddenKind::Pointer,
            (Target::Missing(_), Some(name)) => ForbiddenKind::of_missing(name),
            (_, Some(name)) => ForbiddenKind::of_panic(
                name,
                frames.iter().filter_map(SourceFrame::library_function),
            ),
            (_, None) => ForbiddenKind::Panic,
        };
        ForbiddenCall {
            program: program.to_owned(),
            kind,
            callee,
            site: find_own_site(&frames),
        }
    }

    /// The line that was written by hand for an instruction of a program, counted as the verifier
    /// does; `None` for an instruction of another function.
    pub fn find_site(&self, program: &str, instruction: usize) -> Option<SourceSite> {
        let function = self.code.function_at(self.code.find_function(program)?);
        let offset = u64::try_from(instruction)
            .ok()?
            .checked_mul(code::INSTRUCTION)?;
        if offset >= function.size {
            return None;
        }
        find_own_site(&self.find_frames(function.section, function.offset.checked_add(offset)?))
    }

    /// How many instructions the function has that a program's instruction calls.
    pub fn find_callee_length(&self, program: &str, instruction: usize) -> Option<u64> {
        let function = self.code.find_function(program)?;
        let offset = u64::try_from(instruction)
            .ok()?
            .checked_mul(code::INSTRUCTION)?;
        let call = self.code.find_call_at(function, offset)?;
        let callee = self.code.check_call(&call).ok()??;
        Some(self.code.function_at(callee).size / code::INSTRUCTION)
    }

    fn find_frames(&self, section: usize, offset: u64) -> Vec<SourceFrame> {
        match &self.lines {
            Some(lines) => lines.find_frames(section, offset),
            None => self.code.find_frame(section, offset).into_iter().collect(),
        }
    }
}
