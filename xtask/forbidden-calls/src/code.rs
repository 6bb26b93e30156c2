//! Functions and calls of an object file.

use std::collections::{BTreeSet, HashMap, HashSet};

use object::{
    Architecture, Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget,
    SectionKind, SymbolIndex, SymbolKind,
};

use crate::btf::{self, BtfLines};
use crate::demangle::demangle_name;
use crate::names::{MOST_SHARED, check_name_lengths};
use crate::site::SourceFrame;

/// Bytes of one; a 64-bit constant takes two.
pub const INSTRUCTION: u64 = 8;

const CALL: u8 = 0x85;
const CALL_REGISTER: u8 = 0x8d;
const EXIT: u8 = 0x95;
const WIDE_CONSTANT: u8 = 0x18;

/// A call of a function, not of a helper: in the instruction's source register.
const PSEUDO_CALL: u8 = 1;

/// LLVM calls it where a program's behaviour is undefined.
pub const TRAP: &str = "__bpf_trap";

pub struct Function {
    /// As in the source, with its path.
    pub name: String,
    pub section: usize,
    /// In its section.
    pub offset: u64,
    pub size: u64,
}

pub struct Call {
    pub section: usize,
    pub offset: u64,
    pub target: Target,
}

pub enum Target {
    /// The place in a section.
    Place(usize, u64),
    Register,
    /// A function that the object does not have.
    Missing(SymbolIndex),
}

/// A function that the object only names.
struct MissingFunction {
    /// As in the source, with its path.
    name: String,
    /// The loader replaces a call of it.
    is_optional: bool,
    /// The kernel has it.
    is_kfunc: bool,
}

pub struct Code<'data> {
    file: object::File<'data>,
    functions: Vec<Function>,
    /// By section and offset, the function that is there.
    places: HashMap<(usize, u64), usize>,
    /// The symbol that an instruction refers to, by section and offset.
    references: HashMap<(usize, u64), SymbolIndex>,
    missing: HashMap<SymbolIndex, MissingFunction>,
    /// By name, the first of the functions that are called so.
    names: HashMap<String, usize>,
    /// By function: a kernel may accept a call of it.
    returning: Vec<bool>,
    /// Sections whose functions are programs.
    program_sections: HashSet<usize>,
    lines: Option<BtfLines<'data>>,
}

impl<'data> Code<'data> {
    pub fn parse(bytes: &'data [u8]) -> Result<Self, String> {
        let file =
            object::File::parse(bytes).map_err(|error| format!("this is no ELF file: {error}"))?;
        if file.architecture() != Architecture::Bpf {
            return Err(format!(
                "this ELF file is for {:?}, not for eBPF",
                file.architecture()
            ));
        }
        check_name_lengths(&file, bytes.len())?;
        let functions = read_functions(&file, bytes.len())?;
        let mut code = Self {
            places: find_places(&functions),
            references: find_references(&file, &functions),
            missing: find_missing(&file),
            names: number_names(&functions),
            returning: Vec::new(),
            program_sections: find_program_sections(&file),
            lines: BtfLines::parse(&file),
            file,
            functions,
        };
        let returning = code.functions.iter().map(|function| code.returns(function));
        code.returning = returning.collect();
        Ok(code)
    }

    /// Functions in a separate section, as `SEC("xdp")` and the macros of aya put them.
    pub fn find_programs(&self) -> impl Iterator<Item = &Function> {
        self.functions
            .iter()
            .filter(|function| self.program_sections.contains(&function.section))
    }

