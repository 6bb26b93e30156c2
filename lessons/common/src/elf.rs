//! Where a function is in an ELF file. The kernel knows no names: it places a uprobe at an offset
//! in a file, and every process that maps this part of the file runs into it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use object::elf::STT_GNU_IFUNC;
use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSegment as _, ObjectSymbol as _, SymbolKind};
use rustc_demangle::demangle;

/// A function, as a symbol table has it.
pub struct FileFunction {
    pub symbol: String,
    pub offset: u64,
}

// ANCHOR: function
/// Finds a function by its symbol, or by its path in Rust. A number is an offset already.
pub fn find_file_function(path: &Path, name: &str) -> Result<FileFunction> {
    let data = read_file(path)?;
    let file = parse_elf(path, &data)?;
    if let Some(digits) = name.strip_prefix("0x") {
        let offset = u64::from_str_radix(digits, 16).context("cannot read the offset")?;
        return Ok(FileFunction {
            symbol: "unknown".to_owned(),
            offset,
        });
    }
    let mut found: Vec<FileFunction> = Vec::new();
    // A stripped file has only the second table: what it exports to others.
    for symbol in file.symbols().chain(file.dynamic_symbols()) {
        let text = symbol.name().unwrap_or_default();
        let is_function = symbol.kind() == SymbolKind::Text && !symbol.is_undefined();
        if !is_function || !is_called(text, name) {
            continue;
        }
        ensure!(
            symbol.elf_symbol().st_type() != STT_GNU_IFUNC,
            "cannot find one function '{name}' in {}: when a program starts, the linker chooses \
             one of several (IFUNC)",
            path.display()
        );
        let offset = find_file_offset(&file, symbol.address())?;
        let symbol = text.to_owned();
        // Several versions of a symbol (GLIBC_2.2.5, GLIBC_2.34) can be one function.
        if !found.iter().any(|function| function.offset == offset) {
            found.push(FileFunction { symbol, offset });
        }
    }
    ensure!(
        found.len() < 2,
        "cannot choose: {} functions are called '{name}' in {}",
        found.len(),
        path.display()
    );
    let Some(function) = found.pop() else {
        bail!(explain_missing(&file, path, name));
    };
    Ok(function)
}
// ANCHOR_END: function

/// `_RNvNtCs...6target13count_letters` is `uprobe::target::count_letters`.
fn is_called(symbol: &str, name: &str) -> bool {
    let Some((_, last)) = name.rsplit_once("::") else {
        return symbol == name;
    };
    // Most symbols do not have to be demangled.
    symbol.contains(last) && format!("{:#}", demangle(symbol)) == name
}
// ANCHOR: offset
/// The address of a function is where it is in memory, if the file is loaded at address 0. A
/// segment says which part of the file goes where.
pub fn find_file_offset(file: &ElfFile64<'_>, address: u64) -> Result<u64> {
    for segment in file.segments() {
        let (offset, size) = segment.file_range();
        let start = segment.address();
        if (start..start + size).contains(&address) {
            return Ok(address - start + offset);
        }
    }
    bail!("cannot find the address {address:#x} in the file: it is in no segment")
}
// ANCHOR_END: offset

fn explain_missing(file: &ElfFile64<'_>, path: &Path, name: &str) -> String {
    let path = path.display();
    let reason = match file.symbol_table() {
        Some(_) => "it has no function of this name",
        None => "it is stripped, and exports no function of this name",
    };
    format!("cannot find the function '{name}' in {path}: {reason}")
}

/// A library that this process uses, or any file with a path.
pub fn find_library(name: &Path) -> Result<PathBuf> {
    if name.components().count() > 1 {
        return Ok(name.to_owned());
    }
    let maps = fs::read_to_string("/proc/self/maps").context("cannot read /proc/self/maps")?;
    let paths = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    let library = paths
        .map(Path::new)
        .find(|path| path.file_name() == Some(name.as_os_str()));
    library.map(Path::to_owned).with_context(|| {
        let name = name.display();
        format!("cannot find the library {name}: give its path, or ./{name} for a file here")
    })
}

pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

pub fn parse_elf<'a>(path: &Path, data: &'a [u8]) -> Result<ElfFile64<'a, Endianness>> {
    let file = ElfFile64::parse(data);
    file.with_context(|| format!("cannot read {} as a 64-bit ELF file", path.display()))
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[inline(never)]
    fn watched(number: u64) -> u64 {
        number * 3 + 1
    }

    #[test]
    fn a_function_is_at_its_offset_in_the_file() {
        assert_eq!(black_box(watched)(1), 4);
        let program = std::env::current_exe().unwrap();
        let function = find_file_function(&program, "common::elf::tests::watched").unwrap();
        let same = find_file_function(&program, &function.symbol).unwrap();
        assert_eq!(same.offset, function.offset);

        let start = usize::try_from(function.offset).unwrap();
        let address = watched as fn(u64) -> u64 as *const u8;
        // SAFETY: a function has at least that much code, or other functions follow.
        let code = unsafe { std::slice::from_raw_parts(address, 8) };
        assert_eq!(read_file(&program).unwrap()[start..start + 8], *code);
    }

    #[test]
    fn what_is_no_single_function_is_told() {
        let library = find_library(Path::new("libc.so.6")).unwrap();
        assert!(find_file_function(&library, "getenv").is_ok());
        for (file, name, expected) in [
            (
                &*library,
                "no_such",
                "it is stripped, and exports no function",
            ),
            (&*library, "memcpy", "(IFUNC)"),
            (&*library, "0xyz", "cannot read the offset"),
            (Path::new("/proc/version"), "main", "as a 64-bit ELF file"),
            (Path::new("/no/such"), "main", "cannot read /no/such"),
        ] {
            let error = find_file_function(file, name).map(|function| function.offset);
            let error = format!("{:#}", error.unwrap_err());
            assert!(error.contains(expected), "{name}: {error}");
        }
        assert!(find_library(Path::new("libno-such.so")).is_err());
    }
}
