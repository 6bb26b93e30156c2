//! What libbpf would print to standard error. It says more than the error number that comes with
//! it.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use libbpf_rs::{PrintLevel, set_print};

/// What libbpf said since the last look. Its own print function gets no context.
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes what libbpf says, at this level and above, in place of its print to standard error.
pub fn keep_messages(level: PrintLevel) {
    set_print(Some((level, |_, message| lock_messages().push(message))));
}

/// Forgets what libbpf said.
pub fn clear_messages() {
    lock_messages().clear();
}

/// What libbpf said since the last look, without the ends of the lines.
pub fn take_messages() -> Vec<String> {
    let mut messages = mem::take(&mut *lock_messages());
    for message in &mut messages {
        message.truncate(message.trim_end().len());
    }
    messages
}

fn lock_messages() -> MutexGuard<'static, Vec<String>> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner)
}
