//! What is said about a class of errors.

/// What commands and pages say about a class of errors.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClassText {
    /// The name that commands and pages use.
    pub slug: &'static str,
    /// Half a sentence that says what is wrong.
    pub title: &'static str,
    /// Why the verifier rejects this, and how programs come to it.
    pub rule: &'static str,
    /// What to change in C.
    pub fix_c: &'static str,
    /// What to change in Rust, with aya.
    pub fix_rust: &'static str,
}
