//! QEMU's own interface (QMP): one JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, IoSlice, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};

/// For an answer, and for a resume: a QEMU that hangs costs this much.
const LIMIT: Duration = Duration::from_secs(5);

/// A save is not to fail because other programs keep the machine busy.
const SAVE_LIMIT: Duration = Duration::from_secs(30);

pub struct Monitor {
    replies: BufReader<UnixStream>,
    /// The guest runs: said by an event that may come before the answer to a command.
    resumed: bool,
}

impl Monitor {
    pub fn open(line: UnixStream) -> Result<Self> {
        line.set_read_timeout(Some(LIMIT))
            .context("cannot set a time limit")?;
        let mut monitor = Self {
            replies: BufReader::new(line),
            resumed: false,
        };
        // QEMU's greeting has nothing that we need.
        monitor.receive()?;
        monitor.ask(&json!({ "execute": "qmp_capabilities" }))?;
        Ok(monitor)
    }

    /// Has QEMU load a guest from `file`, which it inherited, and waits until the guest runs.
    pub fn resume_state(&mut self, file: &File) -> Result<()> {
        self.leave_memory_out()?;
        let uri = format!("fd:{}", file.as_raw_fd());
        self.ask(&json!({ "execute": "migrate-incoming", "arguments": { "uri": uri } }))?;
        let deadline = Instant::now() + LIMIT;
        while !self.resumed {
            ensure!(
                Instant::now() < deadline,
                "the snapshot did not run within {} s",
                LIMIT.as_secs()
            );
            self.receive()?;
        }
        Ok(())
    }

    /// Writes the guest without its memory to `file`, has `save_memory` save that, and lets the
    /// guest go on.
    pub fn save_state(
        &mut self,
        file: &File,
        save_memory: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.pass("snapshot", file)?;
        self.leave_memory_out()?;
        // The default is made for networks.
        self.ask(&json!({
            "execute": "migrate-set-parameters",
            "arguments": { "max-bandwidth": 1u64 << 40 },
        }))?;
        // QEMU 7.2 does not notice all that an emulated guest writes meanwhile: its
        // cpu_physical_memory_sync_dirty_bitmap() lets writes that were seen once go on unseen.
        self.ask(&json!({ "execute": "stop" }))?;
        self.ask(&json!({ "execute": "migrate", "arguments": { "uri": "fd:snapshot" } }))?;
        let deadline = Instant::now() + SAVE_LIMIT;
        loop {
            let state = self.ask(&json!({ "execute": "query-migrate" }))?;
            match state["status"].as_str().unwrap_or_default() {
                "completed" => break,
                "failed" | "cancelled" => {
                    bail!("QEMU could not save the guest: {}", state["error-desc"])
                }
                _ => ensure!(
                    Instant::now() < deadline,
                    "QEMU took more than {} s to save the guest",
                    SAVE_LIMIT.as_secs()
                ),
            }
            sleep(Duration::from_millis(5));
        }
        save_memory()?;
        self.ask(&json!({ "execute": "cont" }))?;
        Ok(())
    }

    /// What is a file already is no part of what QEMU saves.
    fn leave_memory_out(&mut self) -> Result<()> {
        let shared = json!({ "capability": "x-ignore-shared", "state": true });
        self.ask(&json!({
            "execute": "migrate-set-capabilities",
            "arguments": { "capabilities": [shared] },
        }))?;
        Ok(())
    }

    /// Gives QEMU a descriptor under a name.
    fn pass(&mut self, name: &str, file: &File) -> Result<()> {
        let text = format!(
            "{}\n",
            json!({ "execute": "getfd", "arguments": { "fdname": name } })
        );
        sendmsg::<()>(
            self.replies.get_ref().as_raw_fd(),
            &[IoSlice::new(text.as_bytes())],
            &[ControlMessage::ScmRights(&[file.as_raw_fd()])],
            MsgFlags::empty(),
            None,
        )
        .context("cannot pass a descriptor to QEMU")?;
        self.answer().map(drop)
    }

    fn ask(&mut self, command: &Value) -> Result<Value> {
        let line = format!("{command}\n");
        self.replies
            .get_mut()
            .write_all(line.as_bytes())
            .context("QEMU does not listen")?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value> {
        loop {
            let mut reply = self.receive()?;
            if let Some(error) = reply.get("error") {
                bail!(
                    "QEMU refuses: {}",
                    error["desc"].as_str().unwrap_or("no reason given")
                );
            }
            if reply.get("return").is_some() {
                return Ok(reply["return"].take());
            }
        }
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        let length = self
            .replies
            .read_line(&mut line)
            .context("QEMU does not answer")?;
        ensure!(length > 0, "QEMU ended");
        let message: Value = serde_json::from_str(&line).context("QEMU speaks nonsense")?;
        self.resumed |= message["event"] == "RESUME";
        Ok(message)
    }
}
