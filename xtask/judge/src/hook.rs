//! Where programs are attached.

use anyhow::{Context as _, Result, bail};
use aya::programs::{Program, ProgramError};
use aya::{Btf, BtfError};

/// A place in the kernel, named as the kernel names it.
#[derive(Clone, Copy, Debug)]
pub enum Hook {
    /// A kprobe on the first of these functions that the kernel has: some were renamed.
    KProbe(&'static [&'static str]),
    /// The same, when the function returns.
    KRetProbe(&'static [&'static str]),
    /// Category and name.
    Tracepoint(&'static str, &'static str),
    RawTracepoint(&'static str),
    BtfTracepoint(&'static str),
    FEntry(&'static str),
    FExit(&'static str),
    Lsm(&'static str),
    /// It is loaded; the checks run it on frames of their own.
    Xdp,
    /// The same, for tc.
    Classifier,
    /// The same, for a filter on a socket.
    SocketFilter,
}

impl Hook {
    /// Whether the kernel's types say what the program gets.
    pub fn has_types(self) -> bool {
        matches!(self, Self::BtfTracepoint(_) | Self::FEntry(_) | Self::FExit(_) | Self::Lsm(_))
    }

    /// Gives the program to the verifier.
    pub fn load(self, program: &mut Program, btf: Option<&Btf>) -> Result<(), ProgramError> {
        let btf = || btf.ok_or(ProgramError::Btf(BtfError::InvalidHeader));
        match (self, program) {
            (Self::KProbe(_) | Self::KRetProbe(_), Program::KProbe(program)) => program.load(),
            (Self::Tracepoint(..), Program::TracePoint(program)) => program.load(),
            (Self::RawTracepoint(_), Program::RawTracePoint(program)) => program.load(),
            (Self::BtfTracepoint(name), Program::BtfTracePoint(program)) => program.load(name, btf()?),
            (Self::FEntry(name), Program::FEntry(program)) => program.load(name, btf()?),
            (Self::FExit(name), Program::FExit(program)) => program.load(name, btf()?),
            (Self::Lsm(name), Program::Lsm(program)) => program.load(name, btf()?),
            (Self::Xdp, Program::Xdp(program)) => program.load(),
            (Self::Classifier, Program::SchedClassifier(program)) => program.load(),
            (Self::SocketFilter, Program::SocketFilter(program)) => program.load(),
            _ => Err(ProgramError::UnexpectedProgramType),
        }
    }

    pub fn attach(self, program: &mut Program) -> Result<()> {
        match (self, program) {
            (Self::KProbe(names) | Self::KRetProbe(names), Program::KProbe(program)) => {
                for name in names {
                    if program.attach(name, 0).is_ok() {
                        return Ok(());
                    }
                }
                bail!("attach to {}: this kernel has none of them, or refuses", names.join(" or "))
            }
            (Self::Tracepoint(category, name), Program::TracePoint(program)) => {
                program.attach(category, name).with_context(|| format!("attach to {category}/{name}"))?;
                Ok(())
            }
            (Self::RawTracepoint(name), Program::RawTracePoint(program)) => {
                program.attach(name).with_context(|| format!("attach to {name}"))?;
                Ok(())
            }
            (_, Program::BtfTracePoint(program)) => program.attach().map(|_| ()).context("attach"),
            (_, Program::FEntry(program)) => program.attach().map(|_| ()).context("attach"),
            (_, Program::FExit(program)) => program.attach().map(|_| ()).context("attach"),
            (_, Program::Lsm(program)) => program.attach().map(|_| ()).context("attach"),
            // The checks run these themselves.
            _ => Ok(()),
        }
    }

    /// As a learner knows it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::KProbe(_) => "kprobe",
            Self::KRetProbe(_) => "kretprobe",
            Self::Tracepoint(..) => "tracepoint",
            Self::RawTracepoint(_) => "raw tracepoint",
            Self::BtfTracepoint(_) => "BTF tracepoint",
            Self::FEntry(_) => "fentry",
            Self::FExit(_) => "fexit",
            Self::Lsm(_) => "LSM",
            Self::Xdp => "XDP",
            Self::Classifier => "tc",
            Self::SocketFilter => "socket filter",
        }
    }
}
