//! What the program says: lines for people, or one JSON object a line for programs.

use anyhow::Result;
use common::say;
use serde_json::Value;

#[derive(Clone, Copy)]
pub struct Output {
    pub json: bool,
}

impl Output {
    /// For people only.
    pub fn prose(self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { say(text) }
    }

    pub fn event(self, text: &str, json: &Value) -> Result<()> {
        if self.json {
            say(&json.to_string())
        } else {
            say(text)
        }
    }
}
