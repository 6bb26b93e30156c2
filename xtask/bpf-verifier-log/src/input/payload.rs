//! What a program said, without what its logger put around it:
//!
//! ```text
//! Apr 02 10:00:26 host agent[4242]: TEXT           journald
//! agent-1  | TEXT                                  docker compose
//! 2026-03-27T06:20:40.061Z stderr F TEXT           Kubernetes
//! time="2026-03-04T10:11:12Z" level=warning msg="TEXT" subsys=loader
//! {"level":"error","msg":"TEXT","caller":"load.go:12"}
//! ```

use memchr::{memchr, memchr2};

/// The text of a line. Empty if the program printed an empty line.
pub fn find_payload(line: &str) -> &str {
    let mut text = line.trim();
    if memchr2(b'|', b']', text.as_bytes()).is_some() {
        text = after_container(text).unwrap_or(text).trim();
        text = after_process(text).unwrap_or(text).trim();
    }
    text = after_stream(text).unwrap_or(text).trim();
    if let Some(said) = said_in_fields(text) {
        text = said.trim();
    }
    // A time alone, or the name of who says nothing.
    let is_said = text
        .bytes()
        .any(|byte| byte.is_ascii_alphabetic() && !b"TZ".contains(&byte));
    let is_empty = text.is_ascii() && (!is_said || text == "libbpf:");
    if is_empty { "" } else { text }
}

/// `agent-1  | TEXT`
fn after_container(line: &str) -> Option<&str> {
    let (name, text) = line.split_once(" | ").or_else(|| {
        let name = line.strip_suffix(" |")?;
        Some((name, ""))
    })?;
    let is_name = !name.trim().is_empty() && !name.trim().contains(' ') && !name.contains(':');
    is_name.then_some(text)
}

/// `Apr 02 10:00:26 host agent[4242]: TEXT`
fn after_process(line: &str) -> Option<&str> {
    for (at, _) in line.match_indices("]:").take(2) {
        let before = line[..at].trim_end_matches(|letter: char| letter.is_ascii_digit());
        let has_number = before.len() < at && before.ends_with('[');
        let text = &line[at + 2..];
        if has_number && before.contains(' ') && (text.is_empty() || text.starts_with(' ')) {
            return Some(text);
        }
    }
    None
}

/// `2026-03-27T06:20:40.061Z stderr F TEXT`
fn after_stream(line: &str) -> Option<&str> {
    if !line.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    let mut words = line.splitn(4, ' ');
    let (_, stream, flag) = (words.next()?, words.next()?, words.next()?);
    let is_stream = matches!(stream, "stderr" | "stdout") && matches!(flag, "F" | "P");
    is_stream.then(|| words.next().unwrap_or_default())
}

/// The message in the fields of logfmt or JSON; `None` if the line is neither.
fn said_in_fields(line: &str) -> Option<&str> {
    const LOGFMT: [&str; 3] = [" msg=\"", " message=\"", " error=\""];
    const JSON: [&str; 6] = ["msg", "message", "log", "line", "error", "MESSAGE"];
    if line.starts_with('{') {
        let values = JSON.iter().filter_map(|name| json_value(line, name));
        return longest(values);
    }
    let end = memchr(b'=', line.as_bytes())?;
    let name = &line[..end];
    if !matches!(name, "time" | "ts" | "t" | "level" | "lvl" | "msg") {
        return None;
    }
    if let Some(value) = line.strip_prefix("msg=\"") {
        return Some(quoted(value));
    }
    let value = |before: &&str| Some(quoted(line.split_once(before)?.1));
    if let Some(said) = longest(LOGFMT.iter().filter_map(value)) {
        return Some(said);
    }
    // Some leave out a message that is empty.
    let is_only_fields = line.split(' ').all(|word| word.contains('='));
    is_only_fields.then_some("")
}

fn json_value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    for (at, _) in line.match_indices(name) {
        let after = line[at + name.len()..].strip_prefix("\":");
        if line[..at].ends_with('"')
            && let Some(value) = after.and_then(|value| value.trim_start().strip_prefix('"'))
        {
            return Some(quoted(value));
        }
    }
    None
}

/// The text up to the quotation mark that ends it.
pub fn quoted(text: &str) -> &str {
    for (at, _) in text.match_indices('"') {
        if !text[..at].ends_with('\\') {
            return &text[..at];
        }
    }
    text
}

fn longest<'a>(values: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    values.max_by_key(|value| value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loggers_add_is_left_out() {
        for line in [
            "the moon is wrong",
            "  the moon is wrong ",
            "Apr 02 10:00:26 host agent[4242]: the moon is wrong",
            "2026-04-02T10:00:26+0000 host agent[1]: the moon is wrong",
            "agent-1  | the moon is wrong",
            "2026-03-27T06:20:40.061Z stderr F the moon is wrong",
            "time=\"10:11:12Z\" level=warning msg=\"the moon is wrong\" subsys=loader",
            "level=warning msg=\"the moon is wrong\" subsys=loader",
            "msg=\"the moon is wrong\" level=info",
            "{\"level\":\"error\",\"msg\":\"the moon is wrong\",\"caller\":\"load.go:12\"}",
            "{\"level\": \"error\", \"error\": \"the moon is wrong\", \"msg\": \"load\"}",
            "{\"log\":\"the moon is wrong\",\"stream\":\"stderr\"}",
        ] {
            assert_eq!(find_payload(line), "the moon is wrong", "{line}");
        }
    }

    #[test]
    fn an_empty_message_is_empty() {
        for line in [
            "",
            "   ",
            "Apr 02 10:00:26 host agent[4242]:",
            "agent-1  | ",
            "agent-1  | libbpf:",
            "libbpf: ",
            "2026-03-27T06:20:40.061Z stderr F ",
            "2026/03/04 10:11:12 ",
            "time=\"2026-03-04T10:11:12Z\" level=warning msg=\"\" subsys=loader",
            "level=warning subsys=datapath-loader",
            "{\"level\":\"error\",\"caller\":\"load.go:12\",\"msg\":\"\"}",
        ] {
            assert_eq!(find_payload(line), "", "{line}");
        }
    }

    #[test]
    fn other_text_stays() {
        for line in [
            "a | b is not a table",
            "func[12]: is one word",
            "the value=12 is wrong",
            "{ not json",
            "값이 없다",
            "level=1 is too high",
        ] {
            let kept = find_payload(line);
            let expected = line.split_once("a | ").map_or(line, |(_, rest)| rest);
            assert_eq!(kept, expected, "{line}");
        }
    }
}
