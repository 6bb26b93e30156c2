//! Lesson 06, the exercises of user-space programs.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::user_program::UserProgram;
use crate::user_program_exercise::UserProgramExercise;
use crate::work;

/// For a datagram that stays on this machine. It takes a millisecond; this is for a machine that is
/// very busy.
const LIMIT: Duration = Duration::from_secs(5);

pub const EXERCISES: &[JudgedExercise] = &[JudgedExercise {
    name: "06/block-list",
    judge: Judge::UserProgram(UserProgramExercise {
        arguments: loopback,
        programs: &["filter"],
        checks: &[
            Check {
                says: "drops nothing before it is told to",
                holds: nothing_blocked,
            },
            Check {
                says: "drops what is sent to a port that is blocked",
                holds: one_blocked,
            },
            Check {
                says: "drops for some ports at once, and for no other",
                holds: some_blocked,
            },
            Check {
                says: "lets everything pass again when a port is allowed",
                holds: allowed_again,
            },
        ],
    }),
}];

fn loopback() -> Vec<String> {
    vec!["lo".to_owned()]
}

fn nothing_blocked(_answer: &mut UserProgram) -> Result<()> {
    Receiver::open()?.expect_datagram(false)
}

fn one_blocked(answer: &mut UserProgram) -> Result<()> {
    let receiver = Receiver::open()?;
    receiver.order("block", answer)?;
    receiver.expect_datagram(true)
}

fn some_blocked(answer: &mut UserProgram) -> Result<()> {
    let blocked = [Receiver::open()?, Receiver::open()?];
    let other = Receiver::open()?;
    for receiver in &blocked {
        receiver.order("block", answer)?;
    }
    for receiver in &blocked {
        receiver.expect_datagram(true)?;
    }
    other.expect_datagram(false)
}

fn allowed_again(answer: &mut UserProgram) -> Result<()> {
    let [allowed, blocked] = [Receiver::open()?, Receiver::open()?];
    allowed.order("block", answer)?;
    blocked.order("block", answer)?;
    allowed.expect_datagram(true)?;
    allowed.order("allow", answer)?;
    allowed.expect_datagram(false)?;
    blocked.expect_datagram(true)
}

/// Ports that receivers have or had. An answer goes on blocking a port when its receiver is gone,
/// and the kernel may choose the same one again: in one of about 2,000 runs.
static USED_PORTS: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Waits at a port that was free, and that no receiver had before.
struct Receiver {
    socket: UdpSocket,
    port: u16,
}

impl Receiver {
    fn open() -> Result<Self> {
        loop {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("wait for datagrams")?;
            let port = socket.local_addr().context("ask for the port")?.port();
            let mut used = USED_PORTS.lock().unwrap_or_else(PoisonError::into_inner);
            if used.insert(port) {
                return Ok(Self { socket, port });
            }
        }
    }

    fn order(&self, command: &str, answer: &mut UserProgram) -> Result<()> {
        answer.order(&format!("{command} {}", self.port))
    }

    /// Sends one, which should be dropped or arrive. Another one after it, to a port that nobody
    /// blocks, tells when it would have arrived: from one CPU, they do not overtake each other.
    fn expect_datagram(&self, blocked: bool) -> Result<()> {
        let second = Self::open()?;
        work::as_program("sender", 0, || {
            let sender = Self::open()?;
            self.send_from(&sender)?;
            second.send_from(&sender)
        })?;
        ensure!(
            second.receive(LIMIT)?,
            "port {} was not blocked, and a datagram to it did not arrive within {} s",
            second.port,
            LIMIT.as_secs()
        );
        let arrived = self.receive(Duration::from_millis(1))?;
        ensure!(
            !(blocked && arrived),
            "port {} was blocked, and a datagram to it arrived",
            self.port
        );
        ensure!(
            blocked || arrived,
            "port {} was not blocked, and a datagram to it did not arrive",
            self.port
        );
        Ok(())
    }

    fn send_from(&self, sender: &Self) -> Result<()> {
        let sent = sender
            .socket
            .send_to(b"?", (Ipv4Addr::LOCALHOST, self.port));
        sent.map(drop).context("send a datagram")
    }

    /// Whether one arrives within this time.
    fn receive(&self, limit: Duration) -> Result<bool> {
        self.socket
            .set_read_timeout(Some(limit))
            .context("set a time limit")?;
        match self.socket.recv_from(&mut [0; 8]) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("receive a datagram"),
        }
    }
}
