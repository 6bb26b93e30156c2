//! Global variables that are set before an answer is loaded.

use anyhow::Result;

/// A global variable of 32 bits.
pub struct Global {
    pub name: &'static str,
    pub value: fn() -> Result<u32>,
}

/// The bytes of a [`Global`].
pub const GLOBAL_SIZE: usize = 4;
