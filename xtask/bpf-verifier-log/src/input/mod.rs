//! Finds the logs in whatever text they were copied into.

pub mod blank_lines;
pub mod btf_log;
pub mod encoding;
pub mod heading;
pub mod joined_error;
pub mod line;
pub mod line_parts;
pub mod lines;
pub mod loader;
pub mod missing_part;
pub mod payload;
pub mod program_log;
pub mod read_steps;
pub mod scan;
pub mod step_lines;
pub mod text;
