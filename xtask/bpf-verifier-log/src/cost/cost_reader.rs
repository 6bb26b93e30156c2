//! Takes the lines of any input, and divides them by program.

use alloc::vec::Vec;

use super::cost_line::{CostLine, read_cost_line};
use super::program_cost::ProgramCost;
use super::summarize::summarize_walk;
use super::walk::Walk;
use crate::input::encoding::TextDecoder;
use crate::input::heading::LoaderHeading;
use crate::input::lines::{InputLine, LineReader};
use crate::input::text::clean_text;

/// More programs in one text are left out.
const MOST_PROGRAMS: usize = 1000;

/// Measures what verification cost, from a text that comes in pieces.
///
/// What it keeps grows with the programs, not with the log: of a log of 100 MB, about a megabyte.
/// The pieces may end anywhere, as those of [`LogReader`](crate::LogReader).
///
/// ```
/// use bpf_verifier_log::CostReader;
///
/// let mut reader = CostReader::new();
/// for piece in ["0: (b7) r0 = 0\n1: (95) e", "xit\nprocessed 2 insns (limit 1000000)\n"] {
///     reader.push(piece.as_bytes());
/// }
/// let programs = reader.finish();
/// assert_eq!(programs[0].shown, 2);
/// assert_eq!(programs[0].processed, Some(2));
/// ```
#[derive(Debug, Default)]
pub struct CostReader {
    decoder: TextDecoder,
    lines: LineReader,
    costs: CostDivider,
}

impl CostReader {
    /// A reader that has read nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next bytes of the text.
    pub fn push(&mut self, bytes: &[u8]) {
        let (lines, costs) = (&mut self.lines, &mut self.costs);
        self.decoder.push_bytes(bytes, &mut |text| {
            lines.push_bytes(text, &mut |line| costs.take_line(line));
        });
    }

    /// The programs in the order of their logs.
    pub fn finish(self) -> Vec<ProgramCost> {
        let (mut lines, mut costs) = (self.lines, self.costs);
        self.decoder.finish_text(&mut |text| {
            lines.push_bytes(text, &mut |line| costs.take_line(line));
        });
        lines.finish_lines(&mut |line| costs.take_line(line));
        costs.end_program();
        costs.programs
    }
}

/// Divides the lines of a text by program.
#[derive(Debug, Default)]
struct CostDivider {
    programs: Vec<ProgramCost>,
    walk: Walk,
    heading: LoaderHeading,
}

impl CostDivider {
    fn take_line(&mut self, line: &InputLine<'_>) {
        if line.escaped {
            self.read_part(clean_text(line.bytes, true).as_bytes());
        } else {
            self.read_part(line.bytes);
        }
    }

    fn read_part(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match read_cost_line(line) {
            CostLine::Other => self.read_other(line),
            known @ CostLine::Processed { .. } => {
                self.walk.take_line(known);
                self.end_program();
            }
            known => self.walk.take_line(known),
        }
    }

    /// A loader's own words, which name the program, or begin a log.
    fn read_other(&mut self, line: &[u8]) {
        /// What loaders and the kernel print.
        const LONGEST: usize = 1024;
        if line.len() > LONGEST || line.is_empty() {
            return;
        }
        let begins = memchr::memmem::find(line, b"BEGIN PROG LOAD LOG").is_some();
        if begins {
            self.end_program();
        }
        if begins || self.walk.is_empty() {
            let text = clean_text(line, false);
            match name_of_veristat(&text) {
                Some(name) => self.heading.name = Some(name.into()),
                None => self.heading.read_heading(&text),
            }
        }
    }

    fn end_program(&mut self) {
        let mut walk = core::mem::take(&mut self.walk);
        if walk.is_empty() || self.programs.len() >= MOST_PROGRAMS {
            return;
        }
        walk.name = core::mem::take(&mut self.heading).name;
        self.programs.push(summarize_walk(&walk));
    }
}

/// `PROCESSING rounds.bpf.o/rounds, DURATION US: 1291791, VERDICT: success, VERIFIER LOG:`
fn name_of_veristat(line: &str) -> Option<&str> {
    let (path, _) = line.strip_prefix("PROCESSING ")?.split_once(", DURATION")?;
    path.rsplit('/').next()
}

/// Measures what verification of each program in a text cost, as the logs in it show it.
///
/// A log of level 2 has all of the verifier's work; one of level 1 has the last path only. See
/// [`ProgramCost::share`] for which it is.
///
/// ```
/// use bpf_verifier_log::{LogShare, measure_cost};
///
/// let log = b"\
/// ; return 0; @ prog.c:3
/// 0: (b7) r0 = 0
/// 1: (95) exit
/// processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0";
/// let cost = measure_cost(log).remove(0);
/// assert_eq!(cost.share, LogShare::Whole);
/// assert_eq!((cost.lines[0].line, cost.lines[0].insns), (Some(3), 2));
/// ```
pub fn measure_cost(input: &[u8]) -> Vec<ProgramCost> {
    let mut reader = CostReader::new();
    reader.push(input);
    reader.finish()
}
