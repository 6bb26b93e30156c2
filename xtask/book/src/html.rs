//! Text as HTML.

pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Between tags `code`.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}
