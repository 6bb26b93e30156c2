//! The same thing several times: in two languages, on five kernels. Without JavaScript all of them
//! show, one below the other.

/// What one choice applies to, on all pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    Language,
    Kernel,
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::Kernel => "kernel",
        }
    }
}

/// Each with a name, a caption in HTML, and its contents in Markdown.
pub fn render_tabs(group: Group, panels: &[(String, String, String)]) -> String {
    let panels: String = panels
        .iter()
        .map(|(name, caption, body)| panel(name, caption, body))
        .collect();
    format!(
        "<div class=\"tabs\" data-group=\"{}\">\n\n{panels}</div>\n",
        group.name()
    )
}

fn panel(name: &str, caption: &str, body: &str) -> String {
    format!(
        "<div class=\"tab\" data-tab=\"{name}\">\n<p class=\"tab-title\"><span \
         class=\"tab-name\">{name}</span> \
         {caption}</p>\n\n{}\n\n</div>\n\n",
        body.trim_end()
    )
}
