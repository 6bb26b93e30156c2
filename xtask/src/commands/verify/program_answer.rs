//! The answer to "does this program work on this kernel?"

use plan::load::{AttachResult, Load, LoadResult, Missing, MissingKind};
use serde::Serialize;

use crate::output::screen::Mark;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramAnswer {
    /// It was loaded and attached.
    Works,
    /// It was loaded, and nobody wanted more.
    Accepted,
    /// It was loaded, and whether it can be attached is not known.
    NotKnown,
    /// What it attaches to is not there. It was loaded, unless the kernel wants to know that place
    /// before.
    CannotAttach,
    /// The verifier said no.
    Rejected,
    /// It did not get as far as the verifier.
    Failed,
}

impl ProgramAnswer {
    pub fn of_load(load: &Load) -> Self {
        if find_missing(load).is_some_and(|missing| missing.kind == MissingKind::Module) {
            // The kernel may have it elsewhere.
            return Self::NotKnown;
        }
        match (&load.result, &load.attach) {
            (_, Some(AttachResult::NeedsTarget { .. } | AttachResult::NotTried { .. })) => {
                Self::NotKnown
            }
            (LoadResult::Rejected { .. }, _) => Self::Rejected,
            (LoadResult::Failed { .. }, _) if lacks_hook(load) => Self::CannotAttach,
            (LoadResult::Failed { .. }, _) => Self::Failed,
            (LoadResult::Accepted(_), None) => Self::Accepted,
            (
                LoadResult::Accepted(_),
                Some(AttachResult::Attached | AttachResult::RunsOnDemand),
            ) => Self::Works,
            (LoadResult::Accepted(_), Some(AttachResult::Refused { .. })) => Self::CannotAttach,
        }
    }

    pub fn is_good(self) -> bool {
        self <= Self::Accepted
    }

    /// Its first word in a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Accepted => "accepted",
            Self::NotKnown | Self::CannotAttach => "loads",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }

    pub fn mark(self) -> Mark {
        match self {
            Self::Works | Self::Accepted => Mark::Good,
            Self::NotKnown => Mark::Note,
            Self::CannotAttach | Self::Rejected | Self::Failed => Mark::Bad,
        }
    }

    /// Its name in reports that programs read.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Accepted => "accepted",
            Self::NotKnown => "not-known",
            Self::CannotAttach => "cannot-attach",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// It failed because what it attaches to is missing: fentry and its kin, BTF tracepoints and LSM
/// hooks are checked against that when they are loaded.
pub fn lacks_hook(load: &Load) -> bool {
    let is_hook = |missing: &Missing| {
        matches!(
            missing.kind,
            MissingKind::Function
                | MissingKind::TraceableFunction
                | MissingKind::RawTracepoint
                | MissingKind::LsmHook
        )
    };
    match &load.result {
        LoadResult::Failed { missing, .. } => missing.as_ref().is_some_and(is_hook),
        _ => false,
    }
}

/// What the kernel lacks, where that is the cause.
pub fn find_missing(load: &Load) -> Option<&Missing> {
    match (&load.result, &load.attach) {
        (LoadResult::Failed { missing, .. }, _)
        | (_, Some(AttachResult::Refused { missing, .. })) => missing.as_ref(),
        _ => None,
    }
}
