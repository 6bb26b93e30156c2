//! Holds what the commands print as JSON to the fields that their `--help` tells.
//!
//! After a line that begins with `JSON`, each line of the help that begins with two to eight
//! spaces and a name tells a field; those with more spaces tell the fields in it.

use std::collections::BTreeSet;

use anyhow::Result;
use clap::CommandFactory as _;
use serde_json::Value;

use crate::cli::Arguments;
use crate::commands::{
    bench, check, class, doctor, explain, list, test, try_binary, verify, where_name,
};

/// A command, and an example of each form of what it prints.
type Sample = (&'static str, fn() -> Result<String>);

const SAMPLES: [Sample; 13] = [
    ("list", list::json_sample),
    ("check", check::json_sample),
    ("class", class::json_sample),
    ("verify", verify::tests::json_sample),
    ("where", where_name::json_sample),
    ("try", try_binary::json_sample),
    ("explain", explain::json_sample),
    ("explain", explain::cost::tests::json_sample),
    ("doctor", doctor::json_sample),
    ("bench", bench::json_sample_of_programs),
    ("bench", bench::json_sample_of_cases),
    ("bench run", bench::json_sample_of_runs),
    ("test", test::json_sample),
];

/// Where the help of one command sends to another's.
const ELSEWHERE: &str = "as in cargo xtask explain --help";

/// Where it sends to another field's.
const AS_AYA: &str = "the same as aya";

#[test]
fn what_is_printed_is_what_help_tells() {
    let commands: BTreeSet<&str> = SAMPLES.iter().map(|(command, _)| *command).collect();
    assert_eq!(commands, commands_with_json());
    for command in commands {
        let mut printed = BTreeSet::new();
        for (_, sample) in SAMPLES.iter().filter(|(name, _)| *name == command) {
            let text = sample().unwrap();
            for value in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
                collect_fields(&value.unwrap(), "", &mut printed);
            }
        }
        let told = fields_of_help(&help_of(command));
        printed.retain(|field| !told.elsewhere.iter().any(|it| field.starts_with(it)));
        assert_eq!(printed, told.fields, "cargo xtask {command}");
    }
}

#[test]
fn fields_are_read_from_help() {
    let help = "Prints it.\n\nJSON: an array, each with\n  one        1\n  list       each with\n\
        \x20   inner    a text that goes on\n             in another line\n\
        \x20 site       its line, as in cargo xtask explain --help\n\n\
        Options:\n  other  no field";
    let told = fields_of_help(help);
    let fields = ["list", "list.inner", "one", "site"].map(str::to_owned);
    assert_eq!(told.fields, BTreeSet::from(fields));
    assert_eq!(told.elsewhere, ["site."]);
}

/// `bench run` for a command within a command.
fn commands_with_json() -> BTreeSet<&'static str> {
    let root: &'static clap::Command = Box::leak(Box::new(Arguments::command()));
    let has_json = |command: &clap::Command| {
        let mut arguments = command.get_arguments();
        arguments.any(|argument| argument.get_long() == Some("json"))
    };
    let mut names = BTreeSet::new();
    for command in root.get_subcommands() {
        if has_json(command) {
            names.insert(command.get_name());
        }
        for inner in command.get_subcommands().filter(|it| has_json(it)) {
            let name = format!("{} {}", command.get_name(), inner.get_name());
            names.insert(Box::leak(name.into_boxed_str()));
        }
    }
    names
}

fn help_of(command: &str) -> String {
    let mut found = Arguments::command();
    for name in command.split(' ') {
        found = found.find_subcommand(name).unwrap().clone();
    }
    found.render_long_help().to_string()
}

#[derive(Debug)]
struct ToldFields {
    fields: BTreeSet<String>,
    /// Beginnings of fields that are told elsewhere.
    elsewhere: Vec<String>,
}

fn fields_of_help(help: &str) -> ToldFields {
    let lines = help.lines().skip_while(|line| !line.starts_with("JSON"));
    let mut told = ToldFields {
        fields: BTreeSet::new(),
        elsewhere: Vec::new(),
    };
    let mut within: Vec<String> = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let Some((depth, name, text)) = field_of_line(line) else {
            continue;
        };
        within.truncate(depth);
        within.push(name.to_owned());
        let field = within.join(".");
        if text.contains(ELSEWHERE) {
            told.elsewhere.push(format!("{field}."));
        }
        if text.contains(AS_AYA) {
            let of_aya = told.fields.iter().filter_map(|it| it.strip_prefix("aya."));
            let same: Vec<String> = of_aya.map(|it| format!("{field}.{it}")).collect();
            told.fields.extend(same);
        }
        told.fields.insert(field);
    }
    told
}

/// How deep, its name, and its description. The text of a field may go on in a line with more
/// spaces than any field has.
fn field_of_line(line: &str) -> Option<(usize, &str, &str)> {
    let rest = line.trim_start();
    let spaces = line.len() - rest.len();
    let (name, text) = rest.split_once("  ").unwrap_or((rest, ""));
    let is_name = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let depth = [2, 4, 6, 8].iter().position(|it| *it == spaces)?;
    is_name(name).then_some((depth, name, text))
}

fn collect_fields(value: &Value, within: &str, fields: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => {
            for value in values {
                collect_fields(value, within, fields);
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                let field = format!("{within}{name}");
                collect_fields(value, &format!("{field}."), fields);
                fields.insert(field);
            }
        }
        _ => {}
    }
}
