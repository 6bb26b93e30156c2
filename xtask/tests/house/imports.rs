//! Which files import from each other in a circle, within each crate.
//!
//! A re-export (`pub use`) is no import: who uses the name imports from the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{before_tests, tokens, without_comments_and_literals};
use crate::files::SourceFile;

/// `["vm", "start"]` of `crate::vm::start`.
type ModulePath = Vec<String>;

#[derive(Default)]
struct Module {
    file: String,
    /// What `use` brings in: the name here, and the whole path.
    uses: Vec<(String, ModulePath)>,
    /// The same, of `pub use`.
    exports: BTreeMap<String, ModulePath>,
    /// Other paths in the code.
    paths: Vec<ModulePath>,
    /// `mod x;`, also where `#[path]` says that its file is elsewhere.
    children: BTreeSet<String>,
}

type Crate = BTreeMap<ModulePath, Module>;

/// The files of each circle.
pub fn circles(files: &[SourceFile]) -> Vec<Vec<String>> {
    let mut circles = Vec::new();
    for modules in crates(files).values() {
        circles.extend(circles_of(&imports(modules)));
    }
    circles
}

fn crates(files: &[SourceFile]) -> BTreeMap<String, Crate> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    for file in files {
        let Some((directory, within)) = file.path.split_once("/src/") else {
            continue;
        };
        if !file.is_rust() || file.is_twin() || file.is_test() {
            continue;
        }
        let within = within.trim_end_matches(".rs");
        let mut path: ModulePath = within.split('/').map(str::to_owned).collect();
        if path == ["main"] && files.iter().any(|other| other.path == lib_of(directory)) {
            // A program beside a library is a crate of its own, and nothing imports from it.
            continue;
        }
        if ["main", "lib", "mod"].contains(&path[path.len() - 1].as_str()) {
            path.pop();
        }
        crates
            .entry(directory.to_owned())
            .or_default()
            .insert(path, read_module(file));
    }
    crates
}

fn lib_of(directory: &str) -> String {
    format!("{directory}/src/lib.rs")
}

fn read_module(file: &SourceFile) -> Module {
    let code = without_comments_and_literals(&file.text);
    let tokens = tokens(before_tests(&code));
    let mut module = Module {
        file: file.path.clone(),
        ..Module::default()
    };
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use"
            && (at == 0 || [";", "}", "]", "pub", ")", "{"].contains(&tokens[at - 1]))
        {
            let end = at
                + tokens[at..]
                    .iter()
                    .position(|token| *token == ";")
                    .unwrap_or(0);
            let mut tree = Vec::new();
            expand_use(&tokens[at + 1..end], &mut Vec::new(), &mut tree);
            if at > 0 && ["pub", ")"].contains(&tokens[at - 1]) {
                module.exports.extend(tree);
            } else {
                module.uses.extend(tree);
            }
            at = end;
        } else if tokens[at] == "mod" && tokens.get(at + 2) == Some(&";") {
            module.children.insert(tokens[at + 1].to_owned());
        } else if tokens.get(at + 1) == Some(&"::") && (at == 0 || tokens[at - 1] != "::") {
            let mut path = vec![tokens[at].to_owned()];
            while tokens.get(at + 1) == Some(&"::") && at + 2 < tokens.len() {
                path.push(tokens[at + 2].to_owned());
                at += 2;
            }
            module.paths.push(path);
        }
        at += 1;
    }
    module
}

/// `a::{b, c as d}` as `b: a::b`, `d: a::c`. Returns what follows the tree.
fn expand_use<'a>(
    mut tokens: &'a [&'a str],
    prefix: &mut ModulePath,
    found: &mut Vec<(String, ModulePath)>,
) -> &'a [&'a str] {
    let depth = prefix.len();
    while let Some((token, rest)) = tokens.split_first() {
        tokens = rest;
        match *token {
            "::" => {}
            "{" => {
                let inner = prefix.len();
                while tokens.first() != Some(&"}") && !tokens.is_empty() {
                    prefix.truncate(inner);
                    tokens = expand_use(tokens, prefix, found);
                    if tokens.first() == Some(&",") {
                        tokens = &tokens[1..];
                    }
                }
                prefix.truncate(depth);
                return tokens.get(1..).unwrap_or_default();
            }
            "as" => {
                let name = tokens.first().copied().unwrap_or_default().to_owned();
                found.push((name, prefix.clone()));
                prefix.truncate(depth);
                return tokens.get(1..).unwrap_or_default();
            }
            word => prefix.push(word.to_owned()),
        }
        if matches!(tokens.first(), None | Some(&"," | &"}")) {
            break;
        }
    }
    if prefix.len() > depth {
        if prefix.last().is_some_and(|last| last == "self") {
            prefix.pop();
        }
        found.push((prefix.last().cloned().unwrap_or_default(), prefix.clone()));
    }
    prefix.truncate(depth);
    tokens
}

