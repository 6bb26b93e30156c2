//! Bytes and numbers of the kernel as text that is fit for a terminal.

use std::io;

use nix::errno::Errno;

/// Names in the kernel are any bytes; a terminal wants UTF-8, and a control character could take it
/// over.
pub fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// A C string in a buffer of fixed size: what comes before the first zero byte.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// A name from a buffer of fixed size. One that fills the buffer may have been longer, and gets
/// `...` at its end.
pub fn printable_name(buffer: &[u8]) -> String {
    let name = until_nul(buffer);
    let mut text = printable(name);
    if name.len() + 1 >= buffer.len() {
        text += "...";
    }
    text
}

/// The name of a kernel function's negative result: -2 is `ENOENT`.
pub fn errno_name(result: i64) -> Option<String> {
    let text = describe_errno(result)?;
    let (name, _) = text.split_once(':')?;
    Some(name.to_owned())
}

/// What a kernel function's negative result means: -2 is `ENOENT: no such file or directory`.
/// `None` for results that are no error, and for errors that the kernel keeps to itself and has no
/// public name for.
pub fn describe_errno(result: i64) -> Option<String> {
    let number = i32::try_from(result.checked_neg()?).ok()?;
    match Errno::from_raw(number) {
        Errno::UnknownErrno => None,
        errno => Some(format!("{errno:?}: {}", uncapitalised(errno.desc()))),
    }
}

/// What a system call's error means, in the same words.
pub fn io_error(error: &io::Error) -> String {
    let result = error.raw_os_error().map_or(0, |code| -i64::from(code));
    describe_errno(result).unwrap_or_else(|| error.to_string())
}

/// `No such file` begins with a capital letter that it does not need, `I/O error` with one that it
/// does.
fn uncapitalised(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_reaches_the_terminal() {
        assert_eq!(printable("파일 name".as_bytes()), "파일 name");
        for bytes in [
            &b"\x1b[2J"[..],
            b"\r\n\t",
            b"\x7f",
            "\u{9b}31m".as_bytes(),
            b"\xff\xfe",
            b"\x9b",
        ] {
            assert!(!printable(bytes).chars().any(char::is_control), "{bytes:?}");
        }
    }

    #[test]
    fn a_string_ends_at_its_first_zero() {
        assert_eq!(until_nul(b"name\0rest\0"), b"name");
        assert_eq!(until_nul(b"no end"), b"no end");
        assert_eq!(until_nul(b"\0"), b"");
        assert_eq!(until_nul(b""), b"");
    }

    #[test]
    fn a_long_name_says_that_it_is_cut() {
        assert_eq!(printable_name(b"abc\0"), "abc...");
        assert_eq!(printable_name(b"abc"), "abc...");
        assert_eq!(printable_name(b"ab\0c"), "ab");
        assert_eq!(printable_name(b"\x1b\0c"), "\u{fffd}");
    }

    #[test]
    fn errors_have_names() {
        assert_eq!(errno_name(-2).as_deref(), Some("ENOENT"));
        assert_eq!(errno_name(-512), None);
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(io_error(&error), "ENOENT: no such file or directory");
        assert_eq!(io_error(&io::Error::other("it broke")), "it broke");
        assert_eq!(
            describe_errno(-2).as_deref(),
            Some("ENOENT: no such file or directory")
        );
        assert_eq!(
            describe_errno(-1).as_deref(),
            Some("EPERM: operation not permitted")
        );
        assert_eq!(describe_errno(-5).as_deref(), Some("EIO: I/O error"));
    }

    #[test]
    fn what_is_no_public_error_has_none() {
        // 512 is ERESTARTSYS, which no program ever sees.
        for result in [0, 2, -512, -4096, i64::MIN, i64::MAX, -(1 << 32) - 2] {
            assert_eq!(describe_errno(result), None, "{result}");
        }
    }
}
