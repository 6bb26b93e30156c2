//! How long calls took: one row for each doubling of the time.

use std::time::Duration;

use crate::event::ROWS;

/// Stars of the longest row.
const WIDTH: u64 = 40;

pub fn lines(latency: &[u64; ROWS]) -> Vec<String> {
    let most = latency.iter().copied().max().unwrap_or(0).max(1);
    rows(latency)
        .map(|(row, calls)| {
            let bar = "#".repeat(usize::try_from((calls * WIDTH).div_ceil(most)).unwrap_or(0));
            format!(
                "  {:>8} to {:<8} {calls:>8}  {bar}",
                time(1 << row),
                time(2 << row)
            )
        })
        .collect()
}

/// From the first to the last row that is not empty, with those between them.
pub fn rows(latency: &[u64; ROWS]) -> impl Iterator<Item = (usize, u64)> {
    let used = |calls: &u64| *calls > 0;
    let first = latency.iter().position(used).unwrap_or(ROWS);
    let last = latency.iter().rposition(used).map_or(0, |last| last + 1);
    latency.iter().copied().enumerate().take(last).skip(first)
}

/// Nanoseconds, in the unit that leaves one to three digits before the point.
pub fn time(nanos: u64) -> String {
    let time = Duration::from_nanos(nanos);
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.1} us", time.as_secs_f64() * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_and_end_where_calls_were() {
        let mut latency = [0; ROWS];
        (latency[10], latency[12]) = (80, 1);
        let lines = lines(&latency);
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[0],
            format!("    1.0 us to 2.0 us         80  {}", "#".repeat(40))
        );
        assert!(lines[2].ends_with(" 1  #"), "{}", lines[2]);
        assert!(super::lines(&[0; ROWS]).is_empty());
        latency[ROWS - 1] = u64::MAX / WIDTH;
        assert_eq!(rows(&latency).count(), ROWS - 10);
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        let times = [0, 999, 1_000, 12_340_000, 3_000_000_000].map(time);
        assert_eq!(times, ["0 ns", "999 ns", "1.0 us", "12.3 ms", "3.0 s"]);
    }
}
