//! Rust source without what is not code: comments, texts, and the unit tests at its end.

/// The text with each comment and each literal replaced by blanks; line ends stay.
pub fn without_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let length = blank_length(&bytes[at..], at > 0 && is_word(bytes[at - 1]));
        if length == 0 {
            code.push(if bytes[at].is_ascii() {
                bytes[at].into()
            } else {
                ' '
            });
            at += 1;
            continue;
        }
        for &byte in &bytes[at..at + length] {
            code.push(if byte == b'\n' { '\n' } else { ' ' });
        }
        at += length;
    }
    code
}

/// How many bytes at the start of `rest` are a comment or a literal.
fn blank_length(rest: &[u8], in_word: bool) -> usize {
    if rest.starts_with(b"//") {
        return find(rest, b"\n").unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return find(rest, b"*/").map_or(rest.len(), |end| end + 2);
    }
    if !in_word && (rest.starts_with(b"r\"") || rest.starts_with(b"r#")) {
        let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
        if rest.get(1 + hashes) == Some(&b'"') {
            let end = [b"\"".as_slice(), &rest[1..1 + hashes]].concat();
            let start = 2 + hashes;
            return find(&rest[start..], &end).map_or(rest.len(), |at| start + at + end.len());
        }
    }
    match rest[0] {
        b'"' => quoted_length(rest, b'"'),
        // A character, not a lifetime.
        b'\'' if rest.get(1) == Some(&b'\\') || rest.get(2) == Some(&b'\'') => {
            quoted_length(rest, b'\'')
        }
        _ => 0,
    }
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The code up to its module of unit tests, which is at the end of a file.
pub fn before_tests(code: &str) -> &str {
    for (at, mark) in code.match_indices("#[cfg(test)]") {
        let rest = code[at + mark.len()..].trim_start();
        let is_block = rest
            .find(['{', ';'])
            .is_some_and(|end| rest[end..].starts_with('{'));
        let is_module = ["mod ", "pub mod ", "pub(crate) mod "]
            .iter()
            .any(|start| rest.starts_with(start));
        if is_module && is_block {
            return &code[..at];
        }
    }
    code
}

/// Words, `::`, and single other characters.
pub fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.bytes().next() {
        let word = rest.bytes().take_while(|&byte| is_word(byte)).count();
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => 1,
            word => word,
        };
        debug_assert!(first.is_ascii());
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

#[test]
fn texts_and_comments_are_no_code() {
    let code =
        without_comments_and_literals("a(\"fn b\", 'c', r#\"fn \"d\"\"#) // fn e\nfn f<'g>() {}");
    assert_eq!(
        tokens(&code),
        [
            "a", "(", ",", ",", ")", "fn", "f", "<", "'", "g", ">", "(", ")", "{", "}"
        ]
    );
}

#[test]
fn only_a_module_of_tests_ends_the_code() {
    let code = "#[cfg(test)]\nmod in_a_file;\nfn f() {}\n";
    let tests = "#[cfg(test)]\nmod tests {\n}\n";
    assert_eq!(before_tests(&format!("{code}{tests}")), code);
}
