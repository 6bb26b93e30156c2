//! Finds the logs in whatever text they were copied into.

pub mod heading;
pub mod line;
pub mod lines;
pub mod program_log;
pub mod read_steps;
pub mod scan;
pub mod text;
