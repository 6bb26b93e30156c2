//! Standard output. A reader that goes away is an error to pass on, not a panic as with `println!`.

use std::io::{self, Write as _};

use anyhow::Result;

pub fn say(line: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}
