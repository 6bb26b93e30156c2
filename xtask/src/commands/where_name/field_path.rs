//! A field of a struct, also of one that it embeds or points to: `file.f_path.dentry.d_name`.

use anyhow::Result;
use kernel::SERIES;
use kernel_names::{History, Names, Struct};

/// Where a field is, and what it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FoundField {
    /// In bytes from the start of the outer struct, or of the one that the last pointer of the
    /// path leads to.
    pub offset: u32,
    pub declaration: String,
    /// The struct that the last pointer of the path leads to.
    pub pointed_struct: Option<String>,
}

/// Structs in structs: no real path is longer.
const DEEPEST: usize = 8;

/// The field on each series. Where several definitions of the struct have it, in each.
pub fn find_field(names: &Names, structure: &str, path: &str) -> Result<History<Vec<FoundField>>> {
    let mut values = Vec::new();
    for series in SERIES {
        let found = fields_on(names, structure, path, series, DEEPEST)?;
        values.push((!found.is_empty()).then_some(found));
    }
    Ok(History::new(values))
}

fn fields_on(
    names: &Names,
    structure: &str,
    path: &str,
    series: &str,
    depth: usize,
) -> Result<Vec<FoundField>> {
    let history = names.structs(structure)?;
    let mut found = Vec::new();
    for definition in history.on_series(series).into_iter().flatten() {
        found.extend(in_definition(names, definition, path, series, depth)?);
    }
    found.dedup();
    Ok(found)
}

/// The whole path, or the longest beginning of it that is a field, and the rest within that.
fn in_definition(
    names: &Names,
    definition: &Struct,
    path: &str,
    series: &str,
    depth: usize,
) -> Result<Vec<FoundField>> {
    if let Some(field) = definition.find_field(path) {
        return Ok(vec![FoundField {
            offset: field.offset,
            declaration: field.c_declaration(),
            pointed_struct: None,
        }]);
    }
    for (dot, _) in path.rmatch_indices('.').filter(|_| depth > 0) {
        let Some(outer) = definition.find_field(&path[..dot]) else {
            continue;
        };
        let within =
            |structure: &str| fields_on(names, structure, &path[dot + 1..], series, depth - 1);
        if let Some(pointed) = outer.pointed_struct() {
            let mut inner = within(pointed)?;
            for field in &mut inner {
                field
                    .pointed_struct
                    .get_or_insert_with(|| pointed.to_owned());
            }
            return Ok(inner);
        }
        let Some(embedded) = outer.embedded_struct() else {
            return Ok(Vec::new());
        };
        let mut inner = within(embedded)?;
        for field in inner
            .iter_mut()
            .filter(|field| field.pointed_struct.is_none())
        {
            field.offset += outer.offset;
        }
        return Ok(inner);
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Architecture;

    fn offset(structure: &str, path: &str, series: &str) -> Option<u32> {
        let names = Names::read(Architecture::Amd64).unwrap();
        let history = find_field(&names, structure, path).unwrap();
        Some(history.on_series(series)?[0].offset)
    }

    #[test]
    fn a_path_leads_into_what_is_embedded_and_through_pointers() {
        let path = offset("file", "f_path", "6.12").unwrap();
        let dentry = offset("path", "dentry", "6.12").unwrap();
        assert_eq!(offset("file", "f_path.dentry", "6.12"), Some(path + dentry));
        let number = offset("inode", "i_ino", "6.12");
        assert!(number.is_some());
        assert_eq!(offset("file", "f_inode.i_ino", "6.12"), number);
        assert_eq!(offset("file", "f_inode.i_no", "6.12"), None);
        let name = offset("dentry", "d_name", "6.12").unwrap();
        let text = offset("qstr", "name", "6.12").unwrap();
        let path = "f_path.dentry.d_name.name";
        assert_eq!(offset("file", path, "6.12"), Some(name + text));
        assert_eq!(offset("file", "f_path.", "6.12"), None);
        assert_eq!(offset("no_such_struct", "field", "6.12"), None);
    }
}
