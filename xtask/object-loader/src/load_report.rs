//! The lines that tell the host what became of the programs of an object.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use bpf_verifier_log::ProgramCost;
use plan::load::{AttachResult, EbpfLibrary, Load, LoadResult, LoaderLine, Phase, ProgramName};

use crate::measured_cost::MeasuredCost;

pub struct LoadReport<'a> {
    /// As the loader was given it.
    object: &'a str,
    library: Option<EbpfLibrary>,
}

/// What became of one program.
pub struct ProgramVerdict {
    pub result: LoadResult,
    pub attach: Option<AttachResult>,
    pub notes: Vec<String>,
    pub cost: Option<ProgramCost>,
}

impl ProgramVerdict {
    pub fn failed(why: impl Into<String>) -> Self {
        LoadResult::failed(why).into()
    }

    /// The kernel checks such a program against what it attaches to, and nobody says what that is.
    pub fn without_target(program: &str, what: &str) -> Self {
        let what = format!("--target {program}={what}");
        Self {
            result: LoadResult::failed(format!(
                "its section does not say what it attaches to, and without that it cannot be \
                 loaded: {what}"
            )),
            attach: Some(AttachResult::NeedsTarget { what }),
            notes: Vec::new(),
            cost: None,
        }
    }
}

impl ProgramVerdict {
    /// `None`: it cannot be measured.
    pub fn add_cost(&mut self, measured: Option<MeasuredCost>) {
        let Some(MeasuredCost { cost, late }) = measured else {
            let note = "what its verification costs cannot be measured: it needs more of its \
                        library than the load itself";
            self.notes.push(note.to_owned());
            return;
        };
        if late {
            let note = "the load with the log took too long and was ended: what verification costs \
                        is told of its beginning (--seconds allows more)";
            self.notes.push(note.to_owned());
        }
        self.cost = cost;
    }
}

impl From<LoadResult> for ProgramVerdict {
    fn from(result: LoadResult) -> Self {
        Self {
            result,
            attach: None,
            notes: Vec::new(),
            cost: None,
        }
    }
}

impl<'a> LoadReport<'a> {
    pub fn new(object: &'a str, library: Option<EbpfLibrary>) -> Self {
        Self { object, library }
    }

    /// Which programs there are.
    pub fn list(&self, programs: Vec<ProgramName>) -> Result<()> {
        print_line(&LoaderLine::Programs {
            object: self.object.to_owned(),
            programs,
        })
    }

    pub fn begin(&self, program: &str, phase: Phase) -> Result<()> {
        print_line(&LoaderLine::Begin {
            object: self.object.to_owned(),
            program: program.to_owned(),
            phase,
        })
    }

    pub fn tell(&self, program: &str, section: &str, verdict: ProgramVerdict) -> Result<()> {
        let ProgramVerdict {
            result,
            attach,
            notes,
            cost,
        } = verdict;
        let named = |mut cost: ProgramCost| {
            cost.name = Some(program.to_owned());
            cost
        };
        let cost = cost.map(named).map(serde_json::to_value).transpose()?;
        print_line(&LoaderLine::Load(Load {
            object: self.object.to_owned(),
            program: program.to_owned(),
            section: section.to_owned(),
            library: self.library,
            result,
            attach,
            notes,
            cost,
        }))
    }

    pub fn tell_whole(&self, verdict: ProgramVerdict) -> Result<()> {
        self.tell("", "", verdict)
    }

    pub fn end(&self) -> Result<()> {
        print_line(&LoaderLine::End {
            object: self.object.to_owned(),
        })
    }
}

/// Each line is out before what it tells of begins: that may be the end of the guest.
fn print_line(line: &LoaderLine) -> Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot print")?;
    io::stdout().flush().context("cannot print")
}
