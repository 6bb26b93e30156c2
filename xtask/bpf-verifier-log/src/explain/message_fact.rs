//! What a message tells by itself, without the steps before it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use crate::classes::Class;
use crate::explain::decide_reason::RejectionReason;
use crate::explain::helpers::describe_helper;
use crate::explain::words::format_bytes;
use crate::grammar::words::find_number_after;

/// The sentence that follows from the numbers in a message.
pub fn derive_from_message(reason: &RejectionReason) -> Option<String> {
    let text = reason.lines.first()?.text.as_str();
    let after = |name: &str| find_number_after(text, name);
    match reason.class? {
        Class::StackBounds => Some(describe_stack_access(after("off=")?, after("size="))),
        Class::UninitStack => describe_unwritten(text),
        Class::StackLimit => {
            let bytes = after("calls is ").or(after("is "))?;
            Some(format!(
                "This call chain needs {} of stack; there are 512.",
                format_bytes(bytes)
            ))
        }
        Class::ComplexityInsns => {
            let count = after("Processed ")?;
            Some(format!("The verifier went through {count} instructions."))
        }
        // `invalid func unknown#182`
        Class::HelperNotAllowed => describe_helper(usize::try_from(after("unknown#")?).ok()?),
        _ => None,
    }
}

/// `invalid read from stack R2 off -12+1 size 4`: the second of four bytes is the first that was
/// never written.
fn describe_unwritten(text: &str) -> Option<String> {
    let (_, place) = text.split_once(" off ")?;
    let (start, rest) = place.split_once('+')?;
    let (skipped, size) = rest.split_once(" size ")?;
    let size = size.split(|letter: char| !letter.is_ascii_digit()).next()?;
    let (start, skipped): (i64, i64) = (start.parse().ok()?, skipped.parse().ok()?);
    let at = start.checked_add(skipped)?;
    let bytes = format_bytes(size.parse().ok()?);
    Some(format!(
        "Of the {bytes} from fp{start} on, the byte at fp{at} is the first that was not written \
         on this path."
    ))
}

/// Where an access is that is not within the 512 bytes of the stack.
fn describe_stack_access(offset: i64, size: Option<i64>) -> String {
    let below = format_bytes(offset.saturating_neg());
    let beyond = offset.saturating_add(size.unwrap_or(0));
    match (offset, size) {
        (..-512, _) => format!(
            "The access begins {below} below the top of the stack, which is only 512 bytes deep."
        ),
        (..0, Some(size)) if beyond > 0 => format!(
            "The access begins {below} below the top of the stack and is {} long: {} of it would \
             be above the stack.",
            format_bytes(size),
            format_bytes(beyond)
        ),
        (0, _) => "The access begins at the top of the stack, above which nothing is.".to_owned(),
        (1.., _) => format!(
            "The access begins {} above the top of the stack.",
            format_bytes(offset)
        ),
        _ => format!("The access begins {below} below the top of the stack."),
    }
}
