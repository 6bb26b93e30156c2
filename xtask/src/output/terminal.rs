//! The user's terminal in another mode, for a while.

use anyhow::{Context as _, Result};
use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Dropping it makes the terminal on standard input what it was.
pub struct ChangedTerminal {
    before: Termios,
}

impl ChangedTerminal {
    /// Changes its settings.
    pub fn enter(change: impl FnOnce(&mut Termios)) -> Result<Self> {
        let before = tcgetattr(stdin()).context("cannot read the terminal's settings")?;
        let mut changed = before.clone();
        change(&mut changed);
        tcsetattr(stdin(), OptionalActions::Now, &changed)
            .context("cannot change the terminal's settings")?;
        Ok(Self { before })
    }
}

impl Drop for ChangedTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}
