//! Names of functions, as the source has them.

use std::fmt::{self, Write};

/// Bytes of the longest name that is shown. A mangled name can stand for one that is longer than
/// any memory.
const LONGEST: usize = 4096;

/// `core::panicking::panic_bounds_check`; what is no Rust name stays as it is, if it is not too
/// long.
pub fn demangle_name(name: &str) -> String {
    let mut shown = ShortText::default();
    // It fails where the text would get too long, and has its beginning then.
    let _ = write!(shown, "{:#}", rustc_demangle::demangle(name));
    shown.text
}

#[derive(Default)]
struct ShortText {
    text: String,
}

impl Write for ShortText {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = more.floor_char_boundary(LONGEST - self.text.len());
        self.text.push_str(&more[..room]);
        if room < more.len() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_in_the_source_unless_they_are_endless() {
        assert_eq!(demangle_name("_RNvC6my_bpf5count"), "my_bpf::count");
        assert_eq!(demangle_name("count"), "count");
        let long = "é".repeat(100_000);
        assert_eq!(demangle_name(&long), long[..LONGEST]);
        // A name of a name of a name, 4,000 times.
        let nested = format!("_R{}C1a{}", "Nv".repeat(4000), "1b".repeat(4000));
        assert!(demangle_name(&nested).len() <= LONGEST);
    }
}
