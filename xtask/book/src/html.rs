//! Text as HTML.

pub fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Between tags `code`.
pub fn html_code(text: &str) -> String {
    format!("<code>{}</code>", escape_html(text))
}
