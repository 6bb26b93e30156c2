//! An error, as people see it.

use problem::Problem;

use crate::output::screen::{Label, show_labelled};

/// Shows an error, with what to do about it where that is known.
pub fn show_error(error: &anyhow::Error) {
    show_labelled(Label::Error, &format!("{error:#}"));
    for line in error.downcast_ref().map_or(&[][..], Problem::help_lines) {
        show_labelled(Label::Help, line);
    }
}
