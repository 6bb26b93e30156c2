//! `cargo xtask`: sets up the machine, runs the lessons on real kernels, judges the exercises.
//!
//! ```text
//!   cli       the grammar of the command line
//!   catalog   which lessons there are, and what they need
//!   setup     what is missing on this machine, and how it gets here
//!   build     cargo, for the lessons and the guest's init
//!   image     the guest's initial file system
//!   vm        a kernel in QEMU that runs plans
//!   screen    what people see
//! ```

pub mod bench;
pub mod build;
pub mod catalog;
pub mod cli;
pub mod demo;
pub mod doctor;
pub mod foreground;
pub mod host;
pub mod image;
pub mod interrupt;
pub mod kernel;
pub mod list;
pub mod problem;
pub mod row;
pub mod run;
pub mod screen;
pub mod selection;
pub mod setup;
pub mod shell;
pub mod stage;
pub mod test;
pub mod vm;
pub mod workspace;
