//! The conversation with the host, over the second serial port. The first one is the kernel's
//! console.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use nix::libc::O_NOCTTY;
use nix::sys::termios::{ControlFlags, SetArg, cfmakeraw, tcgetattr, tcsetattr};
use plan::frame::{Decoder, FrameKind, encode_frame, encode_message};
use plan::{News, Order};

/// The console of arm64's machine is a port of another kind, so this one is the first of its kind.
const PORT: &str = if cfg!(target_arch = "aarch64") {
    "/dev/ttyS0"
} else {
    "/dev/ttyS1"
};

/// What the main thread waits for.
pub enum Message {
    Order(Order),
    Input(Vec<u8>),
    /// The running step's program has ended.
    ProgramEnded,
    /// The channel is broken.
    Failed(io::Error),
}

/// The sending side; clones share the line, frame by frame.
#[derive(Clone)]
pub struct Channel {
    line: Arc<Mutex<File>>,
    inbox: Sender<Message>,
}

impl Channel {
    /// Opens the line and starts reading orders from it into `inbox`.
    pub fn open(inbox: Sender<Message>) -> Result<Self> {
        let line = open_raw().with_context(|| format!("cannot open {PORT}"))?;
        let reader = line
            .try_clone()
            .with_context(|| format!("cannot share {PORT}"))?;
        let to_inbox = inbox.clone();
        std::thread::spawn(move || {
            if let Err(error) = read_orders(reader, &to_inbox) {
                // Nobody listens any more when the main thread has ended; then there is nothing to
                // tell.
                let _ = to_inbox.send(Message::Failed(error));
            }
        });
        Ok(Self {
            line: Arc::new(Mutex::new(line)),
            inbox,
        })
    }

    /// A sender of messages to the main thread.
    pub fn share_inbox(&self) -> Sender<Message> {
        self.inbox.clone()
    }

    pub fn send_news(&self, news: &News) -> Result<()> {
        self.write(&encode_message(FrameKind::News, news)?)
    }

    pub fn send_output(&self, kind: FrameKind, bytes: &[u8]) -> Result<()> {
        self.write(&encode_frame(kind, bytes))
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.write_all(bytes)
            .with_context(|| format!("cannot write to {PORT}"))
    }
}

fn open_raw() -> Result<File> {
    let line = OpenOptions::new()
        .read(true)
        .write(true)
        // Without this the line would become init's controlling terminal, and a stray byte a
        // signal.
        .custom_flags(O_NOCTTY)
        .open(PORT)?;
    let mut settings = tcgetattr(&line)?;
    cfmakeraw(&mut settings);
    settings.control_flags |= ControlFlags::CLOCAL;
    tcsetattr(&line, SetArg::TCSANOW, &settings)?;
    Ok(line)
}

fn read_orders(mut line: File, inbox: &Sender<Message>) -> io::Result<()> {
    let mut decoder = Decoder::default();
    let mut buffer = [0; 4096];
    loop {
        let length = line.read(&mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        decoder.push_bytes(&buffer[..length]);
        while let Some(frame) = decoder.next_frame()? {
            let message = match frame.kind {
                FrameKind::Input => Message::Input(frame.payload),
                _ => Message::Order(frame.read_message()?),
            };
            if inbox.send(message).is_err() {
                return Ok(());
            }
        }
    }
}
