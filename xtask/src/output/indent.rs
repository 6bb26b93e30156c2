//! Text that belongs to a line above it.

/// Each line after `width` spaces; an empty line stays empty.
pub fn indent_lines(text: &str, width: usize) -> String {
    let mut indented = String::new();
    for line in text.lines() {
        let line = format!("{:width$}{line}", "");
        indented += line.trim_end();
        indented.push('\n');
    }
    indented
}

/// Wide enough for a line of code, and narrow enough to read.
const WIDTH: usize = 96;

/// A paragraph in lines: `first` comes before the first, `rest` before the others.
pub fn wrap_text(text: &str, first: &str, rest: &str) -> String {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(rest)
        .break_words(false);
    textwrap::fill(text, options) + "\n"
}

#[cfg(test)]
mod tests {
    use super::indent_lines;

    #[test]
    fn empty_lines_stay_empty() {
        assert_eq!(indent_lines("a\n\n  b", 2), "  a\n\n    b\n");
        assert_eq!(indent_lines("", 2), "");
    }
}
