//! The text of a message as it is shown: without what a loader, a mail or a web page put around it.

use crate::grammar::words::measure_register;

/// The message that begins at `start` of a line.
///
/// `is_about_register`: nothing before it belongs to it.
pub fn cut_message(line: &str, start: usize, is_about_register: bool) -> &str {
    let (before, message) = (&line[..start], &line[start..]);
    if let Some(quoted) = find_quoted(before, message) {
        return quoted;
    }
    let subject = if is_about_register {
        ""
    } else {
        find_subject(before)
    };
    trim_message(&line[start - subject.len()..])
}

/// A message in quotation marks ends with them.
fn find_quoted<'a>(before: &str, message: &'a str) -> Option<&'a str> {
    for quote in ['"', '`'] {
        if before.ends_with(quote)
            && let Some((quoted, _)) = message.split_once(quote)
        {
            return Some(quoted);
        }
    }
    None
}

/// What a message is about, where a name comes before it: `func()` of "func() is not a global
/// function", `BPF_EXIT instruction in main prog` of "... cannot be used". Empty if that is not in
/// the line.
fn find_subject(before: &str) -> &str {
    /// A longer text is somebody's, not the kernel's.
    const LONGEST: usize = 80;
    if before.contains(": ") || before.len() > LONGEST {
        return "";
    }
    // The `+` of a patch, the `>` of a mail.
    let is_margin = |letter: char| !letter.is_alphanumeric() && letter != '(' && letter != '_';
    before.trim_start_matches(is_margin)
}

/// A message without what follows it: the end of a web page's element, cilium's "(12 line(s)
/// omitted)", a second message, what ends a quotation.
pub fn trim_message(text: &str) -> &str {
    let mut text = text;
    if let Some((before, _)) = text.split_once("</") {
        text = before;
    }
    if let Some(end) = find_omission(text) {
        text = &text[..end];
    }
    if let Some(at) = find_second_message(text) {
        text = &text[..at];
    }
    // Go's logger goes on with other fields: `error="R2 !read_ok" subsys=datapath-loader`.
    if let Some((before, fields)) = text.split_once("\" ")
        && fields.contains('=')
    {
        text = before;
    }
    text.trim_end_matches(['"', '`', '\\', ',', ' '])
}

/// Where "(12 line(s) omitted)" or "(truncated, 12 line(s) omitted)" begins.
fn find_omission(text: &str) -> Option<usize> {
    if let Some(at) = text.find(" (truncated") {
        return Some(at);
    }
    let end = text.find(" line(s) omitted")?;
    text[..end].rfind(" (")
}

/// Where a loader has joined the next line with a colon: `...size=1: R1 max value ...`.
fn find_second_message(text: &str) -> Option<usize> {
    const COLON: &str = ": ";
    for (at, _) in text.match_indices(COLON) {
        let next = &text[at + COLON.len()..];
        if let Some(length) = measure_register(next)
            && next[length..].starts_with(' ')
        {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message that begins with `message` in `line`.
    fn cut<'a>(line: &'a str, message: &str) -> &'a str {
        cut_message(line, line.find(message).unwrap(), message.starts_with('R'))
    }

    #[test]
    fn quotation_marks_and_margins_are_left_out() {
        let message = "R2 !read_ok";
        for line in [
            "+R2 !read_ok",
            "<b>R2 !read_ok</b>",
            "it says \"R2 !read_ok\" and nothing else",
            "- `R2 !read_ok` again",
            "error=\"R2 !read_ok\" subsys=datapath-loader",
            "R2 !read_ok\\",
            "R2 !read_ok\",",
        ] {
            assert_eq!(cut(line, message), message, "{line}");
        }
        // A mark that is not closed is not part of it either.
        assert_eq!(cut("`R2 !read_ok", message), message);
        assert_eq!(cut("say \"R2 !read_ok", message), message);
        // A second pair of marks is the message's own.
        let own = "R1 type=scalar expected=\"fp\" or pkt";
        assert_eq!(cut(own, "R1"), own);
    }

    #[test]
    fn the_subject_of_a_message_belongs_to_it() {
        let line =
            "BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region";
        assert_eq!(cut(line, "cannot be used"), line);
        for (line, message, expected) in [
            (
                "> f() is not a global function",
                "is not",
                "f() is not a global function",
            ),
            ("+  _f is not sleepable", "is not", "_f is not sleepable"),
            ("* (f) is not sleepable", "is not", "(f) is not sleepable"),
            ("libbpf: it is not sleepable", "is not", "is not sleepable"),
            ("f() and R2 !read_ok", "R2", "R2 !read_ok"),
        ] {
            assert_eq!(cut(line, message), expected, "{line}");
        }
    }

    #[test]
    fn a_long_text_before_a_message_is_no_subject() {
        let message = "is not sleepable";
        let longest = "f".repeat(79) + " " + message;
        assert_eq!(cut(&longest, message), longest);
        let longer = "f".repeat(80) + " " + message;
        assert_eq!(cut(&longer, message), message);
    }

    #[test]
    fn what_loaders_leave_out_is_no_part_of_it() {
        for (text, expected) in [
            ("R1 leaks addr (183 line(s) omitted)", "R1 leaks addr"),
            (
                "f() is not a global function (truncated, 9 line(s) omitted)",
                "f() is not a global function",
            ),
            (
                "off=1 size=1 (in f) (9 line(s) omitted)",
                "off=1 size=1 (in f)",
            ),
            ("off=1 size=1 (in f)", "off=1 size=1 (in f)"),
            (
                "a known value (0x0) (truncated, 9 line(s) omitted)",
                "a known value (0x0)",
            ),
            ("9 line(s) omitted", "9 line(s) omitted"),
        ] {
            assert_eq!(trim_message(text), expected);
        }
    }

    #[test]
    fn a_second_message_is_cut_off() {
        for (text, expected) in [
            (
                "invalid access to packet, off=23 size=1: R1 offset is outside of the packet",
                "invalid access to packet, off=23 size=1",
            ),
            ("a: b: arg#0 expected pointer", "a: b"),
            ("a: R1, not R2", "a: R1, not R2"),
            ("a: R1", "a: R1"),
        ] {
            // At the end of a text nothing follows the register.
            assert_eq!(trim_message(text), expected);
        }
    }

    #[test]
    fn only_fields_end_a_quotation_within_a_message() {
        assert_eq!(trim_message("a \"b\" c"), "a \"b\" c");
        assert_eq!(trim_message("a\" level=info"), "a");
    }
}
