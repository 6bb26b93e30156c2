//! Standard output, for people or for programs.

use anyhow::Result;
use common::say;
use serde_json::Value;

use crate::change::Change;

pub struct Screen {
    json: bool,
}

impl Screen {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    pub fn is_for_people(&self) -> bool {
        !self.json
    }

    /// What only people read.
    pub fn tell(&self, line: &str) -> Result<()> {
        if self.json { Ok(()) } else { say(line) }
    }

    pub fn show(&self, change: &Change) -> Result<()> {
        if self.json {
            say(&change.json().to_string())
        } else {
            say(&format!("  {}", change.line()))
        }
    }

    /// What only programs read.
    pub fn object(&self, object: &Value) -> Result<()> {
        if self.json {
            say(&object.to_string())
        } else {
            Ok(())
        }
    }
}
