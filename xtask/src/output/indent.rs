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

#[cfg(test)]
mod tests {
    use super::indent_lines;

    #[test]
    fn empty_lines_stay_empty() {
        assert_eq!(indent_lines("a\n\n  b", 2), "  a\n\n    b\n");
        assert_eq!(indent_lines("", 2), "");
    }
}
