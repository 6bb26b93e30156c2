//! Verdicts as JSON; `verify --help` tells the fields.

use anyhow::Result;
use plan::load::{Accepted, AttachResult, EbpfLibrary, LoadResult, Missing};
use serde::Serialize;

use super::advice::Advice;
use super::input_object::InputObject;
use super::kernel_verdict::KernelVerdict;
use super::program_answer::ProgramAnswer;
use crate::output::plain_text::clean_json;
use crate::pipeline::forbidden::{ForbiddenCallJson, LineReport, SiteJson};

/// One line. Those of hundreds of objects together would take much memory: of each rejected
/// program it has the verifier's log.
pub fn format_line(verdict: &KernelVerdict, objects: &[InputObject]) -> Result<String> {
    let load = &verdict.load;
    let object = objects.iter().find(|object| object.path == load.object);
    let lines = object.map_or_else(LineReport::default, |object| object.report_lines(load));
    let json = serde_json::to_string(&VerdictJson::new(verdict, &lines))?;
    Ok(clean_json(&json).into_owned() + "\n")
}

#[derive(Serialize)]
struct VerdictJson<'a> {
    object: &'a str,
    program: &'a str,
    section: &'a str,
    loader: Option<EbpfLibrary>,
    kernel: &'a str,
    architecture: &'static str,
    release: &'a str,
    answer: ProgramAnswer,
    attach: Option<AttachJson<'a>>,
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<&'a serde_json::Value>,
    #[serde(flatten)]
    outcome: OutcomeJson<'a>,
}

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum OutcomeJson<'a> {
    Accepted {
        instructions: Option<u32>,
        machine_code_bytes: Option<u32>,
        processed: Option<u32>,
    },
    Rejected {
        error: &'a str,
        reason: String,
        class: Option<&'static str>,
        site: Option<SiteJson>,
        forbidden_calls: Vec<ForbiddenCallJson>,
        log: &'a str,
    },
    Failed {
        error: &'a str,
        missing: Option<MissingJson<'a>>,
        forbidden_calls: Vec<ForbiddenCallJson>,
    },
}

#[derive(Serialize)]
struct AttachJson<'a> {
    result: &'static str,
    error: Option<&'a str>,
    missing: Option<MissingJson<'a>>,
}

#[derive(Serialize)]
struct MissingJson<'a> {
    #[serde(flatten)]
    what: &'a Missing,
    #[serde(flatten)]
    advice: Advice,
}

impl<'a> VerdictJson<'a> {
    fn new(verdict: &'a KernelVerdict, lines: &LineReport) -> Self {
        let load = &verdict.load;
        Self {
            object: &load.object,
            program: &load.program,
            section: &load.section,
            loader: load.library,
            kernel: &verdict.kernel.series,
            architecture: verdict.kernel.architecture.name(),
            release: &verdict.release,
            answer: verdict.answer(),
            attach: load
                .attach
                .as_ref()
                .map(|attach| AttachJson::new(attach, verdict)),
            notes: &load.notes,
            cost: load.cost.as_ref(),
            outcome: OutcomeJson::new(verdict, lines),
        }
    }
}

impl<'a> OutcomeJson<'a> {
    fn new(verdict: &'a KernelVerdict, lines: &LineReport) -> Self {
        match &verdict.load.result {
            LoadResult::Accepted(accepted) => Self::accepted(accepted),
            LoadResult::Rejected { error, log } => Self::Rejected {
                error,
                reason: verdict.reason(),
                class: verdict.class().map(|class| class.slug()),
                site: lines.site_as_json(),
                forbidden_calls: lines.as_json(),
                log,
            },
            LoadResult::Failed { why, missing } => Self::Failed {
                error: why,
                missing: missing.as_ref().map(|it| MissingJson::new(it, verdict)),
                forbidden_calls: lines.as_json(),
            },
        }
    }

    fn accepted(accepted: &Accepted) -> Self {
        Self::Accepted {
            instructions: accepted.instructions,
            machine_code_bytes: accepted.machine_code,
            processed: accepted.processed,
        }
    }
}

impl<'a> AttachJson<'a> {
    fn new(attach: &'a AttachResult, verdict: &KernelVerdict) -> Self {
        let (result, error, missing) = match attach {
            AttachResult::Attached => ("attached", None, None),
            AttachResult::RunsOnDemand => ("runs-on-demand", None, None),
            AttachResult::Refused { missing, error } => {
                ("refused", Some(error.as_str()), missing.as_ref())
            }
            AttachResult::NeedsTarget { what } => ("needs-target", Some(what.as_str()), None),
            AttachResult::NotTried { why } => ("not-tried", Some(why.as_str()), None),
        };
        Self {
            result,
            error,
            missing: missing.map(|missing| MissingJson::new(missing, verdict)),
        }
    }
}

impl<'a> MissingJson<'a> {
    fn new(what: &'a Missing, verdict: &KernelVerdict) -> Self {
        let advice = verdict.advice.clone().unwrap_or_default();
        Self { what, advice }
    }
}
