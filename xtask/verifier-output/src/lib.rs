//! What libbpf, aya and the verifier say about the programs that they load. The judge and the
//! object loader take it from here.
//!
//! ```text
//!   detail           how much the verifier writes to its log
//!   log_buffer       where libbpf puts a program's log
//!   libbpf_messages  what libbpf would print to standard error
//!   error_chain      an error of aya's with its causes
//! ```

mod detail;
mod error_chain;
mod libbpf_messages;
mod log_buffer;

pub use detail::{LogDetail, is_full_log_useful, load_with_log};
pub use error_chain::describe_error;
pub use libbpf_messages::{clear_messages, keep_messages, take_messages};
pub use log_buffer::LogBuffer;
