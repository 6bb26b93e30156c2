//! What both implementations can do once their programs are attached.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::Result;

use crate::change::Change;
use crate::own_map::OwnMap;
use crate::records::Watched;
use crate::summary::{Counters, Process, Recent};

pub type Sender = mpsc::Sender<Change>;

pub trait Monitor {
    /// Sleeps until something comes through the ring buffer, not longer than `limit`, and hands
    /// over all that came.
    fn wait(&mut self, limit: Duration) -> Result<()>;
    /// Changes a global variable of a program that runs.
    fn pause(&mut self, paused: bool) -> Result<()>;
    fn detach(&mut self);
    fn counters(&self) -> Result<Counters>;
    fn processes(&self) -> Result<Vec<Process>>;
    fn recent(&self) -> Result<Vec<Recent>>;
    fn maps(&self) -> Result<Vec<OwnMap>>;
    /// Reads the read-only global out of its map.
    fn watched(&self) -> Result<Watched>;
    /// Tries to write it, and says whether the kernel refused.
    fn watched_is_frozen(&mut self) -> Result<bool>;
}
