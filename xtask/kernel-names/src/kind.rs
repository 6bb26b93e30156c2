//! What a name can be the name of.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Function,
    /// A struct or a union.
    Struct,
    /// `group:name`, with a record.
    Tracepoint,
    /// By its name alone; a program gets its arguments.
    RawTracepoint,
    /// Of LSMs.
    Hook,
    Helper,
    Kfunc,
    ProgramType,
    MapType,
    AttachType,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::Function,
        Self::Struct,
        Self::Tracepoint,
        Self::RawTracepoint,
        Self::Hook,
        Self::Helper,
        Self::Kfunc,
        Self::ProgramType,
        Self::MapType,
        Self::AttachType,
    ];

    /// As `--json` has it, and the captured lines.
    pub fn kind_word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Struct => "struct",
            Self::Tracepoint => "tracepoint",
            Self::RawTracepoint => "raw-tracepoint",
            Self::Hook => "hook",
            Self::Helper => "helper",
            Self::Kfunc => "kfunc",
            Self::ProgramType => "program-type",
            Self::MapType => "map-type",
            Self::AttachType => "attach-type",
        }
    }
}
