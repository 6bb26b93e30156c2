//! DWARF 4, by the numbers of its standard.

/// The sections `.debug_abbrev`, `.debug_info`, `.debug_ranges` and `.debug_line`.
#[derive(Default)]
pub struct DebugInformation {
    pub abbreviations: Vec<u8>,
    pub entries: Vec<u8>,
    pub ranges: Vec<u8>,
    pub lines: Vec<u8>,
}

const UNIT: u8 = 0x11;
const FUNCTION: u8 = 0x2e;
const INLINED: u8 = 0x1d;

/// An address, and a length in eight bytes.
const PLACE: [u8; 4] = [0x11, 0x01, 0x12, 0x07];
/// An offset in `.debug_ranges`.
const RANGES: [u8; 2] = [0x55, 0x17];
/// An offset in `.debug_line`.
const LINES: [u8; 2] = [0x10, 0x17];
/// One that takes no bytes.
const FLAG: [u8; 2] = [0x3f, 0x19];

impl DebugInformation {
    /// A unit with one function, and in that a list of others.
    fn with_function(inlined: &[u8], attributes: &[u8], has_children: bool) -> Self {
        let abbreviations = [
            abbreviation(1, UNIT, true, &PLACE),
            abbreviation(2, FUNCTION, true, &PLACE),
            abbreviation(3, INLINED, has_children, attributes),
            vec![0],
        ];
        let entries = [&[1][..], &everywhere(), &[2], &everywhere(), inlined].concat();
        Self {
            abbreviations: abbreviations.concat(),
            entries: unit(&entries),
            ..Self::default()
        }
    }

    pub fn nested(depth: usize) -> Self {
        Self::with_function(&vec![3; depth], &[], true)
    }

    pub fn flat(count: usize) -> Self {
        Self::with_function(&vec![3; count], &[], false)
    }

    pub fn with_same_ranges(count: usize) -> Self {
        let inlined = [3, 0, 0, 0, 0].repeat(count);
        let range = |number: u64| [number.to_le_bytes(), (number + 1).to_le_bytes()].concat();
        let ranges: Vec<u8> = (1..=count as u64).flat_map(range).collect();
        Self {
            ranges: [ranges, vec![0; 16]].concat(),
            ..Self::with_function(&inlined, &RANGES, false)
        }
    }

    pub fn with_many_attributes(count: usize) -> Self {
        Self::with_function(&vec![3; count], &FLAG.repeat(count), false)
    }

    pub fn with_same_lines(units: usize) -> Self {
        let attributes = [&PLACE[..], &LINES].concat();
        let entries = unit(&[&[1][..], &everywhere(), &[0; 4]].concat());
        let file = b"main.c\0\0\0\0".repeat(8 * units);
        Self {
            abbreviations: [abbreviation(1, UNIT, false, &attributes), vec![0]].concat(),
            entries: entries.repeat(units),
            ranges: Vec::new(),
            lines: line_program(b"", &file),
        }
    }

    pub fn with_long_directory(files: usize) -> Self {
        let attributes = [&PLACE[..], &LINES].concat();
        let directory = [&vec![b'x'; 16 * files][..], &[0]].concat();
        Self {
            abbreviations: [abbreviation(1, UNIT, false, &attributes), vec![0]].concat(),
            entries: unit(&[&[1][..], &everywhere(), &[0; 4]].concat()),
            ranges: Vec::new(),
            lines: line_program(&directory, &b"f\0\x01\0\0".repeat(files)),
        }
    }
}

fn abbreviation(code: u8, tag: u8, has_children: bool, attributes: &[u8]) -> Vec<u8> {
    [
        &[code, tag, u8::from(has_children)][..],
        attributes,
        &[0, 0],
    ]
    .concat()
}

/// From address 0, for more than any section.
fn everywhere() -> Vec<u8> {
    [0u64.to_le_bytes(), (1u64 << 40).to_le_bytes()].concat()
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

fn unit(entries: &[u8]) -> Vec<u8> {
    // The version, the offset of the abbreviations, the size of an address.
    with_length(&[&[4, 0, 0, 0, 0, 0, 8][..], entries].concat())
}

/// One without a single row.
fn line_program(directories: &[u8], files: &[u8]) -> Vec<u8> {
    // Lengths of instructions, and how line and address go on together.
    let fixed = [1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
    let header = [&fixed[..], directories, &[0], files, &[0]].concat();
    with_length(&[&4u16.to_le_bytes()[..], &with_length(&header)].concat())
}
