//! One form of maps in the eBPF programs in Rust: `#[btf_map]`, which libbpf and bpftool can open
//! too.

use std::path::Path;

use crate::files::read_files;

/// Programs that are about the old form.
const OLD_FORM: [&str; 3] = [
    "lessons/07-verifier-pitfalls/entries/btf-rejected/fail.rs",
    "lessons/07-verifier-pitfalls/entries/btf-rejected/fixed.rs",
    "lessons/07-verifier-pitfalls/entries/map-btf-required/fail.rs",
];

/// What eBPF programs and the texts about them are in. The reference compares both forms.
const DIRECTORIES: [&str; 3] = ["lessons/", "xtask/templates/", "book/src/lessons/"];
const FILES: [&str; 3] = ["*.rs", "*.toml", "*.md"];

/// What is not as it should be, a line each.
pub fn faults(house: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for file in read_files(house, &FILES) {
        if !DIRECTORIES.iter().any(|begin| file.path.starts_with(begin)) {
            continue;
        }
        let found = faults_in(&file.text);
        if !OLD_FORM.contains(&file.path.as_str()) {
            let place = |(line, why)| format!("{}:{line}: {why}", file.path);
            faults.extend(found.into_iter().map(place));
        } else if !explains_old_form(&file.text) {
            faults.push(format!("{}: say why in a comment over #[map]", file.path));
        }
    }
    faults
}

/// The number of each such line, and what to write instead.
fn faults_in(text: &str) -> Vec<(usize, &'static str)> {
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(why) = fault_of(line) {
            faults.push((number + 1, why));
        }
    }
    faults
}

fn fault_of(line: &str) -> Option<&'static str> {
    if is_old_form(line) || line.contains("::with_max_entries(") {
        Some("declare it with #[btf_map], and a type of aya_ebpf::btf_maps")
    } else if line.contains("::with_byte_size(") {
        Some("write `RingBuf<(), { BYTES }> = RingBuf::new()`, under #[btf_map]")
    } else if line.contains(": RingBuf<") && !line.contains(": RingBuf<(), ") {
        Some("libbpf cannot open a ring buffer with a type: write `RingBuf<(), { BYTES }>`")
    } else {
        None
    }
}

fn is_old_form(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[map]") || line.starts_with("#[map(")
}

fn explains_old_form(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let mut pairs = lines.windows(2);
    pairs.any(|pair| pair[0].starts_with("//") && is_old_form(pair[1]))
}

#[test]
fn the_old_form_and_typed_ring_buffers_are_found() {
    let old =
        "#[map(name = \"x\")]\nstatic A: HashMap<u32, u64> = HashMap::with_max_entries(8, 0);";
    assert_eq!(faults_in(old).len(), 2);
    assert_eq!(faults_in("`RingBuf::with_byte_size(4096, 0)`").len(), 1);
    assert_eq!(
        faults_in("static A: RingBuf<Event, 4096> = RingBuf::new();").len(),
        1
    );
    let new =
        "// `#[map]` is the old form.\n#[btf_map]\nstatic A: RingBuf<(), 4096> = RingBuf::new();";
    assert_eq!(faults_in(new), []);
    assert!(explains_old_form(
        "// It has no types.\n#[map]\nstatic A: B = C;"
    ));
    assert!(!explains_old_form("use d;\n\n#[map]\nstatic A: B = C;"));
}
