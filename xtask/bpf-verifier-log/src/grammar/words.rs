//! The words, numbers and registers of a message.

/// Where a message may begin: at a word, also one after a bracket, a quotation mark, the `+` of a
/// patch.
pub fn find_word_starts(line: &str) -> impl Iterator<Item = usize> {
    let bytes = line.as_bytes();
    (0..bytes.len()).filter(move |&at| {
        let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
        bytes[at] != b' '
            && !before.is_ascii_alphanumeric()
            && before != b'_'
            && line.is_char_boundary(at)
    })
}

/// How long the name of a register or an argument is that `text` begins with.
pub fn measure_register(text: &str) -> Option<usize> {
    if let Some(slot) = text.strip_prefix("*(R11") {
        return slot.find(')').filter(|&end| end < 8).map(|end| 5 + end + 1);
    }
    let name = ["R", "arg#", "arg #", "arg"]
        .into_iter()
        .find(|name| text.starts_with(name))?;
    let digits = text[name.len()..]
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    (1..=2).contains(&digits).then_some(name.len() + digits)
}

/// How long the number is that `text` begins with, also a hexadecimal one with a sign.
pub fn measure_number(text: &str) -> Option<usize> {
    let signed = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = signed.strip_prefix("0x").unwrap_or(signed);
    let count = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    (count > 0).then(|| text.len() - digits.len() + count)
}

/// The first register that a message names, by its number.
pub fn find_register(text: &str) -> Option<u8> {
    /// The log counts to R11, where kernels pass arguments on the stack.
    const LAST: u8 = 11;
    for (at, _) in text.match_indices('R') {
        let is_in_word = text[..at].ends_with(char::is_alphanumeric);
        let Some(length) = measure_register(&text[at..]) else {
            continue;
        };
        if let Ok(number) = text[at + 1..at + length].parse()
            && !is_in_word
            && number <= LAST
        {
            return Some(number);
        }
    }
    None
}

/// The number after a name: 65 after `off=` in `value_size=48 off=65`.
pub fn find_number_after(text: &str, name: &str) -> Option<i64> {
    for (at, _) in text.match_indices(name) {
        let is_in_word =
            text[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        if let Some(number) = parse_leading_number(&text[at + name.len()..])
            && !is_in_word
        {
            return Some(number);
        }
    }
    None
}

/// The decimal number that `text` begins with.
pub fn parse_leading_number(text: &str) -> Option<i64> {
    let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
    let length = text.bytes().take_while(is_number).count();
    text[..length].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_arguments() {
        assert_eq!(measure_register("R10 off"), Some(3));
        assert_eq!(measure_register("*(R11-8) must"), Some(8));
        assert_eq!(measure_register("*(R11-123456)"), Some(13));
        assert_eq!(measure_register("*(R11-1234567)"), None);
        assert_eq!(measure_register("arg#0 expected"), Some(5));
        assert_eq!(measure_register("arg2 is"), Some(4));
        for text in ["R ", "R100", "args", "*(R11", "", "*(R11é"] {
            assert_eq!(measure_register(text), None, "{text}");
        }
    }

    #[test]
    fn the_register_that_a_message_names() {
        assert_eq!(find_register("R2 !read_ok"), Some(2));
        assert_eq!(
            find_register("invalid read from stack R10 off=-32"),
            Some(10)
        );
        assert_eq!(find_register("*(R11-8) must be a known constant"), Some(11));
        assert_eq!(find_register("R12 R3 leaks addr"), Some(3));
        assert_eq!(find_register("Register R1 !read_ok"), Some(1));
        for text in ["arg#0 expected", "ERR2 !read_ok", "R", "R99", "type STRUCT"] {
            assert_eq!(find_register(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_after_names() {
        let text = "invalid access to packet, off=23 size=1, R1(id=0,off=23,r=14)";
        assert_eq!(find_number_after(text, "off="), Some(23));
        assert_eq!(find_number_after(text, "r="), Some(14));
        assert_eq!(find_number_after("value_size=8 size=4", "size="), Some(4));
        assert_eq!(find_number_after("R10 off=-520 size=8", "off="), Some(-520));
        assert_eq!(find_number_after("x= 5", "x="), None);
        assert_eq!(find_number_after(text, "x="), None);
    }
}
