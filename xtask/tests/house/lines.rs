//! Lines that are too long.

use crate::files::SourceFile;

const COLUMNS: usize = 100;
/// As the kernel's C is shown.
const TAB: usize = 8;

/// `FILE:LINE` of each.
pub fn too_long(files: &[SourceFile]) -> Vec<String> {
    let mut long = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            if columns(line) > COLUMNS {
                long.push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    long
}

fn columns(line: &str) -> usize {
    let mut columns = 0;
    for character in line.chars() {
        columns += match character {
            '\t' => TAB - columns % TAB,
            _ => 1,
        };
    }
    columns
}

#[test]
fn a_tab_fills_up_to_the_next_eighth_column() {
    assert_eq!(columns("\tx"), 9);
    assert_eq!(columns("abc\tx"), 9);
}
