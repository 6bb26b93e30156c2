//! What became of one program on one kernel.

use bpf_verifier_log::Class;
use plan::load::{Accepted, AttachResult, Load, LoadResult, Missing, MissingKind};

use super::advice::Advice;
use super::kernel_name::KernelName;
use super::program_answer::{ProgramAnswer, find_missing, lacks_hook};

/// One program on one kernel; or a whole object, where it did not get as far as its programs.
#[derive(Clone, Debug)]
pub struct KernelVerdict {
    pub kernel: KernelName,
    pub release: String,
    /// Its object is named as the user did.
    pub load: Load,
    /// About what the kernel lacks, if it lacks something.
    pub advice: Option<Advice>,
}

impl KernelVerdict {
    pub fn answer(&self) -> ProgramAnswer {
        ProgramAnswer::of_load(&self.load)
    }

    /// The answer's word, before its reason.
    pub fn word(&self) -> &'static str {
        match self.answer() {
            ProgramAnswer::CannotAttach if lacks_hook(&self.load) => "no hook",
            answer => answer.word(),
        }
    }

    /// What is to be said beyond the answer's word.
    pub fn reason(&self) -> String {
        let reason = self.short_reason();
        match &self.advice {
            Some(advice) => format!("{reason}\n{advice}"),
            None => reason,
        }
    }

    /// In a line, as far as that is possible.
    pub fn short_reason(&self) -> String {
        match (&self.load.result, &self.load.attach) {
            (_, Some(AttachResult::NeedsTarget { what })) => {
                format!("needs a target to attach: {what}")
            }
            (_, Some(AttachResult::NotTried { why })) => format!("was not attached: {why}"),
            (LoadResult::Rejected { error, log }, _) => find_reason(error, log).0,
            (LoadResult::Failed { missing, .. }, _) if lacks_hook(&self.load) => {
                let why = missing.as_ref().map_or_else(String::new, describe_missing);
                format!("cannot be attached, and not be loaded without that: {why}")
            }
            (LoadResult::Failed { why, .. }, _) => why.clone(),
            (LoadResult::Accepted(_), Some(AttachResult::Refused { missing, error })) => {
                let why = missing
                    .as_ref()
                    .map_or_else(|| error.clone(), describe_missing);
                format!("cannot be attached: {why}")
            }
            (LoadResult::Accepted(accepted), _) => sizes(accepted),
        }
    }

    /// What the kernel lacks, where that is the cause.
    pub fn missing(&self) -> Option<&Missing> {
        find_missing(&self.load)
    }

    /// Whether what is missing may be in one of the kernel's modules.
    pub fn may_be_in_module(&self) -> bool {
        let is_of_code = self.missing().is_some_and(|missing| {
            matches!(
                missing.kind,
                MissingKind::Function | MissingKind::Tracepoint | MissingKind::RawTracepoint
            )
        });
        let is_built_in = self.advice.as_ref().is_some_and(Advice::is_known);
        is_of_code && !is_built_in
    }

    /// The class of the verifier's error, if there is one.
    pub fn class(&self) -> Option<Class> {
        match &self.load.result {
            LoadResult::Rejected { error, log } => find_reason(error, log).1,
            _ => None,
        }
    }
}

/// The decisive line of the log, and the class of error that it tells of.
pub fn find_reason(error: &str, log: &str) -> (String, Option<Class>) {
    let report = bpf_verifier_log::explain_log(log.as_bytes());
    let program = report.programs.first();
    let text = program
        .and_then(|program| program.message())
        .map(|text| text.replace('\n', "; "));
    (
        text.unwrap_or_else(|| error.to_owned()),
        program.and_then(|program| program.class),
    )
}

fn describe_missing(missing: &Missing) -> String {
    let name = &missing.name;
    match missing.kind {
        MissingKind::Function => format!("there is no function {name}"),
        MissingKind::TraceableFunction => format!("the function {name} cannot be traced"),
        MissingKind::Tracepoint => format!("there is no tracepoint {name}"),
        MissingKind::RawTracepoint => format!("there is no raw tracepoint {name}"),
        MissingKind::LsmHook => format!("there is no LSM hook {name}"),
        MissingKind::StructOps => format!("there is no struct_ops {name}"),
        MissingKind::Module => {
            format!("the module {name} is not loaded: --module {name} loads it, if it is there")
        }
        MissingKind::Trampoline => {
            format!("this kernel has no BPF trampolines for its architecture: {name} needs one")
        }
        MissingKind::ProgramType
        | MissingKind::AttachType
        | MissingKind::ProgramFlag
        | MissingKind::MapType => format!("this kernel does not know {name}"),
    }
}

fn sizes(accepted: &Accepted) -> String {
    let known = [
        accepted
            .instructions
            .map(|number| format!("{number} instructions")),
        accepted
            .machine_code
            .map(|number| format!("{number} bytes of machine code")),
        accepted
            .processed
            .map(|number| format!("{number} followed by the verifier")),
    ];
    known.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
