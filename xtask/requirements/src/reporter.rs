//! Whoever sees what set-up does, and answers its question.

use anyhow::Result;

/// Each method but the last two shows a line; what cannot be shown is no reason to stop.
pub trait Reporter: Sync {
    /// A part of the work that takes time has begun.
    fn begin(&self, text: &str);

    /// A part of the work is done.
    fn done(&self, text: &str);

    /// Something for a person to read.
    fn note(&self, text: &str);

    /// How far the work is, in place of the last such line. A reporter may leave it out.
    fn show_status(&self, text: &str);

    /// Removes the line of the last [`Self::show_status`].
    fn clear_status(&self);

    /// Whether someone could answer a question, or type a password.
    fn is_interactive(&self) -> bool;

    /// Asks a question whose answer is yes or no.
    fn confirm(&self, question: &str) -> Result<bool>;
}
