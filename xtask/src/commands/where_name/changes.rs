//! What became of the fields of a struct or a record from one range of series to the next.

use kernel_names::{Field, RecordField};

/// A field by its name, where it is, and what C says of it.
pub struct FieldLine<'a> {
    name: &'a str,
    pub offset: u32,
    pub declaration: String,
}

impl<'a> From<&'a Field> for FieldLine<'a> {
    fn from(field: &'a Field) -> Self {
        Self {
            name: field.name(),
            offset: field.offset,
            declaration: field.c_declaration(),
        }
    }
}

impl<'a> From<&'a RecordField> for FieldLine<'a> {
    fn from(field: &'a RecordField) -> Self {
        Self {
            name: field.name(),
            offset: field.offset,
            declaration: field.declaration.clone(),
        }
    }
}

/// A line for each field that came, went, became another type, or is in another place.
pub fn describe_changes(before: &[FieldLine<'_>], after: &[FieldLine<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    for old in before {
        let Some(new) = find_line(after, old.name) else {
            lines.push(format!("gone: {}", old.declaration));
            continue;
        };
        if new.declaration != old.declaration {
            lines.push(format!(
                "changed: {}, was {}; offset {}, was {}",
                new.declaration, old.declaration, new.offset, old.offset
            ));
        } else if new.offset != old.offset {
            lines.push(format!(
                "moved: {} from {} to {}",
                old.name, old.offset, new.offset
            ));
        }
    }
    let came = after
        .iter()
        .filter(|new| find_line(before, new.name).is_none());
    lines.extend(came.map(|new| format!("new: {} at {}", new.declaration, new.offset)));
    lines
}

fn find_line<'a, 'b>(fields: &'b [FieldLine<'a>], name: &str) -> Option<&'b FieldLine<'a>> {
    fields.iter().find(|field| field.name == name)
}

#[cfg(test)]
mod tests {
    use kernel_names::Record;

    use super::*;

    #[test]
    fn each_kind_of_change_is_told() {
        let record = |text| Record::parse_value(text).unwrap();
        let before = record("8 char comm[16];24 pid_t pid;28 int old");
        let after = record("8 char comm[32];40 pid_t pid;44 u64 time");
        let lines = |record: &'static Record| record.fields.iter().map(FieldLine::from).collect();
        let (before, after): (Vec<_>, Vec<_>) = (
            lines(Box::leak(Box::new(before))),
            lines(Box::leak(Box::new(after))),
        );
        let expected = [
            "changed: char comm[32], was char comm[16]; offset 8, was 8",
            "moved: pid from 24 to 40",
            "gone: int old",
            "new: u64 time at 44",
        ];
        assert_eq!(describe_changes(&before, &after), expected);
    }
}
