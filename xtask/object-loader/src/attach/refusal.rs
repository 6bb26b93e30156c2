//! Ways in which a program is not attached.

use std::ffi::CString;
use std::fmt;

use plan::load::{AttachResult, Missing, MissingKind};

/// `what` says what was tried: "cannot create the link".
pub fn refuse(missing: Option<Missing>, what: &str, error: impl fmt::Display) -> AttachResult {
    AttachResult::Refused {
        missing,
        error: format!("{what}: {error}"),
    }
}

pub fn missing(kind: MissingKind, name: impl Into<String>) -> Missing {
    Missing {
        kind,
        name: name.into(),
    }
}

pub fn need_target(what: impl Into<String>) -> AttachResult {
    AttachResult::NeedsTarget { what: what.into() }
}

pub fn not_tried(why: impl Into<String>) -> AttachResult {
    AttachResult::NotTried { why: why.into() }
}

/// A part of the kernel that this guest came without: another guest of the same kernel may have it.
pub fn lack_module(name: &str) -> AttachResult {
    not_tried(format!(
        "this needs the kernel's module {name}, which is not here"
    ))
}

/// For the kernel, whose texts end with a zero.
pub fn text(text: &str) -> Result<CString, AttachResult> {
    CString::new(text).map_err(|error| refuse(None, "this is no name", error))
}
