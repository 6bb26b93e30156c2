//! The known name that is nearest to one that does not exist.

/// Two names that are less alike than this have nothing to do with each other.
const ALIKE: f64 = 0.8;

/// What belongs to the known name that is most like `name`, if one is alike enough to be meant.
/// Each item of `known` is a name and what it means.
pub fn find_similar<N: AsRef<str>, T>(
    name: &str,
    known: impl IntoIterator<Item = (N, T)>,
) -> Option<T> {
    let mut best = None;
    let mut highest = ALIKE;
    for (known_name, meant) in known {
        let score = strsim::jaro_winkler(known_name.as_ref(), name);
        if score > highest {
            highest = score;
            best = Some(meant);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::find_similar;

    #[test]
    fn the_most_similar_name_is_found_and_a_strange_one_is_not() {
        let known = [("hello-kprobe", 1), ("maps", 2), ("hello-kretprobe", 3)];
        assert_eq!(find_similar("helo-kprobe", known), Some(1));
        assert_eq!(find_similar("mapz", known), Some(2));
        assert_eq!(find_similar("zzz", known), None);
        assert_eq!(find_similar("", known), None);
    }
}
