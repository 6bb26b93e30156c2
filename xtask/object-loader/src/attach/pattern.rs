//! Names with wildcards: `tcp_*`, `vfs_?ead`.

pub struct Pattern<'a>(&'a [u8]);

impl<'a> Pattern<'a> {
    pub fn new(pattern: &'a str) -> Self {
        Self(pattern.as_bytes())
    }

    pub fn has_wildcards(&self) -> bool {
        self.0.iter().any(|byte| matches!(byte, b'*' | b'?'))
    }

    /// The longest part without wildcards: each name that matches has it.
    pub fn longest_text(&self) -> &'a [u8] {
        let parts = self.0.split(|byte| matches!(byte, b'*' | b'?'));
        parts.max_by_key(|part| part.len()).unwrap_or_default()
    }

    pub fn matches(&self, name: &[u8]) -> bool {
        matches(self.0, name)
    }
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern_at, mut name_at) = (0, 0);
    // Where to go on when what follows the last star does not match.
    let mut retry = None;
    while name_at < name.len() {
        match pattern.get(pattern_at) {
            Some(b'*') => {
                pattern_at += 1;
                retry = Some((pattern_at, name_at));
            }
            Some(&byte) if byte == b'?' || byte == name[name_at] => {
                pattern_at += 1;
                name_at += 1;
            }
            _ => {
                let Some((after_star, skipped)) = retry else {
                    return false;
                };
                retry = Some((after_star, skipped + 1));
                (pattern_at, name_at) = (after_star, skipped + 1);
            }
        }
    }
    pattern[pattern_at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let matches = |pattern, name: &str| Pattern::new(pattern).matches(name.as_bytes());
        assert!(matches("tcp_*", "tcp_connect") && !matches("tcp_*", "udp_connect"));
        assert!(matches("*_connect", "tcp_v4_connect") && !matches("*_connect", "connects"));
        assert!(matches("vfs_?ead", "vfs_read") && !matches("vfs_?ead", "vfs_ead"));
        assert!(matches("*a*b", "xaxaxb") && !matches("*a*b", "xaxaxbx"));
        assert!(matches("*", "") && matches("", "") && !matches("", "a"));
        assert_eq!(Pattern::new("a*bc?d").longest_text(), b"bc");
        assert!(Pattern::new("a?").has_wildcards() && !Pattern::new("a.b").has_wildcards());
    }
}
