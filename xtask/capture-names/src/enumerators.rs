//! Numbers that the bpf system call and programs use: of helpers, program types and the like.

use std::io::{self, Write};

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Enum;

/// What a line is called, the enum, and what all of its members begin with, followed by what the
/// name that people use begins with instead.
const ENUMS: [(&str, &str, &str, &str); 4] = [
    ("helper", "bpf_func_id", "BPF_FUNC_", "bpf_"),
    (
        "program-type",
        "bpf_prog_type",
        "BPF_PROG_TYPE_",
        "BPF_PROG_TYPE_",
    ),
    ("map-type", "bpf_map_type", "BPF_MAP_TYPE_", "BPF_MAP_TYPE_"),
    ("attach-type", "bpf_attach_type", "BPF_", "BPF_"),
];

/// Members that count the others.
const COUNTS: [&str; 2] = ["__BPF_FUNC_MAX_ID", "__MAX_BPF_ATTACH_TYPE"];

pub fn print_enumerators(out: &mut impl Write, btf: &Btf<'_>) -> io::Result<()> {
    for found in btf.type_by_kind::<Enum<'_>>() {
        let Some(name) = found.name() else { continue };
        let Some((kind, _, beginning, shown)) = ENUMS.iter().find(|it| *name == *it.1) else {
            continue;
        };
        for member in found.iter() {
            let name = member.name.unwrap_or_default().to_string_lossy();
            let Some(rest) = name.strip_prefix(beginning) else {
                continue;
            };
            if !COUNTS.contains(&&*name) {
                writeln!(out, "{kind}\t{shown}{rest}\t{}", member.value)?;
            }
        }
    }
    Ok(())
}
