//! `cargo xtask`: sets up the machine and runs the lessons on real kernels.
//!
//! ```text
//!   cli/        the grammar of the command line: options as they are typed, no logic
//!   commands/   what each command does, with typed options
//!   pipeline/   what several commands do
//!   output/     what people see
//! ```
//!
//! Each imports only what is below it. What knows nothing of commands is in separate crates,
//! beside this one: `course`, `testvm`, `requirements`, `checkout`, `kernel`, `plan`, `processes`,
//! `problem`, `kernel-names`, `bpf-verifier-log`, `forbidden-calls`.

pub mod cli;
pub mod commands;
pub mod output;
pub mod pipeline;