    pub fn find_function(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    pub fn function_at(&self, function: usize) -> &Function {
        &self.functions[function]
    }

    /// Whether a kernel may accept a call: of this function, if it is one of the object; or the
    /// name of what is called.
    pub fn check_call(&self, call: &Call) -> Result<Option<usize>, Option<String>> {
        match &call.target {
            Target::Register => Err(None),
            Target::Missing(symbol) => match self.missing.get(symbol) {
                Some(function) if !function.is_kfunc => Err(Some(function.name.clone())),
                _ => Ok(None),
            },
            Target::Place(section, offset) => {
                match self.places.get(&(*section, *offset)).copied() {
                    Some(function) if self.returning[function] => Ok(Some(function)),
                    Some(function) => Err(Some(self.function_at(function).name.clone())),
                    None => Ok(None),
                }
            }
        }
    }

    /// A panic never returns, whatever its name: its code has no `exit`.
    fn returns(&self, function: &Function) -> bool {
        self.instructions(function)
            .any(|(_, bytes)| bytes[0] == EXIT)
    }

    pub fn find_calls(&self, function: usize) -> impl Iterator<Item = Call> {
        let function = self.function_at(function);
        self.instructions(function)
            .filter_map(|(offset, bytes)| self.read_call(function.section, offset, bytes))
    }

    /// The call that an instruction of a function is, if it is one; `offset`: in the function.
    pub fn find_call_at(&self, function: usize, offset: u64) -> Option<Call> {
        let function = self.function_at(function);
        let offset = (offset < function.size).then(|| function.offset.checked_add(offset))??;
        let section = self
            .file
            .section_by_index(object::SectionIndex(function.section))
            .ok()?;
        let bytes = section.data_range(offset, INSTRUCTION).ok()??;
        self.read_call(function.section, offset, bytes.try_into().ok()?)
    }

    fn read_call(&self, section: usize, offset: u64, bytes: [u8; 8]) -> Option<Call> {
        let symbol = self.references.get(&(section, offset)).copied();
        let target = match bytes[0] {
            CALL_REGISTER => Target::Register,
            CALL if self.source_register(bytes) == PSEUDO_CALL => {
                self.target(section, offset, self.constant(bytes), symbol)?
            }
            _ => return None,
        };
        Some(Call {
            section,
            offset,
            target,
        })
    }

    /// The constant of a call counts instructions from the next one, or from the symbol's address.
    fn target(
        &self,
        section: usize,
        offset: u64,
        constant: i32,
        symbol: Option<SymbolIndex>,
    ) -> Option<Target> {
        let distance = (i64::from(constant) + 1) * INSTRUCTION.cast_signed();
        let Some(symbol) = symbol else {
            return Some(Target::Place(section, offset.checked_add_signed(distance)?));
        };
        if let Some(function) = self.missing.get(&symbol) {
            return (!function.is_optional).then_some(Target::Missing(symbol));
        }
        let symbol = self.file.symbol_by_index(symbol).ok()?;
        Some(Target::Place(
            symbol.section_index()?.0,
            symbol.address().checked_add_signed(distance)?,
        ))
    }

    /// What the type information tells of an instruction's place, where there is nothing better.
    pub fn find_frame(&self, section: usize, offset: u64) -> Option<SourceFrame> {
        let site = self.lines.as_ref()?.find_line(section, offset)?;
        Some(SourceFrame {
            function: String::new(),
            site,
        })
    }

    /// With their offsets in the section.
    fn instructions(
        &self,
        function: &Function,
    ) -> impl Iterator<Item = (u64, [u8; 8])> + use<'data> {
        let section = self
            .file
            .section_by_index(object::SectionIndex(function.section))
            .ok();
        let section = section.filter(|section| section.kind() == SectionKind::Text);
        let data = section.and_then(|section| {
            section
                .data_range(function.offset, function.size)
                .ok()
                .flatten()
        });
        let mut is_second_half = false;
        let (start, chunks) = (function.offset, data.unwrap_or_default().chunks_exact(8));
        let numbered = chunks.zip(0u64..);
        numbered.filter_map(move |(bytes, number)| {
            // A section may claim to be at the end of all addresses.
            let offset = start.checked_add(number.checked_mul(INSTRUCTION)?)?;
            let bytes: [u8; 8] = bytes.try_into().ok()?;
            let is_code = !is_second_half;
            is_second_half = is_code && bytes[0] == WIDE_CONSTANT;
            is_code.then_some((offset, bytes))
        })
    }

    fn source_register(&self, bytes: [u8; 8]) -> u8 {
        match self.file.endianness() {
            Endianness::Little => bytes[1] >> 4,
            Endianness::Big => bytes[1] & 15,
        }
    }

    fn constant(&self, [.., a, b, c, d]: [u8; 8]) -> i32 {
        match self.file.endianness() {
            Endianness::Little => i32::from_le_bytes([a, b, c, d]),
            Endianness::Big => i32::from_be_bytes([a, b, c, d]),
        }
    }
}

fn read_functions(file: &object::File<'_>, length: usize) -> Result<Vec<Function>, String> {
    let (mut functions, mut code, mut names) = (Vec::new(), 0u64, 0u64);
    let most = MOST_SHARED.saturating_mul(length as u64);
    for symbol in file.symbols() {
        let (SymbolKind::Text, Ok(name), Some(section)) =
            (symbol.kind(), symbol.name(), symbol.section_index())
        else {
            continue;
        };
        let name = demangle_name(name);
        code = code.saturating_add(symbol.size());
        names = names.saturating_add(name.len() as u64);
        if code > most || names > most {
            return Err("its functions are larger than the file".to_owned());
        }
        functions.push(Function {
            name,
            section: section.0,
            offset: symbol.address(),
            size: symbol.size(),
        });
    }
    Ok(functions)
}

fn number_names(functions: &[Function]) -> HashMap<String, usize> {
    let mut names = HashMap::new();
    for (number, function) in functions.iter().enumerate() {
        names.entry(function.name.clone()).or_insert(number);
    }
    names
}

