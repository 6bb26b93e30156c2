//! The format file of a tracepoint: where each field is in the record. Lesson 03 shows how it is
//! read, and reads it by itself.

/// A field, from a line like `field:pid_t child_pid; offset:44; size:4; signed:1;`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordField<'a> {
    /// As in C: `__data_loc char[] filename`
    pub declaration: &'a str,
    /// In bytes, from the start of the record.
    pub offset: u32,
}

impl<'a> RecordField<'a> {
    /// The name alone, without the length of an array.
    pub fn name(&self) -> &'a str {
        let name = self.declaration.rsplit(' ').next().unwrap_or_default();
        name.split('[').next().unwrap_or_default()
    }
}

/// The fields in a format file, or in a part of it, in their order.
pub fn parse_record_fields(format: &str) -> impl Iterator<Item = RecordField<'_>> {
    format.lines().filter_map(parse_field)
}

fn parse_field(line: &str) -> Option<RecordField<'_>> {
    let mut parts = line.trim().split(';').map(str::trim);
    Some(RecordField {
        declaration: parts.next()?.strip_prefix("field:")?,
        offset: parts.next()?.strip_prefix("offset:")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_declarations_names_and_offsets() {
        let format = "name: sched_process_exec\n\
            \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
            \tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n\
            \tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;\n\n\
            print fmt: \"comm=%s\", REC->comm\n";
        let fields: Vec<_> = parse_record_fields(format)
            .map(|field| (field.declaration, field.name(), field.offset))
            .collect();
        assert_eq!(
            fields,
            [
                ("int common_pid", "common_pid", 4),
                ("__data_loc char[] filename", "filename", 8),
                ("char comm[16]", "comm", 12),
            ]
        );
    }
}
