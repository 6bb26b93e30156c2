//! Series in a row.

use std::fmt;

use kernel::SERIES;

/// From the first to the last, both included, as places in `SERIES`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SeriesRange {
    first: usize,
    last: usize,
}

impl SeriesRange {
    pub fn new(first: usize, last: usize) -> Self {
        Self { first, last }
    }

    pub fn first_name(self) -> &'static str {
        SERIES[self.first]
    }

    pub fn last_name(self) -> &'static str {
        SERIES[self.last]
    }

    pub fn contains_series(self, series: &str) -> bool {
        SERIES[self.first..=self.last].contains(&series)
    }
}

/// "6.12", or "6.1 to 6.19".
impl fmt::Display for SeriesRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return f.pad(self.first_name());
        }
        f.pad(&format!("{} to {}", self.first_name(), self.last_name()))
    }
}

/// The ranges of series for which this holds.
pub fn find_ranges(holds: impl Fn(usize) -> bool) -> Vec<SeriesRange> {
    let mut ranges: Vec<SeriesRange> = Vec::new();
    for place in 0..SERIES.len() {
        if !holds(place) {
            continue;
        }
        match ranges.last_mut() {
            Some(range) if range.last + 1 == place => range.last = place,
            _ => ranges.push(SeriesRange::new(place, place)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_range() {
        let ranges = find_ranges(|place| place != 1);
        let shown: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["5.10", "6.12 to 7.3"]);
        assert!(ranges[1].contains_series("6.18"));
        assert!(!ranges[1].contains_series("6.1"));
        assert_eq!(find_ranges(|_| false), []);
    }
}
