//! `cargo xtask`: sets up the machine and runs the lessons on real kernels.
//!
//! ```text
//!   cli         the grammar of the command line; each command has a module of its own name
//!   catalog     which lessons there are, and what they need
//!   selection   which kernels a command is for
//!   setup       what is missing on this machine, and how it gets here
//!   build       cargo, for the lessons and the guest's init
//!   environment what of the user's environment and configuration reaches that cargo
//!   own_build   goes on as this checkout's own xtask if another checkout's was started
//!   demo        a lesson's demo as a plan
//!   image       what goes into a guest
//!   vm          a kernel in QEMU that runs plans
//!   host        lessons without a VM
//!   exercises/  what learners solve: building, judging, progress; the commands check, hint, solution
//!   entry       what is in the gallery of verifier errors
//!   loader      object files for a guest, and what the verifier made of them
//!   parallel    the same on several kernels
//!   explain     a verifier log as an explanation; the reading is done by the crate verifier-log
//!   rejection   the answer that the verifier rejected at the last check
//!   forbidden   lines that can panic, and their like; the reading is done by the crate forbidden-calls
//!   bench       what programs cost
//!   book        the book, by a program of its own (xtask/book)
//!   row, stage  what several kernels give, as one tidy output
//!   screen      what people see
//! ```

pub mod bench;
pub mod book;
pub mod build;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod demo;
pub mod digest;
pub mod doctor;
pub mod entry;
pub mod environment;
pub mod exercises;
pub mod explain;
pub mod forbidden;
pub mod foreground;
pub mod gallery;
pub mod hint;
pub mod host;
pub mod image;
pub mod interrupt;
pub mod kernel;
pub mod list;
pub mod loader;
pub mod own_build;
pub mod parallel;
pub mod problem;
pub mod rejection;
pub mod row;
pub mod run;
pub mod scaffold;
pub mod screen;
pub mod selection;
pub mod setup;
pub mod shell;
pub mod solution;
pub mod stage;
pub mod test;
pub mod verify;
pub mod vm;
pub mod watch;
pub mod workspace;
