//! Functions and calls of an object file.

use object::{
    Architecture, Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget,
    SectionKind, SymbolIndex, SymbolKind,
};

use crate::btf;
use crate::demangle::demangle_name;
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
    /// The name of a function that the object does not have.
    Missing(String),
}

pub struct Code<'data> {
    file: object::File<'data>,
    functions: Vec<Function>,
    /// Functions that the kernel has.
    kfuncs: Vec<String>,
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
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text);
        let function = |symbol: object::Symbol<'_, '_>| {
            Some(Function {
                name: demangle_name(symbol.name().ok()?),
                section: symbol.section_index()?.0,
                offset: symbol.address(),
                size: symbol.size(),
            })
        };
        let functions = functions.filter_map(function).collect();
        let kfuncs = btf::find_kfuncs(&file);
        Ok(Self {
            file,
            functions,
            kfuncs,
        })
    }

    /// Functions in a separate section, as `SEC("xdp")` and the macros of aya put them.
    pub fn find_programs(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|function| {
            let section = self
                .file
                .section_by_index(object::SectionIndex(function.section));
            let name = section
                .as_ref()
                .ok()
                .and_then(|section| section.name().ok());
            name.is_some_and(|name| name != ".text" && !name.starts_with(".text."))
        })
    }

    pub fn find_function(&self, name: &str) -> Option<usize> {
        self.functions
            .iter()
            .position(|function| function.name == name)
    }

    pub fn function_at(&self, function: usize) -> &Function {
        &self.functions[function]
    }

    /// A function without code has the address of the one that follows.
    fn find_function_at(&self, section: usize, offset: u64) -> Option<usize> {
        let is_there =
            |function: &&Function| (function.section, function.offset) == (section, offset);
        let there = self.functions.iter().filter(is_there);
        let longest = there.max_by_key(|function| function.size)?;
        self.functions
            .iter()
            .position(|function| std::ptr::eq(function, longest))
    }

    /// Whether a kernel may accept a call: of this function, if it is one of the object; or the
    /// name of what is called.
    pub fn check_call(&self, call: &Call) -> Result<Option<usize>, Option<String>> {
        match &call.target {
            Target::Register => Err(None),
            // Newer kernels have the trap, to reject what leads to it.
            Target::Missing(name) if name != TRAP && self.kfuncs.contains(name) => Ok(None),
            Target::Missing(name) => Err(Some(demangle_name(name))),
            Target::Place(section, offset) => match self.find_function_at(*section, *offset) {
                Some(function) if self.returns(function) => Ok(Some(function)),
                Some(function) => Err(Some(self.function_at(function).name.clone())),
                None => Ok(None),
            },
        }
    }

    /// A panic never returns, whatever its name: its code has no `exit`.
    fn returns(&self, function: usize) -> bool {
        self.instructions(self.function_at(function))
            .any(|(_, bytes)| bytes[0] == EXIT)
    }

    pub fn find_calls(&self, function: usize) -> Vec<Call> {
        let function = self.function_at(function);
        let Ok(section) = self
            .file
            .section_by_index(object::SectionIndex(function.section))
        else {
            return Vec::new();
        };
        let relocations: Vec<(u64, SymbolIndex)> = section
            .relocations()
            .filter_map(|(offset, relocation)| match relocation.target() {
                RelocationTarget::Symbol(symbol) => Some((offset, symbol)),
                _ => None,
            })
            .collect();
        let call = |(offset, bytes): (u64, [u8; 8])| {
            let symbol = relocations
                .iter()
                .find(|(at, _)| *at == offset)
                .map(|(_, symbol)| *symbol);
            let target = match bytes[0] {
                CALL_REGISTER => Target::Register,
                CALL if self.source_register(bytes) == PSEUDO_CALL => {
                    self.target(function.section, offset, self.constant(bytes), symbol)?
                }
                _ => return None,
            };
            Some(Call {
                section: function.section,
                offset,
                target,
            })
        };
        self.instructions(function).filter_map(call).collect()
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
        let symbol = self.file.symbol_by_index(symbol).ok()?;
        if symbol.is_undefined() {
            let name = symbol.name().unwrap_or_default();
            // The loader replaces a call that may have no target; LLVM declares its trap like one.
            return (!symbol.is_weak() || name == TRAP).then(|| Target::Missing(name.to_owned()));
        }
        Some(Target::Place(
            symbol.section_index()?.0,
            symbol.address().checked_add_signed(distance)?,
        ))
    }

    /// What the type information tells of an instruction's place, where there is nothing better.
    pub fn find_frame(&self, section: usize, offset: u64) -> Option<SourceFrame> {
        let site = btf::find_line(&self.file, section, offset)?;
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
        let numbered = data
            .unwrap_or_default()
            .chunks_exact(8)
            .zip((function.offset..).step_by(8));
        numbered.filter_map(move |(bytes, offset)| {
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
