//! Every rejection that the gallery recorded has the class that its entry is about.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fs;
use std::path::Path;

use bpf_verifier_log::{Class, explain_log};

// Tests run in the directory of their package.
const GALLERY: &str = "../../lessons/07-verifier-pitfalls";

/// The class that an entry is about on a kernel, by its `entry.toml`; `None` if the kernel lacks
/// what the entry is about, and may have any reason.
fn expected_class(entry: &str, kernel: &str) -> Option<Class> {
    let path = Path::new(GALLERY).join(format!("entries/{entry}/entry.toml"));
    let about = fs::read_to_string(path).unwrap();
    let (general, on_kernels) = about.split_once("[class-on]").unwrap_or((&about, ""));
    if let Some((_, since)) = about.split_once("since = { kernel = \"") {
        let (since, _) = since.split_once('"').unwrap();
        if version(kernel) < version(since) {
            return None;
        }
    }
    let value_of = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split('"').nth_back(1)?.to_owned())
    };
    let slug = value_of(on_kernels, &format!("\"{kernel}\" = "))
        .or_else(|| value_of(general, "class = "))
        .unwrap_or_else(|| entry.to_owned());
    match slug.parse() {
        Ok(class) => Some(class),
        Err(error) => panic!("entries/{entry}/entry.toml: {error}"),
    }
}

fn version(kernel: &str) -> Vec<u32> {
    kernel
        .split('.')
        .map(|number| number.parse().unwrap())
        .collect()
}

#[test]
fn every_recorded_rejection_has_the_class_of_its_entry() {
    for kernel in ["5.10", "6.1", "6.12", "6.18", "7.3"] {
        let path = Path::new(GALLERY).join(format!("logs/{kernel}.snap"));
        let recorded = fs::read_to_string(path).unwrap();
        let mut count = 0;
        for section in recorded.split("\n=== ").skip(1) {
            // `map-value-bounds · c · fail`
            let (title, log) = section.split_once('\n').unwrap();
            let Some((entry, _)) = title.split_once(" · ") else {
                continue;
            };
            if !title.ends_with(" · fail") || !log.starts_with("rejected: ") {
                continue;
            }
            let Some(expected) = expected_class(entry, kernel) else {
                continue;
            };
            let program = &explain_log(log.as_bytes()).programs[0];
            assert_eq!(program.class, Some(expected), "{title} on {kernel}:\n{log}");
            assert_eq!(program.missing_part, None, "{title} on {kernel}:\n{log}");
            count += 1;
        }
        assert!(count > 90, "{kernel}: {count} logs");
    }
}
