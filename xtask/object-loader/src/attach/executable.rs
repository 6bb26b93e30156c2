//! Programs and libraries of user space that probes are put into.

use std::fs;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol};
use plan::load::AttachResult;

use super::refusal::need_target;

const PROGRAM_DIRECTORIES: [&str; 6] = [
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
];

const LIBRARY_DIRECTORIES: [&str; 8] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

pub struct Executable {
    pub path: PathBuf,
    bytes: Vec<u8>,
}

impl Executable {
    /// By its path, or by its name in one of the usual directories.
    pub fn find(name: &str) -> Result<Self, AttachResult> {
        if name == "/proc/self/exe" {
            return Err(need_target(
                "/proc/self/exe is the program that loads the object, and that is not here",
            ));
        }
        let Some(path) = resolve(name) else {
            return Err(need_target(format!("{name} is not in this guest")));
        };
        match fs::read(&path) {
            Ok(bytes) => Ok(Self { path, bytes }),
            Err(error) => Err(need_target(format!(
                "cannot read {}: {error}",
                path.display()
            ))),
        }
    }

    /// Where a function begins in the file.
    pub fn function_offset(&self, function: &str) -> Result<u64, AttachResult> {
        let file = self.parse()?;
        // A version follows the name of some of a library's symbols.
        let name = function.split('@').next().unwrap_or(function);
        let mut symbols = file.symbols().chain(file.dynamic_symbols());
        let symbol = symbols
            .find(|symbol| symbol.is_definition() && symbol.name() == Ok(name))
            .ok_or_else(|| self.lack(&format!("function {function}")))?;
        file_offset(&file, symbol.address())
            .ok_or_else(|| self.lack(&format!("code of the function {function}")))
    }

    /// Where the functions begin whose names match.
    pub fn function_offsets(
        &self,
        matches: impl Fn(&str) -> bool,
    ) -> Result<Vec<u64>, AttachResult> {
        let file = self.parse()?;
        let symbols = file.symbols().chain(file.dynamic_symbols());
        let mut offsets: Vec<u64> = symbols
            .filter(|symbol| symbol.is_definition() && symbol.kind() == object::SymbolKind::Text)
            .filter(|symbol| symbol.name().is_ok_and(&matches))
            .filter_map(|symbol| file_offset(&file, symbol.address()))
            .collect();
        offsets.sort_unstable();
        offsets.dedup();
        Ok(offsets)
    }

    /// The places of a static tracepoint (USDT).
    pub fn static_tracepoints(
        &self,
        provider: &str,
        name: &str,
    ) -> Result<Vec<StaticTracepoint>, AttachResult> {
        let file = self.parse()?;
        let notes = file
            .section_by_name(".note.stapsdt")
            .and_then(|section| section.data().ok())
            .unwrap_or_default();
        let base = file.section_by_name(".stapsdt.base");
        let base = base.map(|section| section.address());
        let found: Vec<_> = read_notes(notes)
            .filter(|note| note.provider == provider && note.name == name)
            .filter_map(|note| note.locate(&file, base))
            .collect();
        if found.is_empty() {
            return Err(self.lack(&format!("static tracepoint {provider}:{name}")));
        }
        Ok(found)
    }

    pub fn lack(&self, what: &str) -> AttachResult {
        need_target(format!("{} has no {what}", self.path.display()))
    }

    fn parse(&self) -> Result<object::File<'_>, AttachResult> {
        object::File::parse(self.bytes.as_slice())
            .map_err(|error| need_target(format!("cannot parse {}: {error}", self.path.display())))
    }
}

fn resolve(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        // aya leaves out the first slash of a path.
        let path = Path::new("/").join(name);
        return path.is_file().then_some(path);
    }
    let directories = PROGRAM_DIRECTORIES.iter().chain(&LIBRARY_DIRECTORIES);
    // "libc" stands for "libc.so.6".
    let names = [
        name.to_owned(),
        format!("{name}.so"),
        format!("{name}.so.6"),
    ];
    let mut paths = directories.flat_map(|directory| {
        names
            .iter()
            .map(move |name| Path::new(directory).join(name))
    });
    paths.find(|path| path.is_file())
}

/// Where an address is in the file.
fn file_offset<'data>(file: &impl Object<'data>, address: u64) -> Option<u64> {
    let (segment, offset) = file.segments().find_map(|segment| {
        let offset = address.checked_sub(segment.address())?;
        (offset < segment.size()).then_some((segment, offset))
    })?;
    let (start, length) = segment.file_range();
    if offset >= length {
        return None;
    }
    start.checked_add(offset)
}

