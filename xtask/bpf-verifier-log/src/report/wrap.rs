//! Prose in lines of a terminal.

use alloc::format;
use alloc::string::String;

/// Wide enough for a line of code, and narrow enough to read.
const WIDTH: usize = 96;

/// A heading, and a text below it.
pub fn format_section(title: &str, text: &str) -> String {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent("  ")
        .subsequent_indent("  ")
        .break_words(false);
    format!("\n{title}\n{}\n", textwrap::fill(text, options))
}
