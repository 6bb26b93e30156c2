//! The log of the kernel's check of BTF, which has a form of its own: a line for each type, and at
//! the end of the last one what is wrong with it.
//!
//! ```text
//!   magic: 0xeb9f
//!   [2] PTR (anon) type_id=1
//!   [3] STRUCT Pair<u8, u16> size=4 vlen=2 Invalid name
//!           first type_id=9 bits_offset=0 Invalid member
//! ```

/// Where in a line the type begins that the kernel refuses.
pub fn find_refused_type(line: &str) -> Option<usize> {
    let line = line.trim_end_matches(['"', '\\', '\'', ',', ' ']);
    find_type(line).or_else(|| find_member(line))
}

/// `[3] STRUCT Pair size=4 vlen=2 Invalid name`
fn find_type(line: &str) -> Option<usize> {
    // A logger's prefix may have some of its own; more cost time on hostile input.
    const TRIES: usize = 8;
    for (start, _) in line.match_indices('[').take(TRIES) {
        let after = &line[start + 1..];
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let Some(rest) = after[digits..].strip_prefix("] ") else {
            continue;
        };
        let (word, details) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_kind = TYPE_KINDS.contains(&word) && names_reason(details);
        let is_header = ["Invalid kind:", "Invalid name_offset:", "Invalid btf_info:"]
            .iter()
            .any(|reason| rest.starts_with(reason));
        if digits > 0 && (is_kind || is_header) {
            return Some(start);
        }
    }
    None
}

/// `first type_id=9 bits_offset=0 Invalid member`, below its struct.
fn find_member(line: &str) -> Option<usize> {
    let details = line.find("type_id=").or_else(|| line.find(" val="))?;
    let is_member = line[details..].contains("offset=") || line[details..].starts_with(" val=");
    let before = line[..details].trim_end();
    let name = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    (is_member && names_reason(&line[details..])).then_some(name)
}

/// Whether a type's line ends with a reason to refuse it.
fn names_reason(details: &str) -> bool {
    let ends_with = |reason: &&str| {
        let before = details.strip_suffix(*reason);
        before.is_some_and(|before| before.is_empty() || before.ends_with(' '))
    };
    REASONS.iter().any(ends_with) || NUMBERED.iter().any(|reason| details.contains(reason))
}

/// The kernel's names of the kinds of types.
pub const TYPE_KINDS: [&str; 20] = [
    "UNKNOWN",
    "INT",
    "PTR",
    "ARRAY",
    "STRUCT",
    "UNION",
    "ENUM",
    "FWD",
    "TYPEDEF",
    "VOLATILE",
    "CONST",
    "RESTRICT",
    "FUNC",
    "FUNC_PROTO",
    "VAR",
    "DATASEC",
    "FLOAT",
    "DECL_TAG",
    "TYPE_TAG",
    "ENUM64",
];

/// What is wrong with a type or a member, in the images of Linux 5.10 to 7.3.
const REASONS: [&str; 44] = [
    "Array size overflows U32_MAX",
    "Invalid array of int",
    "Invalid btf_info kind_flag",
    "Invalid btf_info size",
    "Invalid component_idx",
    "Invalid elem",
    "Invalid func linkage",
    "Invalid index",
    "Invalid member",
    "Invalid member base type",
    "Invalid member bitfield_size",
    "Invalid member bits_offset",
    "Invalid member offset",
    "Invalid name",
    "Invalid offset",
    "Invalid offset+size",
    "Invalid resolve state",
    "Invalid return type",
    "Invalid size",
    "Invalid type",
    "Invalid type_id",
    "Invalid type_size",
    "Invalid value",
    "Linkage not supported",
    "Loop detected",
    "Max chain length or cycle detected",
    "Member bits_offset exceeds its struct size",
    "Member exceeds struct_size",
    "Member is not byte aligned",
    "Member is not properly aligned",
    "Not a VAR kind member",
    "Unexpected size",
    "Unsupported check_kflag_member",
    "Unsupported check_member",
    "Unsupported encoding",
    "Unsupported resolve",
    "bits_offset exceeds U32_MAX",
    "nr_bits exceeds type_size",
    "nr_copy_bits exceeds 128",
    "size != 0",
    "size == 0",
    "type != 0",
    "vlen != 0",
    "vlen == 0",
];

/// Those that end with a number.
const NUMBERED: [&str; 5] = [
    " Invalid arg#",
    " Invalid int_data:",
    " Invalid member name_offset:",
    " meta_left:",
    " nr_bits exceeds ",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_are_refused() {
        for line in [
            "[3] STRUCT Pair<u8, u16> size=4 vlen=2 Invalid name",
            "[7] FUNC main type_id=6 vlen != 0",
            "[12] Invalid kind:19",
            "[3] INT int size=4 bits_offset=0 nr_bits=33 encoding=SIGNED nr_bits exceeds type_size",
            "[5] FUNC_PROTO (anon) return=0 args=(1 a, void) Invalid arg#2",
        ] {
            assert_eq!(find_refused_type(line), Some(0), "{line}");
            let quoted = ["libbpf: ", line].concat();
            assert_eq!(find_refused_type(&quoted), Some(8), "{quoted}");
        }
        let member = "\tfirst type_id=9 bits_offset=0 Invalid member";
        assert_eq!(find_refused_type(member), Some(1));
    }

    #[test]
    fn other_lines() {
        for line in [
            "[1] INT int size=4 bits_offset=0 nr_bits=32 encoding=SIGNED",
            "[2] PTR (anon) type_id=1",
            "\tfirst type_id=9 bits_offset=0",
            "[1] Invalid name",
            "Invalid name",
            "[ 12.5] STRUCT Invalid name",
            "see [1] for type_id= and Invalid name",
            "",
        ] {
            assert_eq!(find_refused_type(line), None, "{line}");
        }
    }
}