pub struct StaticTracepoint {
    pub offset: u64,
    /// Counts who listens; 0 for tracepoints without a count.
    pub semaphore: u64,
}

/// A note that the compiler left about a static tracepoint.
struct TracepointNote<'a> {
    address: u64,
    base: u64,
    semaphore: u64,
    provider: &'a str,
    name: &'a str,
}

impl<'a> TracepointNote<'a> {
    /// Three addresses, then texts.
    fn parse(description: &'a [u8]) -> Option<Self> {
        let word = |at: usize| {
            let bytes = description.get(at..at + 8)?;
            Some(u64::from_ne_bytes(bytes.try_into().ok()?))
        };
        let mut texts = description.get(24..)?.split(|&byte| byte == 0);
        let mut text = || std::str::from_utf8(texts.next()?).ok();
        Some(Self {
            address: word(0)?,
            base: word(8)?,
            semaphore: word(16)?,
            provider: text()?,
            name: text()?,
        })
    }

    /// A library that was linked again later has its sections moved; the base tells how far.
    fn locate(&self, file: &object::File<'_>, base: Option<u64>) -> Option<StaticTracepoint> {
        let moved = base.map_or(0, |base| base.wrapping_sub(self.base));
        let semaphore = match self.semaphore {
            0 => 0,
            address => file_offset(file, address.wrapping_add(moved))?,
        };
        Some(StaticTracepoint {
            offset: file_offset(file, self.address.wrapping_add(moved))?,
            semaphore,
        })
    }
}

/// Notes one after the other: lengths of name and description, a type, then both, padded to four.
fn read_notes(notes: &[u8]) -> impl Iterator<Item = TracepointNote<'_>> {
    let mut rest = notes;
    std::iter::from_fn(move || {
        let word = |at: usize| {
            let bytes = rest.get(at..at + 4)?;
            Some(u32::from_ne_bytes(bytes.try_into().ok()?) as usize)
        };
        let start = 12 + word(0)?.next_multiple_of(4);
        let end = start + word(4)?;
        let description = rest.get(start..end)?;
        rest = rest.get(end.next_multiple_of(4)..).unwrap_or_default();
        Some(TracepointNote::parse(description))
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test's own file.
    fn own() -> Executable {
        let path = std::env::current_exe().unwrap();
        Executable::find(path.to_str().unwrap()).unwrap()
    }

    #[test]
    fn functions_are_found_in_the_file() {
        let offset = own().function_offset("main").unwrap();
        let all = own().function_offsets(|name| name == "main").unwrap();
        assert_eq!(all, [offset]);
        let none = own().function_offset("no_such_function").unwrap_err();
        let AttachResult::NeedsTarget { what } = none else {
            panic!("{none:?}")
        };
        assert!(what.ends_with("has no function no_such_function"), "{what}");
    }

    /// A file may say that it is at the end of all addresses, or of all files.
    #[test]
    fn no_place_in_a_file_is_after_all_places() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        let file = object::File::parse(own.as_slice()).unwrap();
        let first = file.segments().next().unwrap().address();
        assert!(file_offset(&file, first + 1).is_some());
        let number = |at: usize| u64::from_le_bytes(own[at..at + 8].try_into().unwrap()) as usize;
        let (headers, count) = (number(0x20), usize::from(own[0x38]));
        // The place in the file, and the address.
        for field in [8, 16] {
            let mut bytes = own.clone();
            for header in (0..count).map(|number| headers + 56 * number) {
                bytes[header + field..header + field + 8].fill(0xff);
            }
            let file = object::File::parse(bytes.as_slice()).unwrap();
            assert_eq!(file_offset(&file, first + 1), None);
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        for name in ["/no/such/file", "no-such-program", "no/such"] {
            let Err(AttachResult::NeedsTarget { what }) = Executable::find(name) else {
                panic!("{name}")
            };
            assert_eq!(what, format!("{name} is not in this guest"));
        }
    }

    #[test]
    fn notes_are_padded_to_four() {
        let mut description = [1_u64, 2, 0].map(u64::to_ne_bytes).concat();
        description.extend(b"app\0start\0\0");
        let mut note = [8_u32, description.len() as u32, 3]
            .map(u32::to_ne_bytes)
            .concat();
        note.extend(b"stapsdt\0");
        note.extend(&description);
        note.resize(note.len().next_multiple_of(4), 0);
        let twice = [note.as_slice(), note.as_slice(), b"cut"].concat();
        let read: Vec<_> = read_notes(&twice)
            .map(|note| (note.address, note.base, note.provider, note.name))
            .collect();
        assert_eq!(read, [(1, 2, "app", "start"); 2]);
    }
}
