//! The user's terminal, tied to a program in a guest.

use std::io::{self, IsTerminal, Read};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::termios::cfmakeraw;
use signal_hook::consts::SIGWINCH;
use signal_hook::iterator::Signals;
use testvm::Keyboard;

use crate::output::terminal::{ChangedTerminal, read_terminal_size};

/// Ctrl-], as telnet has it: no program in the guest wants it.
const LEAVE: u8 = 0x1d;

/// Whether there is a terminal to be tied.
pub fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Every key is the program's from now on, until what is returned is dropped.
pub fn tie_terminal(keyboard: &Keyboard) -> Result<ChangedTerminal> {
    let raw = ChangedTerminal::enter(cfmakeraw)?;
    watch_keys(keyboard.clone())?;
    watch_size(keyboard.clone())?;
    Ok(raw)
}

fn watch_keys(keyboard: Keyboard) -> Result<()> {
    let work = move || {
        let mut buffer = [0; 1024];
        while let Ok(length @ 1..) = io::stdin().lock().read(&mut buffer) {
            if buffer[..length].contains(&LEAVE) {
                return keyboard.end_guest();
            }
            if !keyboard.send_keys(buffer[..length].to_vec()) {
                return;
            }
        }
        keyboard.end_guest();
    };
    thread::Builder::new()
        .name("keys".to_owned())
        .spawn(work)
        .context("cannot read keys")?;
    Ok(())
}

fn watch_size(keyboard: Keyboard) -> Result<()> {
    let mut signals = Signals::new([SIGWINCH]).context("cannot watch the terminal's size")?;
    let work = move || {
        for _ in signals.forever() {
            // A terminal that is gone has no size.
            if read_terminal_size().is_ok_and(|size| !keyboard.send_size(size)) {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("size".to_owned())
        .spawn(work)
        .context("cannot watch the terminal's size")?;
    Ok(())
}
