//! Keys arrive one by one, without Enter, and are not shown. Ctrl-C stays what it is.
//!
//! A thread reads each key, but only when it is asked to. At any other time nobody reads the
//! terminal, and an editor can have it.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyhow::{Context as _, Result};
use nix::sys::termios::LocalFlags;
use nix::unistd::read;
use signal_hook::consts::SIGCONT;
use signal_hook::iterator::Signals;

use crate::commands::watch::event::WatchEvent;
use crate::output::terminal::ChangedTerminal;

/// Without a terminal there are no keys, and a standard input that has ended is no reason to end.
#[derive(Default)]
pub struct Keys {
    reader: Option<KeyReader>,
}

struct KeyReader {
    terminal: ChangedTerminal,
    wanted: Sender<()>,
    /// From the question for a key to its receipt: the thread may be reading.
    is_reading: bool,
}

impl Keys {
    pub fn listen_to_keys(events: Sender<WatchEvent>) -> Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self::default());
        }
        let terminal = ChangedTerminal::enter(|settings| {
            settings.local_flags -= LocalFlags::ICANON | LocalFlags::ECHO;
        })?;
        let (wanted, asked) = mpsc::channel();
        report_continuation(events.clone())?;
        thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read_keys(&asked, &events))
            .context("cannot read keys")?;
        Ok(Self {
            reader: Some(KeyReader {
                terminal,
                wanted,
                is_reading: false,
            }),
        })
    }

    /// The next key may come.
    pub fn ask_for_key(&mut self) {
        if let Some(reader) = &mut self.reader
            && !reader.is_reading
        {
            reader.is_reading = true;
            // A terminal that is gone has no keys.
            let _ = reader.wanted.send(());
        }
    }

    /// The key that was asked for has come. Not the thread says so: between its key and this call,
    /// another could be asked for, and an editor would miss it.
    pub fn receive_key(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.is_reading = false;
        }
    }

    /// Another program has the terminal until `take_terminal_back`. Only while no key is asked for.
    pub fn lend_terminal(&self) -> Result<()> {
        self.reader
            .as_ref()
            .map_or(Ok(()), |reader| reader.terminal.lend_terminal())
    }

    pub fn take_terminal_back(&self) -> Result<()> {
        self.reader
            .as_ref()
            .map_or(Ok(()), |reader| reader.terminal.take_terminal_back())
    }
}

/// A shell that stopped this program, and lets it go on, leaves the terminal in its own mode.
fn report_continuation(events: Sender<WatchEvent>) -> Result<()> {
    let mut signals = Signals::new([SIGCONT]).context("cannot notice that it goes on")?;
    let report = move || {
        for _ in signals.forever() {
            if events.send(WatchEvent::Continued).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("continued".to_owned())
        .spawn(report)
        .context("cannot notice that it goes on")?;
    Ok(())
}

fn read_keys(asked: &Receiver<()>, events: &Sender<WatchEvent>) {
    let mut key = [0];
    while asked.recv().is_ok() {
        // Not through a buffer: what was typed ahead may be for an editor.
        let Ok(1) = read(io::stdin(), &mut key) else {
            return;
        };
        if events.send(WatchEvent::Key(key[0])).is_err() {
            return;
        }
    }
}
