//! What a run watches with, as far as this machine can.

use anyhow::Error;
use common::btf::Kernel;
use common::{Implementation, NotReady, machine};

use crate::format::Format;
use crate::offsets::{Payload, Structs};
use crate::way::{Choice, EVENT, Way};

/// Holds some 800 executions, in bytes.
pub const USUAL_BUFFER: u32 = 256 * 1024;

#[derive(Debug)]
pub struct Settings {
    pub ways: Vec<Way>,
    /// In bytes.
    pub buffer: u32,
    pub payload: Option<Payload>,
    pub structs: Option<Structs>,
    /// Ways that were wanted, and what this machine lacks for them.
    pub left_out: Vec<(Way, NotReady)>,
}

impl Settings {
    /// One way that cannot be gone is an error; of all three, those that can be are.
    pub fn find(
        choice: Choice,
        implementation: Implementation,
        buffer: u32,
    ) -> Result<Self, NotReady> {
        let mut settings = Self {
            ways: Vec::new(),
            buffer,
            payload: None,
            structs: None,
            left_out: Vec::new(),
        };
        for way in choice.ways() {
            match settings.add(way, implementation) {
                Ok(()) => settings.ways.push(way),
                Err(problem) => settings.left_out.push((way, problem)),
            }
        }
        if settings.ways.is_empty()
            && let Some((way, problem)) = settings.left_out.pop()
        {
            return Err(advice(way, problem));
        }
        Ok(settings)
    }

    /// What to say when the kernel does not take the maps and programs.
    pub fn not_loaded(&self, error: Error) -> Error {
        let Self { buffer, .. } = self;
        let problem = NotReady::new(format!(
            "load the programs, with a ring buffer of {buffer} bytes"
        ));
        match *buffer > USUAL_BUFFER {
            true => {
                error.context(problem.help(format!("--buffer {USUAL_BUFFER} is the usual size")))
            }
            false => error.context("load the programs"),
        }
    }

    fn add(&mut self, way: Way, implementation: Implementation) -> Result<(), NotReady> {
        if way == Way::Tracepoint {
            self.payload = Some(Payload::find(&Format::read(EVENT)?)?);
        }
        // One C program that needs CO-RE is enough for libbpf to want BTF for the whole object.
        let co_re = implementation == Implementation::Libbpf;
        if self.structs.is_none() && (way != Way::Tracepoint || co_re) {
            self.structs = Some(Structs::find(&Kernel::open()?)?);
        }
        Ok(())
    }
}

fn advice(way: Way, problem: NotReady) -> NotReady {
    if way == Way::Tracepoint && machine::tracefs().is_err() {
        return problem.help("--way btf needs no tracefs");
    }
    if !machine::has_btf() {
        return problem.help("--impl aya --way tracepoint needs no BTF");
    }
    problem
}
