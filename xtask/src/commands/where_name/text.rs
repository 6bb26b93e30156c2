//! The answer for a person.

use kernel::Architecture;

use crate::commands::where_name::answer::{Answer, Found, RangeAnswer};

/// Columns of the answer.
const WIDTH: usize = 100;

/// So many changes of a struct are told; the rest is counted.
const CHANGES: usize = 12;

/// Of a function without a known successor.
const GONE: &str =
    "gone: removed, renamed, or inlined wherever it was called; BTF does not tell which";

pub fn format_text(answer: &Answer) -> String {
    if answer.found.is_empty() {
        return format_missing(answer);
    }
    let mut blocks = Vec::new();
    let mut rest: Vec<&Found> = answer.found.iter().collect();
    while !rest.is_empty() {
        let (things, others) = take_same_things(rest);
        blocks.extend(format_things(answer, &things));
        rest = others;
    }
    for architecture in &answer.architectures {
        if !answer
            .found
            .iter()
            .any(|it| it.architecture == *architecture)
        {
            let name = &answer.name;
            blocks.push(format!(
                "{name}: no {architecture} kernel of these series has it\n"
            ));
        }
    }
    blocks.join("\n")
}

/// The first and what it is on other architectures; and all else.
fn take_same_things(found: Vec<&Found>) -> (Vec<&Found>, Vec<&Found>) {
    let first = found[0];
    found.into_iter().partition(|it| it.is_same_thing(first))
}

/// One block where it is the same on all architectures that were asked for, else one for each.
fn format_things(answer: &Answer, things: &[&Found]) -> Vec<String> {
    let are_equal = things.iter().all(|it| it.is_as_on(things[0]));
    let wanted = answer.architectures.as_slice();
    if are_equal && things.len() == wanted.len() {
        vec![format_found(things[0], &describe_kernels(wanted))]
    } else {
        let blocks = things.iter();
        blocks
            .map(|it| format_found(it, &format!(", on {}", it.architecture)))
            .collect()
    }
}

/// Nothing if they are this machine's, which nobody names.
fn describe_kernels(architectures: &[Architecture]) -> String {
    if architectures == [Architecture::HOST] {
        return String::new();
    }
    let names: Vec<&str> = architectures.iter().map(|it| it.name()).collect();
    format!(", on {}", names.join(" and "))
}

fn format_missing(answer: &Answer) -> String {
    let whose = match answer.architectures[..] {
        [one] if one != Architecture::HOST => format!("{one} "),
        _ => String::new(),
    };
    let name = &answer.name;
    let mut text = format!("{name}: no {whose}kernel of these series has it\n");
    if let Some(other) = answer.elsewhere {
        text += &format!("  {other} has it: cargo xtask where '{name}' --arch {other}\n");
    }
    for similar in &answer.similar {
        text += &format!("  similar: {similar}\n");
    }
    text + "  (names within modules are not known)\n"
}

/// `on` says on whose kernels.
fn format_found(found: &Found, on: &str) -> String {
    let mut text = format!("{}: {}{on}\n", found.name, describe_kind(found.kind));
    let width = found.ranges.iter().map(|range| range.shown.len()).max();
    let width = width.unwrap_or_default();
    for range in &found.ranges {
        let lines = describe_range(found, range);
        for (number, line) in lines.iter().enumerate() {
            let shown = if number == 0 {
                range.shown.as_str()
            } else {
                ""
            };
            text += &wrap_line(&format!("  {shown:width$}  "), line);
        }
    }
    if let Some(successor) = &found.successor {
        let kind = match successor.kind == found.kind || found.kind == "field" {
            true => String::new(),
            false => format!(", {},", describe_kind(successor.kind)),
        };
        let line = format!(
            "use {}{kind} from Linux {} on: {}",
            successor.name, successor.since, successor.why
        );
        text += &wrap_line("  ", &line);
    } else if is_gone(found) && found.kind == "function" {
        text += &format!(
            "  {GONE}
"
        );
    }
    text
}

fn describe_kind(kind: &str) -> &str {
    match kind {
        "function" => "a function of the kernel",
        "struct" => "a struct",
        "field" => "a field",
        "tracepoint" => "a tracepoint",
        "raw-tracepoint" => "a raw tracepoint",
        "hook" => "a hook of LSMs",
        "helper" => "a helper",
        "kfunc" => "a kfunc",
        "program-type" => "a type of programs",
        "map-type" => "a type of maps",
        _ => "a type of attachments",
    }
}

/// It was there, and on the newest of these kernels it is not.
fn is_gone(found: &Found) -> bool {
    let was_there = found.ranges.iter().any(|range| range.there);
    was_there && found.ranges.last().is_some_and(|range| !range.there)
}

fn describe_range(found: &Found, range: &RangeAnswer) -> Vec<String> {
    if !range.there {
        return vec!["not there".to_owned()];
    }
    let mut lines = match found.kind {
        "struct" => describe_struct(range),
        "tracepoint" => describe_record(range),
        "field" => range
            .fields
            .iter()
            .map(|field| describe_offset(field))
            .collect(),
        _ => range.signatures.clone(),
    };
    lines.extend(range.number.map(|number| format!("number {number}")));
    // There is no other way to attach to a tracepoint that has a record.
    let attach = match found.kind {
        "tracepoint" => String::new(),
        _ => range.attach.join(", "),
    };
    match lines.as_mut_slice() {
        [line] if !attach.is_empty() && line.len() + attach.len() < WIDTH - 24 => {
            *line += &format!("   {attach}");
        }
        _ if !attach.is_empty() => lines.push(attach),
        _ => {}
    }
    lines.extend(range.notes.iter().cloned());
    if lines.is_empty() {
        lines.push("there".to_owned());
    }
    lines
}

fn describe_struct(range: &RangeAnswer) -> Vec<String> {
    let size = range.size.unwrap_or_default();
    let mut lines = vec![format!("{size} bytes, {} fields", range.fields.len())];
    let is_move = |line: &&String| line.starts_with("moved:");
    let moved = range.changes.iter().filter(is_move).count();
    let others = range.changes.iter().filter(|line| !is_move(line));
    lines.extend(others.clone().take(CHANGES).cloned());
    let rest = others.count().saturating_sub(CHANGES);
    if rest > 0 {
        lines.push(format!("and {rest} more such changes"));
    }
    if moved > 0 {
        lines.push(format!("moved: {moved} fields"));
    }
    lines
}

/// All fields where it is met first; after that, what changed.
fn describe_record(range: &RangeAnswer) -> Vec<String> {
    if range.changes.is_empty() {
        return range
            .fields
            .iter()
            .map(|field| describe_offset(field))
            .collect();
    }
    range.changes.clone()
}

/// The offset so that fields are in columns.
fn describe_offset(field: &str) -> String {
    let (offset, declaration) = field.split_once(' ').unwrap_or(("", field));
    format!("{offset:>5}  {declaration}")
}

fn wrap_line(start: &str, line: &str) -> String {
    let indent = " ".repeat(start.len() + 4);
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(start)
        .subsequent_indent(&indent);
    let wrapped = textwrap::fill(line, options);
    format!("{}\n", wrapped.trim_end())
}
