//! A machine on which `cargo xtask setup` has work to do: a small checkout with its own cache, and
//! a Debian mirror on this machine, signed with a key that counts nowhere else.
//!
//! ```text
//!   Machine   the checkout, and what is mounted over this machine's files for its set-ups only
//!   Mirror    the packages of the VM's tools, and the list of them with its signature
//!   Server    sends the mirror's files, or something else
//! ```

mod machine;
mod mirror;
mod server;

pub use machine::Machine;
pub use mirror::Mirror;
pub use server::{Fault, SLOW_SECONDS, Server};
