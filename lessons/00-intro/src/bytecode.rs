//! The smallest program, from source to bytecode, by both toolchains.

use anyhow::Result;
use common::say;

use crate::object_file::{ObjectFile, PROGRAM};
use crate::{aya, libbpf};

/// One way from source to bytecode.
struct Toolchain {
    title: &'static str,
    source: &'static str,
    object: &'static [u8],
}

const TOOLCHAINS: [Toolchain; 2] = [
    Toolchain {
        title: "Rust: rustc makes LLVM bitcode, bpf-linker makes bytecode of it; aya loads it",
        source: include_str!("../ebpf/src/main.rs"),
        object: aya::OBJECT,
    },
    Toolchain {
        title: "C: clang makes bytecode; libbpf loads it, here through libbpf-rs",
        source: include_str!("../bpf/intro.bpf.c"),
        object: libbpf::OBJECT,
    },
];

/// What a loader looks at. The rest is for the linker and for debuggers.
const SECTIONS: [(&str, &str); 4] = [
    (
        PROGRAM,
        "the program; the section's name says where it goes: into the network driver's path",
    ),
    (
        "license",
        "some kernel functions may be called by GPL-compatible programs only",
    ),
    (".BTF", "the types of the program and of its maps"),
    (
        ".BTF.ext",
        "which line of the source made which instruction",
    ),
];

pub fn show() -> Result<()> {
    say(HALVES)?;
    for toolchain in &TOOLCHAINS {
        show_one(toolchain)?;
    }
    say("\nFrom here on both are the same to the kernel: bytecode.")
}

fn show_one(toolchain: &Toolchain) -> Result<()> {
    let file = ObjectFile::read(toolchain.object)?;
    say(&format!("\n{}", toolchain.title))?;
    say("  source:")?;
    for line in program_lines(toolchain.source) {
        say(&format!("    {}", line.replace('\t', "    ")))?;
    }
    say(&format!(
        "  bytecode ({} instructions of 8 bytes):",
        file.instructions.len()
    ))?;
    for instruction in &file.instructions {
        say(&format!(
            "    {}    {instruction}",
            instruction.hexadecimal()
        ))?;
    }
    say("  sections of the object file:")?;
    for (name, meaning) in SECTIONS {
        let meaning = if file.has(name) {
            meaning
        } else {
            "(not there)"
        };
        say(&format!("    {name:<10} {meaning}"))?;
    }
    say(&format!(
        "    and {} more",
        file.others(&SECTIONS.map(|(name, _)| name))
    ))?;
    say(&format!("  licence: {}", file.licence))
}

/// The lines between the comments that the book uses to quote them.
fn program_lines(source: &str) -> impl Iterator<Item = &str> {
    let inside = source
        .lines()
        .skip_while(|line| !line.contains("ANCHOR: program"));
    inside
        .skip(1)
        .take_while(|line| !line.contains("ANCHOR_END: program"))
}

const HALVES: &str = "\
An eBPF program has two halves
  kernel side   a small program; the kernel runs it each time something happens: a packet arrives, a file is removed
  user side     an ordinary program like this one; it loads the kernel side, and shows what that has seen
  in between    the bpf() system call, and maps: tables that both sides can read and write

Why not a kernel module?
  A module may do anything: one wrong pointer stops the machine. It is built for one kernel, and built again for the next.
  An eBPF program is checked before it runs, by the verifier: it ends, it reads only what it may, it calls only what
  it may. The same file can run on many kernels, and when the user side ends, the kernel removes it.

What it goes through
  source -> bytecode (this part) -> verifier -> machine code, by the JIT compiler (`intro load`) -> attached to an event";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_the_program_and_nothing_else() {
        let source = "a\n// ANCHOR: program\nb\nc\n// ANCHOR_END: program\nd\n";
        assert_eq!(program_lines(source).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn both_sources_have_something_to_quote() {
        for toolchain in &TOOLCHAINS {
            assert!(
                program_lines(toolchain.source).count() >= 4,
                "{}",
                toolchain.title
            );
        }
    }
}
