//! BTF, as Documentation/bpf/btf.rst of the kernel's source lays it out.

/// The sections `.BTF` and `.BTF.ext`.
pub struct TypeInformation {
    pub types: Vec<u8>,
    pub lines: Vec<u8>,
}

const INT: u32 = 1;
const FUNCTION: u32 = 12;
const VARIABLE_SECTION: u32 = 15;

impl TypeInformation {
    pub fn types_of_one_name(count: usize) -> Self {
        let names = [&[0][..], &vec![b'x'; 16 * count], &[0]].concat();
        let int = words(&[1, INT << 24, 4, 32]);
        Self {
            types: with_header(&[&int.repeat(count), &names]),
            lines: Vec::new(),
        }
    }

    /// Each is declared in a section, and a section has many of each.
    pub fn kfuncs_of_one_name(count: usize) -> Self {
        let names = [b"\0.ksyms\0", &vec![b'x'; 16 * count][..], &[0]].concat();
        let function = words(&[8, FUNCTION << 24, 0]);
        let count = count as u32;
        let member = |number: u32| words(&[number, 0, 8]);
        let members: Vec<u8> = (1..=count).flat_map(member).collect();
        let section = [words(&[1, VARIABLE_SECTION << 24 | count, 0]), members].concat();
        let types = [function.repeat(count as usize), section].concat();
        Self {
            types: with_header(&[&types, &names]),
            lines: Vec::new(),
        }
    }

    /// All of them are after the instructions of the program.
    pub fn lines_of_one_section(count: usize) -> Self {
        let line = |number: usize| words(&[u32::MAX - number as u32, 5, 0, 1 << 10]);
        let lines: Vec<u8> = (0..count).flat_map(line).collect();
        let section = [words(&[16, 1, count as u32]), lines].concat();
        Self {
            types: with_header(&[&[], b"\0xdp\0main.c\0"]),
            lines: with_header(&[&[], &section]),
        }
    }

    /// Of one long name.
    pub fn lines_of_many_sections(count: usize) -> Self {
        let names = [&[0][..], &vec![b'x'; 16 * count], b"\0main.c\0"].concat();
        let sections = words(&[1, 1, 0, 0, 0, 1 << 10]).repeat(count);
        Self {
            types: with_header(&[&[], &names]),
            lines: with_header(&[&[], &[words(&[16]), sections].concat()]),
        }
    }
}

/// Two parts, one after the other, with the header that names their places.
fn with_header(parts: &[&[u8]; 2]) -> Vec<u8> {
    let [first, second] = parts.map(|part| part.len() as u32);
    let header = words(&[0x0001_eb9f, 24, 0, first, first, second]);
    [&header, parts[0], parts[1]].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
