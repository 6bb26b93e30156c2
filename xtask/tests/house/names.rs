//! The names of functions and types.

use std::collections::BTreeMap;

use crate::code::{before_tests, tokens, without_comments_and_literals};
use crate::files::SourceFile;

/// What may be between `pub` and `fn`.
const QUALIFIERS: [&str; 9] = [
    "const", "unsafe", "async", "extern", "(", ")", "crate", "super", "in",
];

/// The names of all functions, methods included, that are public, if only in their crate.
pub fn public_functions(files: &[SourceFile]) -> Vec<String> {
    let mut functions = Vec::new();
    for_each_code(files, |_, code| {
        let tokens = tokens(code);
        for (at, _) in tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| **token == "fn")
        {
            let mut before = tokens[..at].iter().rev();
            let first = before.find(|token| !QUALIFIERS.contains(token));
            if first == Some(&"pub")
                && let Some(name) = tokens.get(at + 1)
            {
                functions.push((*name).to_owned());
            }
        }
    });
    functions
}

/// A public type: where it is, and its name.
pub struct Type {
    path: String,
    /// Types of different scopes are not read together.
    scope: String,
    name: String,
}

pub fn types(files: &[SourceFile]) -> Vec<Type> {
    let mut types = Vec::new();
    for_each_code(files, |path, code| {
        let tokens = tokens(code);
        for (at, token) in tokens.iter().enumerate() {
            if !["struct", "enum", "trait", "union"].contains(token) {
                continue;
            }
            let mut before = tokens[..at].iter().rev();
            let first = before.find(|token| !QUALIFIERS.contains(token));
            if first == Some(&"pub")
                && let Some(name) = tokens.get(at + 1)
            {
                types.push(Type {
                    path: path.to_owned(),
                    scope: scope(path),
                    name: (*name).to_owned(),
                });
            }
        }
    });
    types
}

/// Each lesson is read by itself; the tool's crates are read together.
fn scope(path: &str) -> String {
    match path.split_once('/') {
        Some(("lessons", rest)) => rest.split('/').next().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// `NAME in FILE` of those that have the name of another.
pub fn sharing(types: &[Type]) -> Vec<String> {
    let mut named: BTreeMap<(&str, &str), Vec<&Type>> = BTreeMap::new();
    for one in types {
        named.entry((&one.scope, &one.name)).or_default().push(one);
    }
    let shared = named.into_values().filter(|types| types.len() > 1);
    shared
        .flatten()
        .map(|one| format!("{} in {}", one.name, one.path))
        .collect()
}

fn for_each_code(files: &[SourceFile], mut each: impl FnMut(&str, &str)) {
    for file in files {
        if file.is_rust() && !file.is_twin() && !file.is_test() {
            let code = without_comments_and_literals(&file.text);
            each(&file.path, before_tests(&code));
        }
    }
}
