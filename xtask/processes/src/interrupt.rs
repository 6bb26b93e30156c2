//! What Ctrl-C, SIGTERM and SIGHUP do.
//!
//! While a VM runs, it is told and decides: the first Ctrl-C goes to the lesson. At any other time
//! the signal does what it always does. Nothing has to be cleaned up then: a VM lives in memory and
//! inherited descriptors only.
//!
//! A file that would become longer than the limit for files is an error of the write, as on a full
//! disk: SIGXFSZ would end the tool without a word, and maybe a compiler, too.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{SigHandler, Signal, signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// The user ended the command by this signal; nothing is left to say.
#[derive(Debug)]
pub struct Interrupted(pub i32);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted by signal {}", self.0)
    }
}

impl std::error::Error for Interrupted {}

type Listener = Box<dyn Fn(i32) + Send>;

static LISTENERS: Mutex<BTreeMap<u64, Listener>> = Mutex::new(BTreeMap::new());

/// Signals arrive at the listener while this value lives.
pub struct Listening {
    key: u64,
}

/// Takes the signals over; called once, at the start of the program.
pub fn install_handlers() -> Result<()> {
    // SAFETY: no handler is set, so nothing can run at a bad moment.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }
        .context("cannot ignore the signal of the limit for files")?;
    let wanted = [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(wanted).context("cannot install signal handlers")?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().for_each(deliver))
        .context("cannot start the signal thread")?;
    Ok(())
}

/// Sends signals to `listener` from now on.
pub fn listen_to_signals(listener: impl Fn(i32) + Send + 'static) -> Listening {
    let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = listeners.last_key_value().map_or(0, |(last, _)| last + 1);
    listeners.insert(key, Box::new(listener));
    Listening { key }
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENERS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

/// Ends this process the way the signal would have ended it, so that a calling script sees why.
pub fn end_by_signal(signal: i32) -> ! {
    // It fails only for signals whose default is not to end the process; then an exit status says
    // the same.
    let _ = emulate_default_handler(signal);
    std::process::exit(128 + signal);
}

/// `nohup` and shells that start us in the background have some signals ignored, and mean it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}

fn deliver(signal: i32) {
    let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    if listeners.is_empty() {
        end_by_signal(signal);
    }
    listeners.values().for_each(|listener| listener(signal));
}
