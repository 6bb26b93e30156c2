//! How much the verifier writes to its log.
//!
//! A full log has each instruction of each path: of a program that is too large to be followed to
//! its end, a hundred megabytes, of which the end has the reason. A kernel before 6.4 keeps the
//! start of what does not fit, and the reason is lost. So the brief log is asked for first.

/// How the kernel says that a program is too large to be followed to its end.
const TOO_LARGE: &str = "BPF program is too large";

/// Whether a full log says more than this brief one.
pub fn is_full_log_useful(brief_log: &str) -> bool {
    !brief_log.contains(TOO_LARGE)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogDetail {
    /// Errors and statistics, but no instructions: short, whatever the program.
    Brief,
    /// What libbpf itself asks for when a program was rejected.
    Full,
}

impl LogDetail {
    /// `log_level` in `union bpf_attr`.
    pub fn log_level(self) -> u32 {
        match self {
            Self::Brief => 4,
            Self::Full => 1,
        }
    }
}

/// Loads for a brief log, and once more for the full one where the verifier said no and the full
/// log is of use. `log_of` gives the verifier's log of a refusal; without one the verifier was not
/// asked, and the refusal stays as it is.
///
/// # Errors
/// The refusal of the last load.
pub fn load_with_log<T, E>(
    mut load: impl FnMut(LogDetail) -> Result<T, E>,
    log_of: impl FnOnce(&E) -> Option<&str>,
) -> Result<T, E> {
    match load(LogDetail::Brief) {
        Err(refused) if log_of(&refused).is_some_and(is_full_log_useful) => load(LogDetail::Full),
        loaded => loaded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the verifier's log; empty where it was not asked.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Refusal(&'static str);

    fn log_of(refusal: &Refusal) -> Option<&str> {
        (!refusal.0.is_empty()).then_some(refusal.0)
    }

    /// Which logs are asked for, where each load ends like this.
    fn details(end: Result<(), Refusal>) -> Vec<LogDetail> {
        let mut details = Vec::new();
        let load = |detail| {
            details.push(detail);
            end
        };
        assert_eq!(load_with_log(load, log_of), end);
        details
    }

    #[test]
    fn the_full_log_is_asked_for_only_where_it_is_of_use() {
        use LogDetail::{Brief, Full};
        assert_eq!(details(Ok(())), [Brief]);
        assert_eq!(details(Err(Refusal(""))), [Brief]);
        assert_eq!(details(Err(Refusal("R1 type=scalar\n"))), [Brief, Full]);
        let too_large = "BPF program is too large. Processed 1000001 insn\n";
        assert_eq!(details(Err(Refusal(too_large))), [Brief]);
    }
}
