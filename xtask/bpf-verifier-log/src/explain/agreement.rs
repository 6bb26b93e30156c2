//! Whether what was read of the steps can be true, given the message. Where lines of a log are
//! missing, or not in their order, it may not be.

use crate::explain::scene::Scene;
use crate::log::state::TrackedValue;

/// Whether the message says something else of its register than the steps.
pub fn contradicts_message(scene: &Scene<'_>) -> bool {
    let Some(value) = scene.named_value() else {
        return false;
    };
    if scene.message_says("!read_ok") {
        return true;
    }
    let mut texts = scene.reason.lines.iter().map(|line| line.text.as_str());
    let kind = texts.find_map(find_kind);
    kind.is_some_and(|kind| !is_of_kind(value, kind)) || !is_within(scene, value)
}

/// The kind of value that a message names: `inv` in `R1 invalid mem access 'inv'` and in `R1
/// type=inv expected=fp`.
fn find_kind(text: &str) -> Option<&str> {
    if let Some((_, quoted)) = text.split_once("invalid mem access '") {
        return quoted.split('\'').next();
    }
    let (_, kind) = text.split_once(" type=")?;
    kind.split(' ').next()
}

fn is_of_kind(value: &TrackedValue, kind: &str) -> bool {
    let is_number = ["inv", "scalar", "imm", "unknown", "UNKNOWN"]
        .iter()
        .any(|name| kind.trim().starts_with(name));
    is_number == value.is_number() && kind.contains("or_null") == value.may_be_null()
}

/// Whether the limits of a number are such that the message can come of them.
fn is_within(scene: &Scene<'_>, value: &TrackedValue) -> bool {
    /// Smaller numbers are taken as lengths and offsets.
    const FEWEST: u64 = 1 << 29;
    if value.is_partial {
        return true;
    }
    if scene.message_says("zero-sized") {
        return value.bounds.umin == 0 || !value.is_number();
    }
    if scene.message_says("min value is negative") {
        return value.bounds.smin < 0 || !value.is_number();
    }
    if scene.message_says("unbounded memory access") {
        return value.bounds.umax >= FEWEST;
    }
    true
}
