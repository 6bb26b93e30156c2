//! What came instead of a name that is gone: a table that is kept by hand. A test holds each row to
//! what was captured.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::kind::Kind;

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Successor {
    pub kind: Kind,
    /// As `cargo xtask where` takes it: `struct.field`, `group:name`.
    pub old: String,
    pub new: String,
    /// Of what kind the new one is, if that differs.
    #[serde(default)]
    pub new_kind: Option<Kind>,
    /// The release of Linux from which on the old name is gone.
    pub since: String,
    /// A sentence, without a full stop at its end.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    successor: Vec<Successor>,
}

const TABLE: &str = include_str!("../data/successors.toml");

pub fn read_successors() -> Result<Vec<Successor>> {
    let table: Table = toml::from_str(TABLE).context("cannot read data/successors.toml")?;
    Ok(table.successor)
}
