//! Who is told what became of a program.

use anyhow::Result;
use plan::load::LoadResult;

/// Receives the name of a program, its section, and what became of it.
pub type Tell<'a> = &'a mut dyn FnMut(&str, &str, LoadResult) -> Result<()>;
