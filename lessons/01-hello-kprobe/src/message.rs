//! One message of the kernel side, as a line of text. Both implementations end up with the same line.

/// aya-log's text, with the file's name still in hexadecimal digits at its end.
pub fn with_name(text: &str) -> String {
    match text.split_once(" name=") {
        Some((start, digits)) => format!("{start} name={}", printable(&from_hex(digits))),
        None => text.to_owned(),
    }
}

/// The bytes of `struct message` in `bpf/hello.bpf.c`: three 32-bit words, then the name.
pub fn from_bytes(bytes: &[u8]) -> String {
    let word = |at: usize| bytes.get(at..at + 4).map_or([0; 4], |word| [word[0], word[1], word[2], word[3]]);
    let pid = u32::from_ne_bytes(word(0));
    let value = i32::from_ne_bytes(word(8));
    if u32::from_ne_bytes(word(4)) == 1 {
        return format!("pid={pid} exit ret={value}");
    }
    let name = bytes.get(12..).unwrap_or_default().split(|&byte| byte == 0).next().unwrap_or_default();
    format!("pid={pid} enter dirfd={value} name={}", printable(name))
}

/// A file's name is any bytes but `/` and zero; a terminal wants UTF-8 without control characters.
pub fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The line with the numbers explained that a reader cannot know by heart.
pub fn explained(line: &str) -> String {
    if let Some((start, ret)) = line.split_once(" exit ret=") {
        return format!("{start} exit ret={ret}{}", error_name(ret));
    }
    line.replacen(" dirfd=-100 ", " dirfd=-100 (AT_FDCWD: the current directory) ", 1)
}

/// The kernel returns its errors as small negative numbers.
fn error_name(ret: &str) -> &'static str {
    match ret {
        "-1" => " (-EPERM: operation not permitted)",
        "-2" => " (-ENOENT: no such file or directory)",
        "-13" => " (-EACCES: permission denied)",
        "-16" => " (-EBUSY: device or resource busy)",
        "-20" => " (-ENOTDIR: not a directory)",
        "-21" => " (-EISDIR: is a directory)",
        "-30" => " (-EROFS: read-only file system)",
        _ => "",
    }
}

fn from_hex(digits: &str) -> Vec<u8> {
    let pair = |at| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
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
        assert_eq!(printable(b"\x1b[2J\xff"), "\u{fffd}[2J\u{fffd}");
        assert_eq!(printable("파일".as_bytes()), "파일");
    }

    #[test]
    fn numbers_are_explained_but_names_are_not() {
        assert_eq!(explained("pid=1 exit ret=-2"), "pid=1 exit ret=-2 (-ENOENT: no such file or directory)");
        assert_eq!(explained("pid=1 exit ret=0"), "pid=1 exit ret=0");
        assert_eq!(explained("pid=1 enter dirfd=5 name=x"), "pid=1 enter dirfd=5 name=x");
    }
}
