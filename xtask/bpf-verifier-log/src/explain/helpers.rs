//! Helpers by their numbers, which is all that a kernel knows of one that it does not have.

use alloc::format;
use alloc::string::String;

/// Their names from number 1 on, in the order of `enum bpf_func_id`. No kernel after 6.2 has added
/// one.
const NAMES: &str = include_str!("../../data/helpers.txt");

/// The number of the first helper that a version of Linux added, and the version. Versions:
/// docs.ebpf.io; the last numbers of 5.10 (155), 6.1 (209) and 6.12 (211) are those in the BTF of
/// these kernels.
const FIRST: [(usize, &str); 34] = [
    (42, "4.10"),
    (45, "4.11"),
    (46, "4.12"),
    (48, "4.13"),
    (51, "4.14"),
    (54, "4.15"),
    (58, "4.16"),
    (60, "4.17"),
    (65, "4.18"),
    (81, "4.19"),
    (84, "4.20"),
    (91, "5.0"),
    (93, "5.1"),
    (99, "5.2"),
    (109, "5.3"),
    (110, "5.4"),
    (111, "5.5"),
    (116, "5.6"),
    (119, "5.7"),
    (125, "5.8"),
    (136, "5.9"),
    (142, "5.10"),
    (156, "5.11"),
    (163, "5.12"),
    (164, "5.13"),
    (166, "5.14"),
    (169, "5.15"),
    (176, "5.16"),
    (180, "5.17"),
    (186, "5.18"),
    (194, "5.19"),
    (204, "6.0"),
    (208, "6.1"),
    (210, "6.2"),
];

/// `Helper 182 is bpf_strncmp, which came with Linux 5.17.`
pub fn describe_helper(number: usize) -> Option<String> {
    let name = NAMES.lines().nth(number.checked_sub(1)?)?;
    let first = FIRST.iter().rev().find(|(first, _)| number >= *first);
    let since = first.map_or(String::new(), |(_, version)| {
        format!(", which came with Linux {version}")
    });
    Some(format!("Helper {number} is {name}{since}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_named() {
        let named = |number| describe_helper(number).unwrap_or_default();
        assert_eq!(
            named(182),
            "Helper 182 is bpf_strncmp, which came with Linux 5.17."
        );
        assert_eq!(
            named(158),
            "Helper 158 is bpf_get_current_task_btf, which came with Linux 5.11."
        );
        assert_eq!(
            named(211),
            "Helper 211 is bpf_cgrp_storage_delete, which came with Linux 6.2."
        );
        assert_eq!(named(1), "Helper 1 is bpf_map_lookup_elem.");
        assert_eq!((describe_helper(0), describe_helper(212)), (None, None));
        assert!(FIRST.is_sorted());
    }
}
