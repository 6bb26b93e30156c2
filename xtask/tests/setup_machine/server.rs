//! A web server with faults.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What is wrong with the answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A page in place of what was asked for, as of a proxy or of a network that one signs in to.
    Page,
    /// The connection ends in the middle.
    Cut,
    /// Nothing comes after the middle, until the fault is taken away.
    Stall,
    /// The second half comes in small pieces, one in a second.
    Slow,
    /// One byte in the middle is another.
    Changed,
}

pub struct Server {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    files: PathBuf,
    /// A part of the path whose answers are wrong.
    fault: Mutex<Option<(String, Fault)>>,
    stalled: Mutex<bool>,
    changed: Condvar,
}

/// Longer than apt waits for the next byte.
pub const SLOW_SECONDS: usize = 25;

const PAGE: &str = "<!DOCTYPE html>\n<html><body>Please sign in.</body></html>\n";

impl Server {
    /// Sends the files of a directory. It ends with the test.
    pub fn start(files: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            files: files.to_owned(),
            ..State::default()
        });
        let own = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&own);
                // Whoever asked may be gone before the answer is.
                thread::spawn(move || state.answer(&stream));
            }
        });
        Self { port, state }
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on, answers for paths with this part in them are wrong.
    pub fn set_fault(&self, part: &str, fault: Fault) {
        *self.state.fault.lock().unwrap() = Some((part.to_owned(), fault));
        *self.state.stalled.lock().unwrap() = false;
    }

    pub fn remove_fault(&self) {
        *self.state.fault.lock().unwrap() = None;
    }

    /// Waits until an answer has come to its middle, and stays there.
    pub fn wait_for_stall(&self) {
        let stalled = self.state.stalled.lock().unwrap();
        let limit = Duration::from_secs(60);
        let waiting = self
            .state
            .changed
            .wait_timeout_while(stalled, limit, |it| !*it);
        assert!(!waiting.unwrap().1.timed_out(), "nothing was asked for");
    }
}

impl State {
    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream).lines();
        let request = lines.next()?.ok()?;
        let path = request
            .split(' ')
            .nth(1)?
            .trim_start_matches('/')
            .to_owned();
        // The rest of the request: unread, it would end the connection before the answer is read.
        lines.map_while(Result::ok).find(String::is_empty)?;
        let fault = self.fault_of(&path);
        let mut content = match fault {
            Some(Fault::Page) => Some(PAGE.into()),
            _ => fs::read(self.files.join(&path)).ok(),
        };
        let status = if content.is_some() {
            "200 OK"
        } else {
            "404 Not Found"
        };
        let content = content.get_or_insert_default();
        let middle = content.len() / 2;
        if fault == Some(Fault::Changed) {
            content[middle] ^= 1;
        }
        let length = content.len();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let mut stream = stream;
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(&content[..middle]).ok()?;
        if fault == Some(Fault::Cut) {
            return None;
        }
        while self.fault_of(&path) == Some(Fault::Stall) {
            *self.stalled.lock().unwrap() = true;
            self.changed.notify_all();
            thread::sleep(Duration::from_millis(20));
        }
        if fault == Some(Fault::Slow) {
            for piece in content[middle..].chunks(content.len() / 2 / SLOW_SECONDS) {
                thread::sleep(Duration::from_secs(1));
                stream.write_all(piece).ok()?;
            }
            return Some(());
        }
        stream.write_all(&content[middle..]).ok()
    }

    fn fault_of(&self, path: &str) -> Option<Fault> {
        let fault = self.fault.lock().unwrap();
        let (part, fault) = fault.as_ref()?;
        path.contains(part).then_some(*fault)
    }
}
