//! The user's terminal: its size, and another mode for a while.

use std::io::stdin;
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result};
use nix::ioctl_read_bad;
use nix::libc::TIOCGWINSZ;
use nix::pty::Winsize;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use plan::Size;

/// Dropping it makes the terminal on standard input what it was.
pub struct ChangedTerminal {
    before: Termios,
    changed: Termios,
}

impl ChangedTerminal {
    /// Changes its settings.
    pub fn enter(change: impl FnOnce(&mut Termios)) -> Result<Self> {
        let before = tcgetattr(stdin()).context("cannot read the terminal's settings")?;
        let mut changed = before.clone();
        change(&mut changed);
        tcsetattr(stdin(), SetArg::TCSANOW, &changed)
            .context("cannot change the terminal's settings")?;
        Ok(Self { before, changed })
    }

    /// Makes it what it was, for another program, until `take_terminal_back`.
    pub fn lend_terminal(&self) -> Result<()> {
        tcsetattr(stdin(), SetArg::TCSADRAIN, &self.before)
            .context("cannot change the terminal's settings back")
    }

    pub fn take_terminal_back(&self) -> Result<()> {
        tcsetattr(stdin(), SetArg::TCSADRAIN, &self.changed)
            .context("cannot change the terminal's settings")
    }
}

/// Whether the terminal on standard input collects lines. Editors, and others that draw on it,
/// want each key.
pub fn is_line_by_line() -> Result<bool> {
    let settings = tcgetattr(stdin()).context("cannot read the terminal's settings")?;
    Ok(settings.local_flags.contains(LocalFlags::ICANON))
}

impl Drop for ChangedTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, &self.before);
    }
}

// nix has no function of its own for this.
ioctl_read_bad!(ask_window_size, TIOCGWINSZ, Winsize);

/// The size of the terminal on standard input. One that does not know it says 0.
pub fn read_terminal_size() -> Result<Size> {
    let mut size = Winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the call writes a `Winsize`, which lives as long as the call.
    unsafe { ask_window_size(stdin().as_raw_fd(), &raw mut size) }
        .context("cannot read the terminal's size")?;
    Ok(Size {
        rows: size.ws_row,
        columns: size.ws_col,
    })
}
