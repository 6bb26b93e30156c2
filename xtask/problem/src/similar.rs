//! The known names that are nearest to one that does not exist.

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

/// Up to so many of the known names that are alike enough to be meant, the most similar first.
pub fn find_similar_names<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    most: usize,
) -> Vec<&'a str> {
    let scored = known.into_iter().map(|known| {
        let score = strsim::jaro_winkler(known, name);
        (score, known)
    });
    let mut alike: Vec<(f64, &str)> = scored.filter(|(score, _)| *score > ALIKE).collect();
    alike.sort_by(|(one, first), (other, second)| {
        let better_first = other.total_cmp(one);
        better_first.then_with(|| first.cmp(second))
    });
    let best = alike.into_iter().take(most);
    best.map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::{find_similar, find_similar_names};

    #[test]
    fn the_most_similar_name_is_found_and_a_strange_one_is_not() {
        let known = [("hello-kprobe", 1), ("maps", 2), ("hello-kretprobe", 3)];
        assert_eq!(find_similar("helo-kprobe", known), Some(1));
        assert_eq!(find_similar("mapz", known), Some(2));
        assert_eq!(find_similar("zzz", known), None);
        assert_eq!(find_similar("", known), None);
    }

    #[test]
    fn several_similar_names_come_best_first() {
        let known = ["vfs_unlink", "vfs_link", "maps", "vfs_unlinkat"];
        let found = find_similar_names("vfs_unlnk", known, 2);
        assert_eq!(found, ["vfs_unlink", "vfs_unlinkat"]);
        assert_eq!(find_similar_names("zzz", known, 2), [""; 0]);
    }
}
