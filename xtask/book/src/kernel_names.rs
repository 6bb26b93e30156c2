//! Tables of the names that some kernels have and others do not, as `cargo xtask where` knows them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kernel::{Architecture, SERIES};
use kernel_names::{History, Kind, Names, SeriesRange};

use crate::html;

/// `{{#successors}}`: what to use instead of a name that is gone.
pub fn successors_table() -> Result<String> {
    let names = read_names()?;
    let rows = names.list_successors().iter().map(|successor| {
        let new_kind = successor.new_kind.unwrap_or(successor.kind);
        let kind = match new_kind == successor.kind {
            true => String::new(),
            false => format!(", a {}", new_kind.kind_word()),
        };
        format!(
            "| {} | {}{kind} | {} | {} |\n",
            html::html_code(&successor.old),
            html::html_code(&successor.new),
            successor.since,
            successor.why
        )
    });
    let rows: String = rows.collect();
    Ok(format!(
        "| gone | use | from Linux | what happened |\n|---|---|---|---|\n{rows}"
    ))
}

/// `{{#names KIND}}`: the names of a kind that are not on every kernel, by the kernels that have
/// them.
pub fn names_table(kind: &str) -> Result<String> {
    let kind = Kind::ALL
        .into_iter()
        .find(|other| other.kind_word() == kind);
    let kind = kind.context("no names are of that kind")?;
    let mut rows: BTreeMap<Vec<bool>, (String, Vec<String>)> = BTreeMap::new();
    for (name, history) in read_names()?.all_of_kind(kind)? {
        if is_generated(kind, &name) {
            continue;
        }
        let (key, shown) = (places(&history), show_ranges(&history.presence()));
        if key.contains(&false) {
            let row = rows.entry(key).or_insert((shown, Vec::new()));
            row.1.push(html::html_code(&name));
        }
    }
    // What was there first comes first.
    let rows = rows.into_values().rev();
    let rows: String = rows
        .map(|(shown, names)| format!("| {shown} | {} |\n", names.join(", ")))
        .collect();
    Ok(format!("| on | names |\n|---|---|\n{rows}"))
}

/// What the tables list is the same on all architectures; a few names of devices apart.
fn read_names() -> Result<Names> {
    Names::read(Architecture::Amd64)
}

/// Each system call has two tracepoints.
fn is_generated(kind: Kind, name: &str) -> bool {
    kind == Kind::Tracepoint && name.starts_with("syscalls:")
}

fn places(history: &History<()>) -> Vec<bool> {
    let series = SERIES.iter();
    series
        .map(|series| history.on_series(series).is_some())
        .collect()
}

fn show_ranges(ranges: &[SeriesRange]) -> String {
    let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    ranges.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_with_the_kernels_that_have_them() {
        let table = names_table("helper").unwrap();
        let row = table
            .lines()
            .find(|line| line.starts_with("| 6.1 to 7.3 |"));
        assert!(row.unwrap().contains("<code>bpf_strncmp</code>"), "{table}");
        assert!(!table.contains("bpf_get_current_comm"), "{table}");
        assert!(!names_table("tracepoint").unwrap().contains("syscalls:"));
        assert!(names_table("helpers").is_err());
    }

    #[test]
    fn each_successor_has_a_row() {
        let table = successors_table().unwrap();
        let rows = read_names().unwrap().list_successors().len();
        assert_eq!(table.lines().count(), rows + 2);
        assert!(
            table.contains("<code>filename_unlinkat</code> | 7.0 |"),
            "{table}"
        );
    }
}
