//! One attempt to load a program, whichever library made it.

use std::io;

use nix::errno::Errno;
use plan::load::LoadResult;
use plan::log::shorten_log;
use verifier_output::is_full_log_useful;

use crate::log::has_error;
use crate::missing::{describe_missing, find_missing};
use crate::program_kind::ProgramKind;

/// The kernel did not take it.
#[derive(Debug)]
pub struct Refusal {
    pub error: io::Error,
    /// The verifier's; empty where it was not asked.
    pub log: String,
    /// The limit of time was over.
    pub late: bool,
}

impl Refusal {
    /// The verifier said why. Where it was not asked, or had nothing against the program, its log
    /// has statistics at most.
    pub fn is_rejection(&self) -> bool {
        !self.is_late() && has_error(&self.log)
    }

    /// Whether another load, for the full log, would tell more.
    pub fn is_worth_a_full_log(&self) -> bool {
        self.is_rejection() && is_full_log_useful(&self.log)
    }

    /// It was interrupted. A program that was refused for its own sake before that stays refused.
    pub fn is_late(&self) -> bool {
        self.late && self.error.kind() == io::ErrorKind::WouldBlock
    }

    /// The verifier met what libbpf puts in place of an instruction that it could not relocate.
    /// Where libbpf loads the program, it tells in the log what that was.
    pub fn has_poison(&self) -> bool {
        const POISON: [&str; 3] = ["195896080", "200100", "200200"];
        POISON
            .iter()
            .any(|number| self.log.contains(&format!("invalid func unknown#{number}")))
    }

    /// Kernels before 6.4 keep the start of a log that does not fit, and the error is lost.
    pub fn is_cut(&self) -> bool {
        self.error.kind() == io::ErrorKind::StorageFull
    }

    pub fn into_result(self, seconds: Option<u64>, kind: &ProgramKind) -> LoadResult {
        if let (true, Some(seconds)) = (self.is_late(), seconds) {
            return LoadResult::failed(format!(
                "the verifier took more than {seconds} s, and was ended (--seconds allows more)"
            ));
        }
        if self.is_rejection() {
            return LoadResult::Rejected {
                error: self.error.to_string(),
                log: shorten_log(&self.log),
            };
        }
        self.into_failure(kind)
    }

    /// There is an error number and no more: what the kernel lacks is often the reason.
    fn into_failure(self, kind: &ProgramKind) -> LoadResult {
        let error = self.error;
        let missing = match error.raw_os_error() {
            Some(number) if number == Errno::EINVAL as i32 => find_missing(kind),
            _ => None,
        };
        let why = match &missing {
            Some(missing) => describe_missing(missing),
            None => format!("the kernel refused to load it, and gave no reason: {error}"),
        };
        LoadResult::Failed { why, missing }
    }
}
