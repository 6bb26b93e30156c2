//! What a kernel module says about itself.

use anyhow::{Context, Result};
use object::{Object, ObjectSection};

/// The modules that it needs: `depends=a,b` in the section `.modinfo`, a list of texts that each
/// end with a zero.
pub fn read_dependencies(module: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(module)?;
    let section = file
        .section_by_name(".modinfo")
        .context("it is no kernel module")?;
    let texts = section.data()?.split(|byte| *byte == 0);
    let names = texts
        .filter_map(|text| text.strip_prefix(b"depends="))
        .flat_map(|list| list.split(|byte| *byte == b','));
    Ok(names
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).replace('-', "_"))
        .collect())
}
