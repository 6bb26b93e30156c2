//! What each command does. Each takes typed options and knows nothing of how they were typed.

pub mod bench;
pub mod book;
pub mod check;
pub mod class;
pub mod doctor;
pub mod explain;
pub mod gallery;
pub mod hint;
pub mod list;
pub mod new;
pub mod reset;
pub mod run;
pub mod setup;
pub mod shell;
pub mod solution;
pub mod test;
pub mod try_binary;
pub mod verify;
pub mod watch;
pub mod where_name;
