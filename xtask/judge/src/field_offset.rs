//! The format file of a tracepoint, which lesson 03 explains.

use std::fs;

use anyhow::{Context as _, Result};
use common::machine;

/// Where the field with this declaration, such as `pid_t pid`, lies in the record.
pub fn offset(category: &str, event: &str, declaration: &str) -> Result<u32> {
    let tracefs = machine::tracefs()?;
    let path = tracefs
        .join("events")
        .join(category)
        .join(event)
        .join("format");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    find(&text, declaration).with_context(|| format!("find '{declaration}' in {}", path.display()))
}

fn find(text: &str, declaration: &str) -> Option<u32> {
    let field = format!("field:{declaration};");
    let rest = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(&field))?;
    let (offset, _) = rest.trim().strip_prefix("offset:")?.split_once(';')?;
    offset.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_declaration() {
        let text = "name: sched_process_exec\n\
            \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
            \tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n\
            \tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n";
        assert_eq!(find(text, "__data_loc char[] filename"), Some(8));
        assert_eq!(find(text, "pid_t pid"), Some(12));
        assert_eq!(find(text, "pid"), None);
    }
}
