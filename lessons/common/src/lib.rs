//! What the lessons share and none of them teaches.
//!
//! ```text
//!   problem         how a lesson fails: what is missing, what to type, the exit code
//!   machine         what a lesson needs of this machine, asked before the kernel says only EPERM
//!   implementation  aya or libbpf: the value of --impl
//!   stop            Ctrl-C ends a lesson's loop, not the lesson: it detaches and sums up
//!   btf             where a field lies in a struct of the running kernel
//!   text            bytes and numbers of the kernel, fit for a terminal
//!   screen          standard output
//! ```

mod implementation;
mod problem;
mod screen;
mod stop;

pub mod btf;
pub mod machine;
pub mod text;

pub use implementation::Implementation;
pub use problem::{NotReady, exit_code};
pub use screen::say;
pub use stop::Stop;
