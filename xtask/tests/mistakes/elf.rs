//! Changes an object file as another source would have made it: names of sections and symbols,
//! types of maps, code.

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionIndex, SymbolKind};

const INSTRUCTION: usize = 8;

pub struct Elf {
    bytes: Vec<u8>,
}

/// A section's header: where it is, and what it says.
struct Header {
    at: usize,
    kind: u32,
    offset: usize,
    size: usize,
    /// Of the section that it has entries for.
    info: usize,
}

impl Elf {
    pub fn read(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn file(&self) -> object::File<'_> {
        object::File::parse(self.bytes.as_slice()).unwrap()
    }

    /// The names of its programs, each with the name of its section.
    pub fn programs(&self) -> Vec<(String, String)> {
        let file = self.file();
        let section = |index| {
            file.section_by_index(index)
                .unwrap()
                .name()
                .unwrap()
                .to_owned()
        };
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text);
        let placed = functions
            .filter_map(|it| Some((it.name().ok()?.to_owned(), section(it.section_index()?))));
        placed.filter(|(_, section)| section != ".text").collect()
    }

    /// The names of its maps.
    pub fn maps(&self) -> Vec<String> {
        let file = self.file();
        let is_map = |symbol: &object::Symbol<'_, '_>| {
            let section = symbol
                .section_index()
                .and_then(|index| file.section_by_index(index).ok());
            section.is_some_and(|section| matches!(section.name(), Ok("maps" | ".maps")))
                && symbol.kind() == SymbolKind::Data
        };
        file.symbols()
            .filter(is_map)
            .map(|symbol| symbol.name().unwrap().to_owned())
            .collect()
    }

    fn header(&self, index: usize) -> Header {
        let at = self.number_u64(40) + 64 * index;
        Header {
            at,
            kind: self.number(at + 4),
            offset: self.number_u64(at + 24),
            size: self.number_u64(at + 32),
            info: self.number(at + 44) as usize,
        }
    }

    fn number(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    fn number_u64(&self, at: usize) -> usize {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap()) as usize
    }

    fn set(&mut self, at: usize, number: u32) {
        self.bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    fn set_u64(&mut self, at: usize, number: usize) {
        self.bytes[at..at + 8].copy_from_slice(&(number as u64).to_le_bytes());
    }

    fn index_of(&self, section: &str) -> usize {
        self.file()
            .section_by_name(section)
            .unwrap_or_else(|| panic!("find {section}"))
            .index()
            .0
    }

    pub fn has_section(&self, name: &str) -> bool {
        self.file().section_by_name(name).is_some()
    }

    /// Puts a name into the table of names, which moves to the file's end. Returns its place in
    /// that.
    fn add_name(&mut self, name: &str) -> u32 {
        let Header {
            at, offset, size, ..
        } = self.header(self.index_of(".strtab"));
        let table = self.bytes[offset..offset + size].to_vec();
        let end = self.bytes.len();
        self.bytes.extend(table);
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.set_u64(at + 24, end);
        self.set_u64(at + 32, size + name.len() + 1);
        size as u32
    }

    pub fn rename_section(&mut self, from: &str, to: &str) {
        let name = self.add_name(to);
        let at = self.header(self.index_of(from)).at;
        self.set(at, name);
    }

    /// A section with variables, which BTF lists under its name: the new one must be as long as the
    /// old one.
    pub fn rename_data_section(&mut self, from: &str, to: &str) {
        self.rename_section(from, to);
        self.rename_in_btf(from, to);
    }

    /// In the table of symbols, and in BTF, where the new name must be as long as the old one.
    pub fn rename_map(&mut self, from: &str, to: &str) {
        let name = self.add_name(to);
        let symbols = self.header(self.index_of(".symtab")).offset;
        let symbol = self.file().symbol_by_name(from).unwrap().index().0;
        self.set(symbols + 24 * symbol, name);
        self.rename_in_btf(from, to);
    }

    fn rename_in_btf(&mut self, from: &str, to: &str) {
        assert_eq!(from.len(), to.len(), "{from} and {to}");
        if let Some(btf) = self.btf()
            && let Some(at) = btf.name_at(&self.bytes, from)
        {
            self.bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }

    /// The `BPF_MAP_TYPE_*` of a map.
    pub fn map_type(&self, map: &str) -> u32 {
        self.number(self.map_type_at(map))
    }

    pub fn set_map_type(&mut self, map: &str, kind: u32) {
        let at = self.map_type_at(map);
        self.set(at, kind);
    }

    /// Gives the map's key the type of its value, if it has a key, of another type.
    pub fn give_key_type_of_value(&mut self, map: &str) -> bool {
        let (key, value) = match self.legacy_map_at(map) {
            Some(at) => (at + 4, at + 8),
            None => {
                let btf = self.btf().unwrap();
                let member = |name| btf.member_of_map(&self.bytes, map, name);
                let (Some(key), Some(value)) = (member("key"), member("value")) else {
                    return false;
                };
                (key + 4, value + 4)
            }
        };
        let differs = self.number(key) != 0 && self.number(key) != self.number(value);
        self.set(key, self.number(value));
        differs
    }

    fn map_type_at(&self, map: &str) -> usize {
        self.legacy_map_at(map)
            .unwrap_or_else(|| self.btf().unwrap().type_of_map_at(&self.bytes, map))
    }

    /// What aya's #[map] makes: seven numbers, the type first, then the sizes of key and value.
    fn legacy_map_at(&self, map: &str) -> Option<usize> {
        let file = self.file();
        let symbol = file.symbol_by_name(map).unwrap();
        let section = file
            .section_by_index(symbol.section_index().unwrap())
            .unwrap();
        let begin = section.file_range().unwrap().0 + symbol.address();
        (section.name() == Ok("maps")).then_some(begin as usize)
    }

    fn btf(&self) -> Option<Btf> {
        let (begin, _) = self.file().section_by_name(".BTF")?.file_range()?;
        let begin = begin as usize;
        let part = |at| begin + self.number(begin + 4) as usize + self.number(begin + at) as usize;
        Some(Btf {
            types: part(8)..part(8) + self.number(begin + 12) as usize,
            names: part(16)..part(16) + self.number(begin + 20) as usize,
        })
    }

    /// Writes `r0 = value; exit` over every function, and takes back what a loader would write into
    /// it.
    pub fn empty_functions(&mut self, value: u8) {
        let mut code: Vec<SectionIndex> = Vec::new();
        for (begin, size, section) in self.functions() {
            let function = &mut self.bytes[begin..begin + size];
            let (before, last) = function.split_at_mut(size - INSTRUCTION);
            before
                .chunks_mut(INSTRUCTION)
                .for_each(|chunk| chunk.copy_from_slice(&[0xb7, 0, 0, 0, value, 0, 0, 0]));
            last.copy_from_slice(&[0x95, 0, 0, 0, 0, 0, 0, 0]);
            code.push(section);
        }
        for index in 0..self.file().sections().count() + 1 {
            let Header { at, kind, info, .. } = self.header(index);
            // SHT_REL, of a section of code: it has no entries any more.
            if kind == 9 && code.contains(&SectionIndex(info)) {
                self.set_u64(at + 32, 0);
            }
        }
        let types = self
            .file()
            .section_by_name(".BTF.ext")
            .and_then(|types| types.file_range());
        if let Some((begin, _)) = types {
            // The length of what CO-RE would correct.
            self.set(begin as usize + 28, 0);
        }
    }

    /// Makes each function, emptied before, read its context at this offset.
    pub fn read_context_at(&mut self, offset: u16) {
        let [low, high] = offset.to_le_bytes();
        for (begin, _, _) in self.functions() {
            self.bytes[begin..begin + INSTRUCTION]
                .copy_from_slice(&[0x79, 0x10, low, high, 0, 0, 0, 0]);
        }
    }

    /// Where each function begins in the file, how long it is, and its section.
    fn functions(&self) -> Vec<(usize, usize, SectionIndex)> {
        let file = self.file();
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
        let place = |symbol: object::Symbol<'_, '_>| {
            let section = file
                .section_by_index(symbol.section_index().unwrap())
                .unwrap();
            let begin = section.file_range().unwrap().0 + symbol.address();
            (begin as usize, symbol.size() as usize, section.index())
        };
        functions.map(place).collect()
    }
}

/// Where the two parts of a BTF section are in the file.
struct Btf {
    types: std::ops::Range<usize>,
    names: std::ops::Range<usize>,
}

/// The kinds of types that have to do with a map's definition.
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const VAR: u32 = 14;

impl Btf {
    fn name_at(&self, bytes: &[u8], name: &str) -> Option<usize> {
        let wanted = [&[0], name.as_bytes(), &[0]].concat();
        let names = &bytes[self.names.clone()];
        names
            .windows(wanted.len())
            .position(|part| part == wanted)
            .map(|at| self.names.start + at + 1)
    }

    /// The place of each type in the file. The first has the number 1.
    fn types(&self, bytes: &[u8]) -> Vec<usize> {
        let mut types = vec![0];
        let mut at = self.types.start;
        while at < self.types.end {
            types.push(at);
            let count = (word(bytes, at + 4) & 0xffff) as usize;
            at += 12
                + match kind(bytes, at) {
                    1 | 14 | 17 => 4,
                    ARRAY => 12,
                    STRUCT | 5 | 15 | 19 => 12 * count,
                    6 | 13 => 8 * count,
                    _ => 0,
                };
        }
        types
    }

    /// A map's type is a member of its variable: a pointer to an array that is as long as the type
    /// is a number.
    fn type_of_map_at(&self, bytes: &[u8], map: &str) -> usize {
        let types = self.types(bytes);
        let member = self
            .member_of_map(bytes, map, "type")
            .unwrap_or_else(|| panic!("{map}'s type"));
        let pointer = types[word(bytes, member + 4) as usize];
        assert_eq!(kind(bytes, pointer), PTR, "{map}'s member `type`");
        let array = types[word(bytes, pointer + 8) as usize];
        assert_eq!(kind(bytes, array), ARRAY, "{map}'s member `type`");
        array + 12 + 8
    }

    /// Where this member of a map's definition is told: its name, then its type.
    fn member_of_map(&self, bytes: &[u8], map: &str, name: &str) -> Option<usize> {
        let types = self.types(bytes);
        let variables = types[1..]
            .iter()
            .copied()
            .filter(|&at| kind(bytes, at) == VAR);
        let variable = variables
            .into_iter()
            .find(|&at| self.is_called(bytes, at, map));
        let variable = variable.unwrap_or_else(|| panic!("find {map} in BTF"));
        let mut definition = types[word(bytes, variable + 8) as usize];
        loop {
            if kind(bytes, definition) != STRUCT {
                return None;
            }
            let count = (word(bytes, definition + 4) & 0xffff) as usize;
            let mut members = (0..count).map(|index| definition + 12 + 12 * index);
            if let Some(member) = members.find(|&member| self.is_called(bytes, member, name)) {
                return Some(member);
            }
            // In Rust, wrappers are around it.
            definition = types[word(bytes, definition + 12 + 4) as usize];
        }
    }

    fn is_called(&self, bytes: &[u8], at: usize, name: &str) -> bool {
        let begin = self.names.start + word(bytes, at) as usize;
        bytes[begin..].starts_with(&[name.as_bytes(), &[0]].concat())
    }
}

/// The kind of the type that is told there.
fn kind(bytes: &[u8], at: usize) -> u32 {
    word(bytes, at + 4) >> 24 & 0x1f
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}
