//! What a name is like on each series.

use kernel::SERIES;

use crate::series_range::{SeriesRange, find_ranges};

/// What is told of a name on each series, oldest first; `None` where it is not there.
#[derive(Clone, Debug)]
pub struct History<T> {
    values: Vec<Option<T>>,
}

/// Series in a row on which a name is the same.
#[derive(Clone, Debug)]
pub struct Span<'a, T> {
    pub range: SeriesRange,
    /// `None`: it is not there.
    pub value: Option<&'a T>,
}

impl<T: PartialEq> History<T> {
    pub fn new(values: Vec<Option<T>>) -> Self {
        Self { values }
    }

    pub fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    pub fn map_values<U: PartialEq>(&self, change: impl Fn(&T) -> Option<U>) -> History<U> {
        self.map_on_series(|_, value| change(value))
    }

    /// The same for what also depends on the series.
    pub fn map_on_series<U: PartialEq>(
        &self,
        change: impl Fn(&str, &T) -> Option<U>,
    ) -> History<U> {
        let values = SERIES.iter().zip(&self.values);
        let changed = values.map(|(series, value)| change(series, value.as_ref()?));
        History::new(changed.collect())
    }

    pub fn on_series(&self, series: &str) -> Option<&T> {
        let place = SERIES.iter().position(|name| *name == series)?;
        self.values[place].as_ref()
    }

    /// Where it is there.
    pub fn presence(&self) -> Vec<SeriesRange> {
        find_ranges(|place| self.values[place].is_some())
    }

    /// Each stretch of these series with the same value, oldest first.
    pub fn find_spans(&self, series: &[&str]) -> Vec<Span<'_, T>> {
        let mut spans: Vec<(usize, usize)> = Vec::new();
        let wanted = (0..SERIES.len()).filter(|place| series.contains(&SERIES[*place]));
        for place in wanted {
            match spans.last_mut() {
                Some((_, last)) if self.values[*last] == self.values[place] => *last = place,
                _ => spans.push((place, place)),
            }
        }
        let span = |(first, last): (usize, usize)| Span {
            range: SeriesRange::new(first, last),
            value: self.values[first].as_ref(),
        };
        spans.into_iter().map(span).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History<u32> {
        let mut values = vec![Some(1); SERIES.len()];
        values[0] = None;
        values[3] = Some(2);
        History::new(values)
    }

    #[test]
    fn equal_neighbours_are_one_span() {
        let history = history();
        let spans = history.find_spans(&SERIES);
        let shown: Vec<_> = spans
            .iter()
            .map(|span| (span.range.to_string(), span.value.copied()))
            .collect();
        let expected = [
            ("5.10", None),
            ("6.1 to 6.12", Some(1)),
            ("6.16", Some(2)),
            ("6.17 to 7.3", Some(1)),
        ];
        assert_eq!(
            shown,
            expected.map(|(range, value)| (range.to_owned(), value))
        );
    }

    #[test]
    fn other_series_can_be_left_out() {
        let history = history();
        let spans = history.find_spans(&["6.1", "6.16"]);
        assert_eq!(spans.len(), 2);
        assert_eq!(spans[1].range.to_string(), "6.16");
    }
}
