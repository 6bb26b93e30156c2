//! Which kernels print a message.

use alloc::format;
use alloc::string::String;

#[cfg(feature = "serde")]
use serde::Serialize;

/// The kernels whose images were looked at: Debian's, of these series. What kernels of other series
/// print is not known.
pub const KERNEL_SERIES: &[&str] = &[
    "5.10", "6.1", "6.12", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3",
];

/// Since when and until when the kernel prints a message, as far as the images of
/// [`KERNEL_SERIES`] tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct MessageAge {
    /// The first series that has it; `None` if the oldest has it already.
    pub since: Option<&'static str>,
    /// The last series that has it; `None` if the newest still has it.
    pub until: Option<&'static str>,
}

impl MessageAge {
    /// What the table of messages says: `6.12-7.1`.
    pub(crate) fn parse_age(text: &'static str) -> Option<Self> {
        let (since, until) = text.split_once('-')?;
        let newest = KERNEL_SERIES.last()?;
        Some(Self {
            since: Some(since).filter(|since| *since != KERNEL_SERIES[0]),
            until: Some(until).filter(|until| until != newest),
        })
    }

    /// A sentence: `Linux 6.12 and later print this message, 6.1 does not.`
    pub fn describe_age(&self) -> String {
        let oldest = KERNEL_SERIES[0];
        match (self.since, self.until) {
            (None, None) => {
                let newest = KERNEL_SERIES[KERNEL_SERIES.len() - 1];
                format!("Linux {oldest} to {newest} print this message.")
            }
            (Some(since), None) => {
                let before = find_neighbour(since, -1);
                format!("Linux {since} and later print this message, {before} does not.")
            }
            (None, Some(until)) => {
                let after = find_neighbour(until, 1);
                let kernels = join_range(oldest, until);
                format!("{kernels} this message, {after} does not.")
            }
            (Some(since), Some(until)) => {
                let (before, after) = (find_neighbour(since, -1), find_neighbour(until, 1));
                let kernels = join_range(since, until);
                format!("{kernels} this message, {before} and {after} do not.")
            }
        }
    }
}

fn join_range(since: &str, until: &str) -> String {
    if since == until {
        format!("Linux {since} prints")
    } else {
        format!("Linux {since} to {until} print")
    }
}

/// The series before or after another, of those that were looked at.
fn find_neighbour(series: &str, step: isize) -> &'static str {
    let at = KERNEL_SERIES.iter().position(|other| *other == series);
    let neighbour = at.and_then(|at| KERNEL_SERIES.get(at.checked_add_signed(step)?));
    neighbour.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &'static str) -> String {
        MessageAge::parse_age(text).unwrap().describe_age()
    }

    #[test]
    fn the_neighbours_do_not_print_it() {
        assert_eq!(
            described("5.10-7.3"),
            "Linux 5.10 to 7.3 print this message."
        );
        assert_eq!(
            described("6.12-7.3"),
            "Linux 6.12 and later print this message, 6.1 does not."
        );
        assert_eq!(
            described("5.10-5.10"),
            "Linux 5.10 prints this message, 6.1 does not."
        );
        assert_eq!(
            described("6.1-6.18"),
            "Linux 6.1 to 6.18 print this message, 5.10 and 6.19 do not."
        );
        assert_eq!(MessageAge::parse_age("6.12"), None);
    }
}
