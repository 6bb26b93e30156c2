//! The checkout that the tool works on: its directories, its toolchain, and the cargo that builds
//! in it.
//!
//! ```text
//!   workspace     where the checkout is, what is built in it, and what is fetched for it
//!   toolchain     the Rust toolchain that builds it
//!   environment   what of the user's environment and configuration reaches that cargo
//! ```

pub mod environment;
pub mod toolchain;
pub mod workspace;
