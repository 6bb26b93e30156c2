//! An error, as people see it.

use problem::Problem;

use crate::output::screen;

/// Shows an error, with what to do about it where that is known.
pub fn show_error(error: &anyhow::Error) {
    screen::show_note(&format!("\x1b[1;31merror\x1b[0m: {error:#}"));
    for line in error.downcast_ref().map_or(&[][..], Problem::help_lines) {
        screen::show_note(&format!("  \x1b[1mhelp\x1b[0m: {line}"));
    }
}
