//! The format file of a tracepoint: the kernel's own description of the record that it writes.
//!
//! ```text
//! name: sched_process_exec
//! format:
//!     field:unsigned short common_type;  offset:0;  size:2;  signed:0;
//!     ...
//!     field:__data_loc char[] filename;  offset:8;  size:4;  signed:0;
//! ```

use std::fs;
use std::path::Path;

use common::{NotReady, machine};

/// Of all events in this lesson.
pub const CATEGORY: &str = "sched";

#[derive(Debug, Eq, PartialEq)]
pub struct Field {
    /// As in C: `__data_loc char[] filename`
    pub declaration: String,
    pub offset: u32,
    pub size: u32,
}

#[derive(Debug)]
pub struct Format {
    event: String,
    pub fields: Vec<Field>,
}

impl Format {
    pub fn read_format(event: &str) -> Result<Self, NotReady> {
        Self::read_in(&machine::find_tracefs()?, event)
    }

    fn read_in(tracefs: &Path, event: &str) -> Result<Self, NotReady> {
        let events = tracefs.join("events").join(CATEGORY);
        let path = events.join(event).join("format");
        let text = fs::read_to_string(&path).map_err(|error| {
            NotReady::new(format!("cannot read {}: {error}", path.display()))
                .help(format!("ls {}", events.display()))
        })?;
        Ok(Self {
            event: event.to_owned(),
            fields: parse_fields(&text),
        })
    }

    /// The field with this declaration. The name alone is not enough: a field with another type
    /// would be read wrongly.
    pub fn field(&self, declaration: &str) -> Result<&Field, NotReady> {
        let mut fields = self.fields.iter();
        let found = fields.find(|field| field.declaration == declaration);
        found.ok_or_else(|| {
            let Self { event, .. } = self;
            let release = machine::kernel_release();
            NotReady::new(format!(
                "cannot find '{declaration}' in the format of {event}: \
                Linux {release} has no such field"
            ))
            .help(format!(
                "cat /sys/kernel/tracing/events/{CATEGORY}/{event}/format"
            ))
        })
    }
}

// ANCHOR: parse
fn parse_fields(text: &str) -> Vec<Field> {
    text.lines().filter_map(parse_field).collect()
}

fn parse_field(line: &str) -> Option<Field> {
    let mut parts = line.trim().split(';').map(str::trim);
    Some(Field {
        declaration: parts.next()?.strip_prefix("field:")?.to_owned(),
        offset: parts.next()?.strip_prefix("offset:")?.parse().ok()?,
        size: parts.next()?.strip_prefix("size:")?.parse().ok()?,
    })
}
// ANCHOR_END: parse

#[cfg(test)]
mod tests {
    use super::*;

    /// The file of a Linux 6.12.
    const TEXT: &str = "name: sched_process_exec\nID: 303\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n\
        \tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n\n\
        print fmt: \"filename=%s pid=%d\", __get_str(filename), REC->pid\n";

    fn format(text: &str) -> Format {
        let tracefs = tempfile::tempdir().expect("a temporary directory can be created");
        let directory = tracefs.path().join("events/sched/an_event");
        fs::create_dir_all(&directory).expect("the directory can be created");
        fs::write(directory.join("format"), text).expect("the file can be written");
        Format::read_in(tracefs.path(), "an_event").expect("the file is there")
    }

    #[test]
    fn fields_have_offsets_and_nothing_else_is_a_field() {
        let format = format(TEXT);
        assert_eq!(format.fields.len(), 4);
        let pid = Field {
            declaration: "pid_t pid".to_owned(),
            offset: 12,
            size: 4,
        };
        assert_eq!(format.field("pid_t pid").expect("it is there"), &pid);
    }

    #[test]
    fn offsets_move_with_the_file() {
        let moved = format(&TEXT.replace("offset:12", "offset:20"));
        assert_eq!(moved.field("pid_t pid").expect("it is there").offset, 20);
    }

    #[test]
    fn a_field_of_another_type_is_another_field() {
        let changed = format(&TEXT.replace("__data_loc", "__rel_loc"));
        let problem = changed
            .field("__data_loc char[] filename")
            .expect_err("it is of another type");
        assert!(
            problem.to_string().contains("'__data_loc char[] filename'"),
            "{problem}"
        );
    }

    #[test]
    fn an_event_that_the_kernel_does_not_have_is_named() {
        let tracefs = tempfile::tempdir().expect("a temporary directory can be created");
        let problem =
            Format::read_in(tracefs.path(), "sched_process_exec").expect_err("it is empty");
        assert!(
            problem
                .to_string()
                .contains("events/sched/sched_process_exec/format"),
            "{problem}"
        );
        assert!(problem.help_lines()[0].starts_with("ls "));
    }

    #[test]
    fn odd_lines_are_no_fields() {
        for text in [
            "",
            "\n\n",
            "field:",
            "field:int x;",
            "field:int x;offset:y;size:4;",
            "field:int x;offset:-1;size:4;",
        ] {
            assert_eq!(parse_fields(text), [], "{text}");
        }
    }
}
