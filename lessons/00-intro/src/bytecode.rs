//! The smallest program, from source to bytecode, with both toolchains.

use anyhow::Result;
use common::say;

use crate::instruction::describe_instruction;
use crate::object_file::{BuiltObject, PROGRAM, read_object};
use crate::{aya, libbpf};

/// One way from source to bytecode.
struct SourceAndObject {
    title: &'static str,
    source: &'static str,
    object: &'static [u8],
}

const TOOLCHAINS: [SourceAndObject; 2] = [
    SourceAndObject {
        title: "Rust: rustc emits LLVM bitcode, bpf-linker turns it into bytecode; aya loads it",
        source: include_str!("../ebpf/src/main.rs"),
        object: aya::OBJECT,
    },
    SourceAndObject {
        title: "C: clang emits bytecode; libbpf loads it, here through libbpf-rs",
        source: include_str!("../bpf/intro.bpf.c"),
        object: libbpf::OBJECT,
    },
];

/// What a loader looks at. The rest is for the linker and for debuggers.
const SECTIONS: [(&str, &str); 4] = [
    (
        PROGRAM,
        "the program; the name says where it runs: when a network driver gets a packet",
    ),
    (
        "license",
        "only GPL-compatible programs may call some of the kernel's functions",
    ),
    (".BTF", "the types of the program and of its maps"),
    (
        ".BTF.ext",
        "which source line each instruction was compiled from",
    ),
];

pub fn show_toolchains() -> Result<()> {
    say(INTRODUCTION)?;
    for toolchain in &TOOLCHAINS {
        say(&format!("\n{}", toolchain.title))?;
        show_source(toolchain.source)?;
        show_object(&read_object(toolchain.object)?)?;
    }
    say("\nFrom here on there is no difference: the kernel sees only bytecode.")
}

fn show_source(source: &str) -> Result<()> {
    say("  source:")?;
    for line in quoted_lines(source) {
        say(&format!("    {}", line.replace('\t', "    ")))?;
    }
    Ok(())
}

/// The lines between the comments that the book uses to quote them.
fn quoted_lines(source: &str) -> impl Iterator<Item = &str> {
    let inside = source
        .lines()
        .skip_while(|line| !line.contains("ANCHOR: program"));
    inside
        .skip(1)
        .take_while(|line| !line.contains("ANCHOR_END: program"))
}

fn show_object(object: &BuiltObject) -> Result<()> {
    let count = object.instructions.len();
    say(&format!("  bytecode ({count} instructions of 8 bytes):"))?;
    for bytes in &object.instructions {
        let hexadecimal = bytes.map(|byte| format!("{byte:02x}")).join(" ");
        say(&format!(
            "    {hexadecimal}    {}",
            describe_instruction(bytes)
        ))?;
    }
    say("  sections of the object file:")?;
    let mut others = object.sections.clone();
    for (name, meaning) in SECTIONS {
        let before = others.len();
        others.retain(|other| other != name);
        let found = others.len() < before;
        let meaning = if found { meaning } else { "(missing)" };
        say(&format!("    {name:<10} {meaning}"))?;
    }
    say(&format!("    and {} more", others.len()))?;
    say(&format!("  license: {}", object.license))
}

const INTRODUCTION: &str = "\
Two programs work together
  eBPF program        a small one; the kernel runs it each time something happens: a packet
                      arrives, a file is removed
  user-space program  an ordinary one, like this; it loads the eBPF program and shows what it saw
  between them        the bpf() system call, and maps: tables that both can read and write

Why not a kernel module?
  A module may do anything: one wrong pointer crashes the machine. It is built for one kernel, and
  built again for the next. An eBPF program is checked by the verifier before it runs: it must end,
  and it may read and call only what it is allowed to. The same file can run on many kernels, and
  when the user-space program ends, the kernel removes the eBPF program.

What happens to an eBPF program
  source -> bytecode (this part) -> verifier -> machine code, from the JIT compiler (`intro load`)
  -> attached to an event";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_the_program_and_nothing_else() {
        let source = "a\n// ANCHOR: program\nb\nc\n// ANCHOR_END: program\nd\n";
        assert_eq!(quoted_lines(source).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn both_sources_have_something_to_quote() {
        for toolchain in &TOOLCHAINS {
            assert!(
                quoted_lines(toolchain.source).count() >= 4,
                "{}",
                toolchain.title
            );
        }
    }
}
