//! One order of versions, for kernels, packages and QEMU.

/// A version that sorts as people read it: runs of digits as numbers. Debian's finer rules (epochs,
/// tildes) are not needed: versions of one package in one suite are compared.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version(Vec<(u64, String)>);

impl Version {
    /// `6.18.15+deb13-cloud-amd64`, `10.0`; `None` if it does not begin with a digit.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let text = after
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(after.len());
            let (text, after) = after.split_at(text);
            parts.push((number.parse().unwrap_or(0), text.to_owned()));
            rest = after;
        }
        Some(Self(parts))
    }
}

/// Whether a kernel is older than another one; of a name without a version that is not known, and
/// it counts as older.
pub fn is_older(kernel: &str, other: &str) -> bool {
    Version::parse(kernel) < Version::parse(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ARM64_MATRIX, MATRIX, SERIES};

    #[test]
    fn versions_sort_as_people_read_them() {
        let mut versions = [
            "6.18.9-1",
            "6.18.15-1",
            "5.10.0-46",
            "5.10.0-9",
            "6.18.15-1~bpo13+1",
        ];
        versions.sort_by_key(|version| Version::parse(version));
        assert_eq!(
            versions,
            [
                "5.10.0-9",
                "5.10.0-46",
                "6.18.9-1",
                "6.18.15-1",
                "6.18.15-1~bpo13+1"
            ]
        );
        assert!(Version::parse("10.0") > Version::parse("9.2.4"));
        assert_eq!(Version::parse("?"), None);
    }

    #[test]
    fn kernels_are_in_the_order_of_versions() {
        assert!(SERIES.is_sorted_by_key(|name| Version::parse(name)));
        assert!(MATRIX.iter().all(|name| SERIES.contains(name)));
        assert_eq!(ARM64_MATRIX.first(), MATRIX.first());
        assert_eq!(ARM64_MATRIX.last(), MATRIX.last());
        assert!(MATRIX.is_sorted_by_key(|name| Version::parse(name)));
        assert!(is_older("6.12", "6.18") && !is_older("6.12", "6.1"));
        assert!(!is_older("6.12", "6.12"));
        assert!(is_older("my-bzImage", "5.10"));
    }
}
