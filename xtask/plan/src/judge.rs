//! What the judge says about an answer to an exercise: a line of JSON each.

use serde::{Deserialize, Serialize};

/// The checks of every program for the kernel, before an exercise's own: this one, [`can_load`],
/// and two more.
pub const FITS: &str = "its programs and maps fit the task";
pub const ACCEPTED: &str = "the verifier accepts it";
pub const ATTACHED: &str = "it can be attached";

/// The checks of every user-space program: two before an exercise's own, and one after them.
pub const STARTS: &str = "starts, and says that it is ready";
pub const LOADED: &str = "has loaded its eBPF program";
pub const LEAVES_NOTHING: &str = "ends with its input, and leaves nothing in the kernel";

/// Says that a library, aya or libbpf, gets as far as the verifier: it reads the object, finds what
/// it refers to, and makes its maps.
pub fn can_load(library: &str) -> String {
    format!("{library} can load it")
}

/// First the names of all checks, then what became of them, in their order, up to the first that
/// did not pass.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    Checks(Vec<String>),
    /// The kernel skipped a program during the check that runs now: it is done again.
    Again,
    Passed,
    /// With what was seen, and what should have been.
    Failed {
        why: String,
    },
    /// The verifier said no.
    Rejected {
        program: String,
        error: String,
        log: String,
        /// What the judge knows about the object, and the verifier does not.
        note: Option<String>,
    },
}
