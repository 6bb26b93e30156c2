//! What is read from object files, on those of the gallery: real ones of both compilers, good and
//! bad.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::{Run, stderr, stdout};
use forbidden_calls::{ForbiddenKind, Object};
use kernel::Architecture;
use xtask::commands::gallery;
use xtask::pipeline::needs;

/// The bad calls of an object, with the ends of their paths.
fn calls(object: &[u8]) -> Vec<(ForbiddenKind, String)> {
    let object = Object::parse(object).unwrap();
    let programs: Vec<&str> = object.program_names().collect();
    assert!(!programs.is_empty());
    let calls = programs
        .iter()
        .flat_map(|program| object.find_forbidden_calls(program));
    let place = |site: Option<forbidden_calls::SourceSite>| {
        site.map_or(String::new(), |site| {
            let end = site.file.rsplit("/entries/").next().unwrap();
            format!("{end}:{}", site.line)
        })
    };
    calls.map(|call| (call.kind, place(call.site))).collect()
}

/// The line of an entry's program with this text.
fn line(file: &str, text: &str) -> String {
    let source = course::entry::find_gallery_lesson()
        .unwrap()
        .directory
        .join("entries")
        .join(file);
    let source = std::fs::read_to_string(source).unwrap();
    let number = source.lines().position(|line| line.contains(text)).unwrap() + 1;
    format!("{file}:{number}")
}

#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn the_gallery_has_the_calls_that_its_entries_say() {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let mut found = Vec::new();
    let objects = gallery::build_objects(Architecture::HOST)
        .unwrap()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".o"));
    for (name, object) in objects {
        let calls = calls(&object);
        assert!(
            calls.is_empty() || name.contains("-fail."),
            "{name} loads: {calls:?}"
        );
        found.extend(
            calls
                .into_iter()
                .map(|(kind, place)| (name.clone(), kind, place)),
        );
        damage(&object);
    }
    let expected = [
        (
            "bpf-trap-fail.c.o",
            ForbiddenKind::Trap,
            "bpf-trap/fail.bpf.c",
            "*value += 1",
        ),
        (
            "no-exit-last-insn-fail.rust.o",
            ForbiddenKind::Index,
            "no-exit-last-insn/fail.rs",
            "LIMITS[queue]",
        ),
        (
            "relocation-fails-fail.c.o",
            ForbiddenKind::Missing,
            "relocation-fails/fail.bpf.c",
            "return checksum(",
        ),
        (
            "relocation-fails-fail.rust.o",
            ForbiddenKind::Missing,
            "relocation-fails/fail.rs",
            "{ checksum(queue)",
        ),
        (
            "unknown-opcode-fail.c.o",
            ForbiddenKind::Pointer,
            "unknown-opcode/fail.bpf.c",
            "return action(ctx)",
        ),
        (
            "unknown-opcode-fail.rust.o",
            ForbiddenKind::Pointer,
            "unknown-opcode/fail.rs",
            ".action(&ctx)",
        ),
    ];
    let expected =
        expected.map(|(name, kind, file, text)| (name.to_owned(), kind, line(file, text)));
    assert_eq!(found, expected);
}

/// The book shows it.
#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn the_line_that_can_panic() {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let object = directory.path().join("program.o");
    std::fs::write(
        &object,
        &gallery::build_objects(Architecture::HOST).unwrap()["no-exit-last-insn-fail.rust.o"],
    )
    .unwrap();
    let output = Run::new(&["explain", "--object", object.to_str().unwrap()]).output();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn what_is_no_object_is_refused() {
    for (file, reason) in [
        ("nowhere.o", "No such file"),
        ("Cargo.toml", "this is no ELF file"),
    ] {
        let output = Run::new(&["explain", "--object", file]).output();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr(&output).contains(reason) && stderr(&output).contains("help"),
            "{}",
            stderr(&output)
        );
    }
}

/// Whatever is wrong with an object, it is read to some end.
fn damage(object: &[u8]) {
    let mut random = 1_u64;
    let mut below = |limit: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(random >> 33).unwrap() % limit
    };
    for _ in 0..3 {
        let mut damaged = object.to_vec();
        (0..8).for_each(|_| damaged[below(object.len())] ^= 0xff);
        damaged.truncate(object.len() - below(object.len() / 4));
        look(&damaged);
        let mut damaged = object.to_vec();
        (0..40).for_each(|_| damaged[64 + below(object.len() - 64)] ^= 1 << below(8));
        look(&damaged);
    }
}

fn look(object: &[u8]) {
    let Ok(object) = Object::parse(object) else {
        return;
    };
    for program in object.program_names() {
        object.find_forbidden_calls(program);
        object.find_site(program, 3);
        object.find_callee_length(program, 3);
    }
}
