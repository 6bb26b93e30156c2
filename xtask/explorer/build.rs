//! Lists the entries of the gallery, so that the answer can name the page about a class of errors.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const ENTRIES: &str = "../../lessons/07-verifier-pitfalls/entries";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={ENTRIES}");
    let mut names = Vec::new();
    for entry in fs::read_dir(ENTRIES)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut pairs = Vec::new();
    for name in &names {
        pairs.push((class(name)?, name.clone()));
    }
    // Where several entries share a class, the one of its name comes first.
    pairs.sort_by_key(|(class, name)| class != name);
    let file = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("gallery.rs");
    let mut list = String::from("[");
    for (class, name) in &pairs {
        list += &format!("(Class::{}, {name:?}), ", in_camel_case(class));
    }
    fs::write(file, list + "]")
}

/// `map-value-bounds` as the name of a variant: `MapValueBounds`. A class that does not exist does
/// not compile.
fn in_camel_case(slug: &str) -> String {
    let mut variant = String::new();
    for word in slug.split('-') {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        variant += &first.to_uppercase();
        variant += rest;
    }
    variant
}

/// The class that an entry says it belongs to, or else the one of its name.
fn class(name: &str) -> io::Result<String> {
    let about = fs::read_to_string(Path::new(ENTRIES).join(name).join("entry.toml"))?;
    let class = about
        .lines()
        .find_map(|line| line.strip_prefix("class = \"")?.strip_suffix('"'));
    Ok(class.unwrap_or(name).to_owned())
}
