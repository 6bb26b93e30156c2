//! Where a field is in the record of a tracepoint, which lesson 03 explains.

use std::fs;

use anyhow::{Context as _, Result};
use common::machine;
use common::tracepoint_format::parse_record_fields;

/// Where the field with this declaration, such as `pid_t pid`, is in the record.
pub fn find_field_offset(category: &str, event: &str, declaration: &str) -> Result<u32> {
    let tracefs = machine::find_tracefs()?;
    let path = tracefs
        .join("events")
        .join(category)
        .join(event)
        .join("format");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let mut fields = parse_record_fields(&text);
    let field = fields.find(|field| field.declaration == declaration);
    let field = field.with_context(|| format!("find '{declaration}' in {}", path.display()))?;
    Ok(field.offset)
}
