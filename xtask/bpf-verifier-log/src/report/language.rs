//! The language that a program is written in, as far as the name of its source file tells.

/// Which of the fixes are of use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceLanguage {
    C,
    Rust,
}

/// `None` if the name does not tell.
pub fn guess_language(file: &str) -> Option<SourceLanguage> {
    match file.rsplit_once('.')?.1 {
        "rs" => Some(SourceLanguage::Rust),
        "c" | "h" => Some(SourceLanguage::C),
        _ => None,
    }
}
