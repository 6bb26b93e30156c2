//! libbpf's own words.

use plan::load::Missing;
use verifier_output::take_messages;

use crate::missing::missing_by_name;
use crate::program_kind::ProgramKind;

/// What libbpf said since it was last asked, as one text, without what tells a user nothing: each
/// map is tried twice, and the object has no name.
pub fn libbpf_said() -> Option<String> {
    const NOISE: [&str; 2] = ["Retrying without BTF", "failed to load object"];
    let mut said = take_messages();
    said.retain(|message| !NOISE.iter().any(|noise| message.contains(noise)));
    (!said.is_empty()).then(|| said.join("\n"))
}

/// What libbpf did not find for a program of this kind to attach to.
pub fn missing_target(said: &str, kind: &ProgramKind) -> Option<Missing> {
    let (_, rest) = said.split_once("failed to find kernel BTF type ID of '")?;
    missing_by_name(kind.expected_attach_type, rest.split_once('\'')?.0)
}
