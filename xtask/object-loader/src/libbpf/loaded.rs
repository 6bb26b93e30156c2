//! A program that is in the kernel.

use std::os::fd::OwnedFd;

use crate::program_kind::ProgramKind;

/// A program that the kernel took.
pub struct Loaded {
    pub descriptor: OwnedFd,
    pub log: String,
    pub kind: ProgramKind,
}
