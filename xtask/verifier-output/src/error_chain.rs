//! An error with its causes.

use std::error::Error;

/// `error: cause: cause of the cause`, without the causes that a message already names: many of
/// aya's do.
pub fn describe_error(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io;

    use super::*;

    #[derive(Debug)]
    struct Failure(&'static str, io::Error);

    impl fmt::Display for Failure {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failure {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let describe = |text| describe_error(&Failure(text, io::Error::other("no BTF")));
        assert_eq!(describe("load"), "load: no BTF");
        assert_eq!(describe("load failed: no BTF"), "load failed: no BTF");
    }
}
