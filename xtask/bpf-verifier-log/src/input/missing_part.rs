//! Which part of a log is not there.

/// The part of a log that is missing. It is known from what the log has, and from what loaders say.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum MissingPart {
    /// Lines above the first that is there. The error may be among them.
    Beginning,
    /// Lines between others.
    Middle,
    /// The last lines, where the error is.
    End,
}

impl MissingPart {
    /// What that means for the reader of a log that shows no error.
    pub fn describe_part(self) -> &'static str {
        match self {
            Self::Beginning => {
                "The beginning of the log is missing. The lines above `processed` say why the \
                 program was rejected."
            }
            Self::Middle => "A part in the middle of the log is missing.",
            Self::End => {
                "The end of the log is missing. Its last lines say why the program was rejected."
            }
        }
    }
}