/// Of each file, the files that it imports from.
fn imports(modules: &Crate) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut imports = BTreeMap::new();
    for (here, module) in modules {
        let mut from = BTreeSet::new();
        let used = module.uses.iter().map(|(_, path)| path);
        for path in used.chain(&module.paths) {
            if let Some(file) = defining_file(modules, here, path, 0)
                && file != module.file
            {
                from.insert(file);
            }
        }
        imports.insert(module.file.as_str(), from);
    }
    imports
}

/// The file that defines what the path names; none for a module, and for what is of another crate.
fn defining_file<'a>(
    modules: &'a Crate,
    here: &ModulePath,
    path: &[String],
    depth: usize,
) -> Option<&'a str> {
    let (first, mut rest) = path.split_first()?;
    let mut module = match first.as_str() {
        "crate" => Vec::new(),
        "self" => here.clone(),
        "super" => here[..here.len().checked_sub(1)?].to_vec(),
        _ => {
            let child = [here.as_slice(), &path[..1]].concat();
            if modules.contains_key(&child) {
                child
            } else {
                // A module that `use` brought in.
                let (_, used) = modules
                    .get(here)?
                    .uses
                    .iter()
                    .find(|(name, _)| name == first)?;
                if rest.is_empty() || depth > 8 || used == path {
                    return None;
                }
                let whole = [used.as_slice(), rest].concat();
                return defining_file(modules, here, &whole, depth + 1);
            }
        }
    };
    while rest.first().is_some_and(|name| name == "super") {
        module.pop();
        rest = &rest[1..];
    }
    while let Some((name, after)) = rest.split_first() {
        let child = [module.as_slice(), std::slice::from_ref(name)].concat();
        if modules.contains_key(&child) {
            (module, rest) = (child, after);
            continue;
        }
        let defined = modules.get(&module)?;
        // A module whose file is not of this crate.
        if defined.children.contains(name) {
            return None;
        }
        if let Some(export) = defined.exports.get(name)
            && depth < 8
        {
            return defining_file(modules, &module, export, depth + 1);
        }
        return Some(&defined.file);
    }
    None
}

fn circles_of(imports: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Vec<String>> {
    let mut reachable: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for start in imports.keys() {
        let mut seen = BTreeSet::new();
        let mut next = vec![*start];
        while let Some(file) = next.pop() {
            for other in imports.get(file).into_iter().flatten() {
                if seen.insert(*other) {
                    next.push(other);
                }
            }
        }
        reachable.insert(start, seen);
    }
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, seen) in &reachable {
        if seen.contains(file) {
            let back = |other: &&&str| reachable[**other].contains(file);
            circles.insert(
                seen.iter()
                    .filter(back)
                    .map(|file| (*file).to_owned())
                    .collect(),
            );
        }
    }
    circles.into_iter().collect()
}

#[cfg(test)]
fn crate_of(files: &[(&str, &str)]) -> Vec<SourceFile> {
    let file = |(path, text): &(&str, &str)| SourceFile {
        path: format!("x/src/{path}.rs"),
        text: (*text).to_owned(),
    };
    files.iter().map(file).collect()
}

#[test]
fn a_circle_is_found_through_modules_and_groups() {
    let files = crate_of(&[
        ("lib", "mod a; mod b; mod c;"),
        ("a", "use crate::{b::{self, Thing}, c}; fn f() { c::g() }"),
        ("b", "pub struct Thing; fn g() { crate::c::g() }"),
        ("c", "use super::a; pub fn g() { a::f() }"),
    ]);
    let circle = ["x/src/a.rs", "x/src/b.rs", "x/src/c.rs"].map(str::to_owned);
    assert_eq!(circles(&files), [circle]);
}

#[test]
fn a_module_that_is_only_named_and_a_reexport_are_no_imports() {
    let files = crate_of(&[
        ("lib", "mod a; mod b; pub use a::Thing;"),
        (
            "a",
            "use crate::b; pub struct Thing; #[cfg(test)] mod tests { use crate::b::g; }",
        ),
        ("b", "use crate::Thing; pub fn g() {}"),
    ]);
    assert!(circles(&files).is_empty());
}

#[test]
fn a_file_that_path_names_is_not_the_file_that_declares_it() {
    let files = crate_of(&[
        (
            "main",
            "#[path = \"../../src/event.rs\"] mod event; mod a; fn f() { a::f() }",
        ),
        ("a", "use crate::event::Event; pub fn f() {}"),
    ]);
    assert!(circles(&files).is_empty());
}
