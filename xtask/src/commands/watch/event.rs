//! What `watch` waits for.

use std::process::ExitStatus;

pub enum WatchEvent {
    Changed,
    Key(u8),
    Signal(i32),
    /// After Ctrl-Z and `fg`.
    Continued,
    /// The files cannot be watched any more, and why.
    Blind(String),
    EditorEnded {
        /// Which of those that were started.
        number: usize,
        status: ExitStatus,
    },
}