fn find_missing(file: &object::File<'_>) -> HashMap<SymbolIndex, MissingFunction> {
    let kfuncs = btf::find_kfuncs(file);
    let missing = file.symbols().filter(|symbol| symbol.is_undefined());
    let describe = |symbol: object::Symbol<'_, '_>| {
        let name = symbol.name().unwrap_or_default();
        // LLVM declares its trap like one that may have no target; newer kernels have it, to reject
        // what leads to it.
        let is_trap = name == TRAP;
        let function = MissingFunction {
            name: demangle_name(name),
            is_optional: symbol.is_weak() && !is_trap,
            is_kfunc: kfuncs.contains(name) && !is_trap,
        };
        (symbol.index(), function)
    };
    missing.map(describe).collect()
}

/// Separate ones, with a name.
fn find_program_sections(file: &object::File<'_>) -> HashSet<usize> {
    let is_programs = |section: &object::Section<'_, '_>| {
        let name = section.name();
        name.is_ok_and(|name| name != ".text" && !name.starts_with(".text."))
    };
    let sections = file.sections().filter(is_programs);
    sections.map(|section| section.index().0).collect()
}

/// A function without code has the address of the one that follows.
fn find_places(functions: &[Function]) -> HashMap<(usize, u64), usize> {
    let mut places = HashMap::new();
    for (number, function) in functions.iter().enumerate() {
        let place = places
            .entry((function.section, function.offset))
            .or_insert(number);
        if function.size >= functions[*place].size {
            *place = number;
        }
    }
    places
}

fn find_references(
    file: &object::File<'_>,
    functions: &[Function],
) -> HashMap<(usize, u64), SymbolIndex> {
    let sections: BTreeSet<usize> = functions.iter().map(|it| it.section).collect();
    let mut references = HashMap::new();
    for number in sections {
        let Ok(section) = file.section_by_index(object::SectionIndex(number)) else {
            continue;
        };
        for (offset, relocation) in section.relocations() {
            if let RelocationTarget::Symbol(symbol) = relocation.target() {
                references.entry((number, offset)).or_insert(symbol);
            }
        }
    }
    references
}

#[cfg(test)]
mod tests {
    use object::write::{Object, Relocation, StandardSection, Symbol, SymbolSection};
    use object::{
        Architecture, BinaryFormat, Endianness, RelocationFlags, SymbolFlags, SymbolScope, elf,
    };

    use super::*;

    /// A file with so many functions of this size, all at the beginning of one section.
    fn file_with(count: usize, size: u64) -> Vec<u8> {
        let mut file = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
        let section = file.section_id(StandardSection::Text);
        // Calls of the next instruction, and an end.
        let call = [CALL, PSEUDO_CALL << 4, 0, 0, 0, 0, 0, 0];
        let end = [EXIT, 0, 0, 0, 0, 0, 0, 0];
        let code = [call.repeat(999), end.to_vec()].concat();
        file.append_section_data(section, &code, 8);
        for number in 0..count {
            let symbol = file.add_symbol(Symbol {
                name: format!("f{number}").into_bytes(),
                value: 0,
                size,
                kind: SymbolKind::Text,
                scope: SymbolScope::Linkage,
                weak: false,
                section: SymbolSection::Section(section),
                flags: SymbolFlags::None,
            });
            let flags = RelocationFlags::Elf {
                r_type: elf::R_BPF_64_32,
            };
            let relocation = Relocation {
                offset: 8 * number as u64,
                symbol,
                addend: 0,
                flags,
            };
            file.add_relocation(section, relocation).unwrap();
        }
        file.write().unwrap()
    }

    #[test]
    fn functions_that_are_all_the_same_code_are_refused() {
        let honest = file_with(50, 16);
        let code = Code::parse(&honest).unwrap();
        assert_eq!(code.find_calls(0).count(), 2);
        let shared = file_with(5000, 8000);
        let why = Code::parse(&shared).map(drop).unwrap_err();
        assert_eq!(why, "its functions are larger than the file");
    }

    /// An honest file has its sections at address 0.
    #[test]
    fn code_at_the_end_of_all_addresses_is_no_panic() {
        let mut bytes = file_with(1, 16);
        let at = |name: &[u8]| {
            let file = object::File::parse(&*bytes).unwrap();
            let number = file.sections().find(|it| it.name_bytes() == Ok(name));
            number.unwrap().index().0
        };
        let (text, symbols) = (at(b".text"), at(b".symtab"));
        let headers = u64::from_le_bytes(bytes[0x28..0x30].try_into().unwrap()) as usize;
        let start = (u64::MAX - 7).to_le_bytes();
        let address = headers + 64 * text + 16;
        bytes[address..address + 8].copy_from_slice(&start);
        let table = headers + 64 * symbols + 24;
        let table = u64::from_le_bytes(bytes[table..table + 8].try_into().unwrap()) as usize;
        // The function's is the last.
        let file = object::File::parse(&*bytes).unwrap();
        let last = file.symbols().last().unwrap().index().0;
        let value = table + 24 * last + 8;
        bytes[value..value + 8].copy_from_slice(&start);
        let code = Code::parse(&bytes).unwrap();
        assert!(
            code.find_calls(0).next().is_none(),
            "what is called has no address"
        );
    }
}
