//! Object files of any size in which everything is shared, nested or repeated.

mod debug_information;
mod type_information;

use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope, elf,
};

pub use debug_information::DebugInformation;
use type_information::TypeInformation;

/// An object of about so many parts.
type Make = fn(usize) -> Vec<u8>;

pub const OBJECTS: [(&str, Make); 15] = [
    ("programs", HardObject::programs),
    (
        "sections of one long name",
        HardObject::sections_of_one_name,
    ),
    ("symbols of one long name", HardObject::symbols_of_one_name),
    ("calls of one missing function", |size| {
        HardObject::calls_of_long_name(size, size)
    }),
    (
        "calls of one long function",
        HardObject::calls_of_endless_function,
    ),
    ("types of one long name", |size| {
        HardObject::with_types(&TypeInformation::types_of_one_name(size))
    }),
    ("kernel functions of one long name", |size| {
        HardObject::with_types(&TypeInformation::kfuncs_of_one_name(size))
    }),
    ("lines after all calls", |size| {
        HardObject::with_lines(size, &TypeInformation::lines_of_one_section(size))
    }),
    ("lines of many sections", |size| {
        HardObject::with_lines(1, &TypeInformation::lines_of_many_sections(size))
    }),
    ("functions next to each other", |size| {
        HardObject::with_debug_information(&DebugInformation::flat(size))
    }),
    ("functions in each other", |size| {
        HardObject::with_debug_information(&DebugInformation::nested(size))
    }),
    ("functions with the same ranges", |size| {
        HardObject::with_debug_information(&DebugInformation::with_same_ranges(size))
    }),
    ("entries of many attributes", |size| {
        HardObject::with_debug_information(&DebugInformation::with_many_attributes(size))
    }),
    ("units of the same lines", |size| {
        HardObject::with_debug_information(&DebugInformation::with_same_lines(size / 4))
    }),
    ("files of one long directory", |size| {
        HardObject::with_debug_information(&DebugInformation::with_long_directory(size))
    }),
];

const CALL: [u8; 8] = [0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff];
const CALL_REGISTER: [u8; 8] = [0x8d, 0, 0, 0, 0, 0, 0, 0];
const NOTHING: [u8; 8] = [0xb7, 0, 0, 0, 0, 0, 0, 0];
const END: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

pub struct HardObject {
    file: Object<'static>,
    programs: SectionId,
}

impl HardObject {
    fn new() -> Self {
        let mut file = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
        let programs = file.add_section(Vec::new(), b"xdp".to_vec(), SectionKind::Text);
        Self { file, programs }
    }

    fn add_function(&mut self, name: Vec<u8>, code: &[[u8; 8]]) -> (SymbolId, u64) {
        let code = code.concat();
        let offset = self.file.append_section_data(self.programs, &code, 8);
        let section = SymbolSection::Section(self.programs);
        let symbol = self.add_symbol(name, section, offset, code.len() as u64);
        (symbol, offset)
    }

    fn add_symbol(
        &mut self,
        name: Vec<u8>,
        section: SymbolSection,
        value: u64,
        size: u64,
    ) -> SymbolId {
        self.file.add_symbol(Symbol {
            name,
            value,
            size,
            kind: SymbolKind::Text,
            scope: SymbolScope::Linkage,
            weak: false,
            section,
            flags: SymbolFlags::None,
        })
    }

    fn refer(&mut self, offset: u64, symbol: SymbolId) {
        let flags = RelocationFlags::Elf {
            r_type: elf::R_BPF_64_32,
        };
        let relocation = Relocation {
            offset,
            symbol,
            addend: 0,
            flags,
        };
        self.file.add_relocation(self.programs, relocation).unwrap();
    }

    fn add_data(&mut self, name: &str, bytes: &[u8]) {
        let name = name.as_bytes().to_vec();
        let section = self.file.add_section(Vec::new(), name, SectionKind::Other);
        self.file.append_section_data(section, bytes, 1);
    }

    fn finish(self) -> Vec<u8> {
        self.file.write().unwrap()
    }

    fn programs(count: usize) -> Vec<u8> {
        let mut object = Self::new();
        for number in 0..count {
            object.add_function(format!("p{number}").into_bytes(), &[CALL_REGISTER, END]);
        }
        object.finish()
    }

    /// Each program leads to the one before, and so to all of those before that.
    pub fn chain_of_programs(count: usize) -> Vec<u8> {
        let mut object = Self::new();
        let mut before = None;
        for number in 0..count {
            let name = format!("p{number}").into_bytes();
            let (symbol, offset) = object.add_function(name, &[CALL, CALL_REGISTER, END]);
            object.refer(offset, before.unwrap_or(symbol));
            before = Some(symbol);
        }
        object.finish()
    }

    fn sections_of_one_name(count: usize) -> Vec<u8> {
        let mut object = Self::new();
        object.add_function(b"p0".to_vec(), &[CALL_REGISTER, END]);
        for _ in 0..count {
            let name = vec![b'x'; 8 * count];
            object
                .file
                .add_section(Vec::new(), name, SectionKind::Other);
        }
        object.finish()
    }

    fn symbols_of_one_name(count: usize) -> Vec<u8> {
        let mut object = Self::new();
        for _ in 0..count {
            object.add_function(vec![b'x'; 16 * count], &[CALL_REGISTER, END]);
        }
        object.finish()
    }

    pub fn calls_of_long_name(calls: usize, length: usize) -> Vec<u8> {
        let mut object = Self::new();
        let missing = object.add_symbol(vec![b'x'; length], SymbolSection::Undefined, 0, 0);
        let code = [&vec![CALL; calls][..], &[END]].concat();
        object.add_function(b"p0".to_vec(), &code);
        for call in 0..calls as u64 {
            object.refer(8 * call, missing);
        }
        object.finish()
    }

    fn calls_of_endless_function(calls: usize) -> Vec<u8> {
        let mut object = Self::new();
        let (endless, _) = object.add_function(b"endless".to_vec(), &vec![NOTHING; 8 * calls]);
        let code = [&vec![CALL; calls][..], &[END]].concat();
        let (_, start) = object.add_function(b"p0".to_vec(), &code);
        for call in 0..calls as u64 {
            object.refer(start + 8 * call, endless);
        }
        object.finish()
    }

    fn with_types(types: &TypeInformation) -> Vec<u8> {
        let mut object = Self::new();
        let missing = object.add_symbol(b"bpf_x".to_vec(), SymbolSection::Undefined, 0, 0);
        object.add_function(b"p0".to_vec(), &[CALL, END]);
        object.refer(0, missing);
        object.add_types(types);
        object.finish()
    }

    fn with_lines(calls: usize, types: &TypeInformation) -> Vec<u8> {
        let mut object = Self::new();
        let code = [&vec![CALL_REGISTER; calls][..], &[END]].concat();
        object.add_function(b"p0".to_vec(), &code);
        object.add_types(types);
        object.finish()
    }

    fn add_types(&mut self, types: &TypeInformation) {
        self.add_data(".BTF", &types.types);
        self.add_data(".BTF.ext", &types.lines);
    }

    pub fn with_debug_information(debug: &DebugInformation) -> Vec<u8> {
        let mut object = Self::new();
        object.add_function(b"p0".to_vec(), &[CALL_REGISTER, END]);
        object.add_data(".debug_abbrev", &debug.abbreviations);
        object.add_data(".debug_info", &debug.entries);
        object.add_data(".debug_ranges", &debug.ranges);
        object.add_data(".debug_line", &debug.lines);
        object.finish()
    }
}
