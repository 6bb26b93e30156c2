//! Rounds of measurements, and the middle of what they gave.

use anyhow::Result;
use course::Implementation;

/// The middle one; of an even number, the lower of the two in the middle: it was measured.
pub fn find_median<T: PartialOrd + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// What each implementation gives, round by round. Each goes first as often as the other, so that
/// whatever else the machine does, it does to both.
pub fn measure_in_turn<T>(
    rounds: u16,
    mut perform: impl FnMut(Implementation) -> Result<T>,
) -> Result<[Vec<T>; 2]> {
    let mut results = [Vec::new(), Vec::new()];
    for round in 0..usize::from(rounds) {
        for turn in [round % 2, 1 - round % 2] {
            results[turn].push(perform(Implementation::ALL[turn])?);
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_was_measured() {
        assert_eq!(find_median(vec![3, 1, 2]), Some(2));
        assert_eq!(find_median(vec![4.0, 1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(find_median(vec![7]), Some(7));
        assert_eq!(find_median::<u32>(vec![]), None);
    }

    #[test]
    fn each_implementation_goes_first_in_its_turn() {
        let mut order = Vec::new();
        let results = measure_in_turn(3, |implementation| {
            order.push(implementation.to_string());
            Ok(implementation)
        });
        assert_eq!(order, ["aya", "libbpf", "libbpf", "aya", "aya", "libbpf"]);
        assert_eq!(
            results.unwrap(),
            [
                vec![Implementation::Aya; 3],
                vec![Implementation::Libbpf; 3]
            ]
        );
    }
}
