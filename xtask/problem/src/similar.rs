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
    let letters = Letters::count_letters(name);
    let known = known
        .into_iter()
        .filter(|known| letters.may_be_alike(known));
    let scored = known.map(|known| {
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

/// How often each byte is in a name: most of a hundred thousand names are told from it by that.
struct Letters<'a> {
    counts: [u8; 256],
    name: &'a str,
}

impl<'a> Letters<'a> {
    fn count_letters(name: &'a str) -> Self {
        let mut counts = [0_u8; 256];
        for byte in name.bytes() {
            counts[usize::from(byte)] = counts[usize::from(byte)].saturating_add(1);
        }
        Self { counts, name }
    }

    /// False only if the score of the two is too low: it has the share of letters that match, and
    /// they cannot be more than those that both have. Each of the first four letters, up to the
    /// first difference, adds a tenth of what is left to one.
    #[inline]
    fn may_be_alike(&self, known: &str) -> bool {
        if !known.is_ascii() {
            return true;
        }
        let mut left = self.counts;
        let mut common = 0.0;
        for byte in known.bytes() {
            let count = &mut left[usize::from(byte)];
            if *count > 0 {
                *count -= 1;
                common += 1.0;
            }
        }
        let share = |of: &str| {
            if of.is_empty() {
                return 1.0;
            }
            common / of.len() as f64
        };
        let highest = (share(self.name) + share(known) + 1.0) / 3.0;
        let pairs = self.name.bytes().zip(known.bytes());
        let beginning = pairs
            .take(4)
            .take_while(|(own, other)| own == other)
            .count();
        highest + 0.1 * beginning as f64 * (1.0 - highest) > ALIKE
    }
}

#[cfg(test)]
mod tests {
    use super::{ALIKE, Letters, find_similar, find_similar_names};

    #[test]
    fn what_is_left_out_is_not_alike() {
        let names = [
            "vfs_unlink",
            "do_unlinkat",
            "unlink",
            "tcp_v4_rcv",
            "inode_permission",
            "",
        ];
        let mut left_out = 0;
        for name in names {
            let letters = Letters::count_letters(name);
            for known in names.iter().filter(|known| !letters.may_be_alike(known)) {
                assert!(strsim::jaro_winkler(known, name) <= ALIKE, "{known} {name}");
                left_out += 1;
            }
        }
        assert!(left_out > 10, "{left_out}");
    }

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
