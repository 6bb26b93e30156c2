//! A histogram with one row for each doubling of a time.

use std::time::Duration;

/// Characters of the longest bar.
const WIDTH: u64 = 40;

/// `counts[n]` is how often something took at least 2^n nanoseconds, and less than twice that. The
/// rows are those from the first to the last that is not empty.
pub fn format_rows(counts: &[u64; 64]) -> Vec<String> {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let first = counts.iter().position(|&count| count > 0);
    let last = counts.iter().rposition(|&count| count > 0);
    let (Some(first), Some(last)) = (first, last) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for (row, &count) in counts.iter().enumerate().take(last + 1).skip(first) {
        let from = format_nanoseconds(1 << row);
        let to = format_nanoseconds((1u64 << row).saturating_mul(2));
        let length = u128::from(count) * u128::from(WIDTH);
        let length = length.div_ceil(most.into());
        let bar = "#".repeat(usize::try_from(length).unwrap_or(0));
        let row = format!("  {from:>8} to {to:<8} {count:>8}  {bar}");
        rows.push(row.trim_end().to_owned());
    }
    rows
}

/// In the unit that leaves one to three digits before the point.
pub fn format_nanoseconds(nanoseconds: u64) -> String {
    let time = Duration::from_nanos(nanoseconds);
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.1} us", time.as_secs_f64() * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_and_end_where_something_was_counted() {
        let mut counts = [0; 64];
        assert!(format_rows(&counts).is_empty());
        (counts[10], counts[12]) = (80, 1);
        let rows = format_rows(&counts);
        assert_eq!(rows.len(), 3);
        let bar = "#".repeat(40);
        assert_eq!(rows[0], format!("    1.0 us to 2.0 us         80  {bar}"));
        assert!(rows[2].ends_with(" 1  #"), "{}", rows[2]);
        counts[63] = u64::MAX;
        assert_eq!(format_rows(&counts).len(), 64 - 10);
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        let times = [0, 999, 1_000, 12_340_000, 3_000_000_000].map(format_nanoseconds);
        assert_eq!(times, ["0 ns", "999 ns", "1.0 us", "12.3 ms", "3.0 s"]);
    }
}
