//! One message of the kernel side, as a line of text. Both implementations end up with the same
//! line.

use common::text;

/// aya-log's text, with the file's name still in hexadecimal digits at its end.
pub fn with_name(text: &str) -> String {
    match text.split_once(" name=") {
        Some((start, digits)) => format!("{start} name={}", text::printable(&from_hex(digits))),
        None => text.to_owned(),
    }
}

/// The bytes of `struct message` in `bpf/hello.bpf.c`: three 32-bit words, then the name.
pub fn from_bytes(bytes: &[u8]) -> String {
    let word = |at: usize| {
        bytes
            .get(at..at + 4)
            .map_or([0; 4], |word| [word[0], word[1], word[2], word[3]])
    };
    let pid = u32::from_ne_bytes(word(0));
    let value = i32::from_ne_bytes(word(8));
    if u32::from_ne_bytes(word(4)) == 1 {
        return format!("pid={pid} exit ret={value}");
    }
    let name = text::until_nul(bytes.get(12..).unwrap_or_default());
    format!(
        "pid={pid} enter dirfd={value} name={}",
        text::printable(name)
    )
}

/// The line with the numbers explained that a reader cannot know by heart.
pub fn explained(line: &str) -> String {
    if let Some((start, ret)) = line.split_once(" exit ret=") {
        return format!("{start} exit ret={ret}{}", error_name(ret));
    }
    line.replacen(
        " dirfd=-100 ",
        " dirfd=-100 (AT_FDCWD: the current directory) ",
        1,
    )
}

/// The kernel returns its errors as small negative numbers.
fn error_name(ret: &str) -> String {
    let error = ret.parse().ok().and_then(text::errno);
    error.map_or(String::new(), |error| format!(" (-{error})"))
}

fn from_hex(digits: &str) -> Vec<u8> {
    let pair = |at| {
        digits
            .get(at..at + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    (0..digits.len()).step_by(2).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_make_the_same_line() {
        let mut bytes = Vec::new();
        for word in [42u32, 0, (-100i32).cast_unsigned()] {
            bytes.extend(word.to_ne_bytes());
        }
        let mut name = [0u8; 64];
        name[..6].copy_from_slice(b"a name");
        bytes.extend(name);
        let line = "pid=42 enter dirfd=-100 name=a name";
        assert_eq!(from_bytes(&bytes), line);
        assert_eq!(with_name("pid=42 enter dirfd=-100 name=61206e616d65"), line);
    }

    #[test]
    fn a_return_has_no_name() {
        let mut bytes = Vec::new();
        for word in [42u32, 1, (-2i32).cast_unsigned()] {
            bytes.extend(word.to_ne_bytes());
        }
        assert_eq!(from_bytes(&bytes), "pid=42 exit ret=-2");
        assert_eq!(with_name("pid=42 exit ret=-2"), "pid=42 exit ret=-2");
    }

    #[test]
    fn names_cannot_harm_the_terminal() {
        let line = "pid=0 enter dirfd=0 name=\u{fffd}[2J\u{fffd}";
        assert_eq!(from_bytes(&[&[0; 12][..], b"\x1b[2J\xff\0"].concat()), line);
        assert_eq!(with_name("pid=0 enter dirfd=0 name=1b5b324aff"), line);
    }

    #[test]
    fn numbers_are_explained_but_names_are_not() {
        assert_eq!(
            explained("pid=1 exit ret=-2"),
            "pid=1 exit ret=-2 (-ENOENT: no such file or directory)"
        );
        assert_eq!(explained("pid=1 exit ret=0"), "pid=1 exit ret=0");
        assert_eq!(
            explained("pid=1 enter dirfd=5 name=x"),
            "pid=1 enter dirfd=5 name=x"
        );
    }
}
