//! A text that comes in pieces has the same explanation as in one piece, in every encoding.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use bpf_verifier_log::{Class, Explanation, LogReader, explain_log};
use fastrand::Rng;

/// The texts that the tests have, by the names of their files.
fn texts() -> Vec<(String, Vec<u8>)> {
    let mut texts = Vec::new();
    // Tests run in the directory of their package.
    for directory in ["tests/logs", "tests/inputs"] {
        for entry in fs::read_dir(Path::new(directory)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            texts.push((path.display().to_string(), bytes));
        }
    }
    texts.sort();
    assert!(texts.len() > 10);
    texts
}

/// Everything that an explanation tells.
fn told(explanation: &Explanation) -> String {
    format!("{explanation:?}")
}

/// The text of a file as plain UTF-8; `None` if it is UTF-16.
fn plain_text(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let is_plain = !text.contains('\0') && !text.starts_with('\u{feff}');
    is_plain.then_some(text)
}

fn in_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Explanation {
    let mut reader = LogReader::new();
    for piece in pieces {
        reader.push(piece);
    }
    reader.finish()
}

/// Pieces of random sizes, many of them very small.
fn random_pieces<'a>(bytes: &'a [u8], rng: &mut Rng) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = [1, 3, 40, 500][rng.usize(..4)];
        let (piece, after) = rest.split_at(rng.usize(..=most).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[test]
fn pieces_of_any_size_have_the_explanation_of_the_whole() {
    let mut rng = Rng::with_seed(1);
    for (name, text) in texts() {
        let whole = told(&explain_log(&text));
        for size in [1, 2, 7, 64, 1000] {
            assert_eq!(
                told(&in_pieces(text.chunks(size))),
                whole,
                "{name} by {size}"
            );
        }
        for _ in 0..20 {
            let pieces = random_pieces(&text, &mut rng);
            assert_eq!(told(&in_pieces(pieces.into_iter())), whole, "{name}");
        }
    }
}

#[test]
fn every_encoding_has_the_same_explanation() {
    for (name, text) in texts() {
        let Some(text) = plain_text(text) else {
            continue;
        };
        let of_units = |mark: &[u8], to_bytes: fn(u16) -> [u8; 2]| {
            let units = text.encode_utf16().flat_map(to_bytes);
            [mark, &units.collect::<Vec<u8>>()].concat()
        };
        for encoded in [
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            of_units(b"\xff\xfe", u16::to_le_bytes),
            of_units(b"\xfe\xff", u16::to_be_bytes),
        ] {
            let (plain, decoded) = (explain_log(text.as_bytes()), explain_log(&encoded));
            assert_eq!(told(&decoded), told(&plain), "{name}");
            assert_eq!(told(&in_pieces(encoded.chunks(3))), told(&plain), "{name}");
            for (program, other) in decoded.programs.iter().zip(&plain.programs) {
                let steps = program.read_steps(&encoded).steps;
                assert_eq!(steps.len(), other.read_steps(text.as_bytes()).steps.len());
            }
        }
    }
}

/// A log of level 2 with so many rounds through a loop.
fn long_log(rounds: usize) -> String {
    let mut log = String::from("0: R1=ctx() R10=fp0\n0: (bf) r6 = r1 ; R6_w=ctx()\n");
    for round in 1..=rounds {
        let state = format!("R2_w=scalar(id={round},umax=255,var_off=(0x0; 0xff)) R10=fp0");
        writeln!(log, "1: (07) r2 += 1     ; {state}").unwrap();
        writeln!(
            log,
            "mark_precise: frame0: regs=r2 stack= before 1: (07) r2 += 1"
        )
        .unwrap();
        writeln!(log, "2: (a5) if r2 < 0x9 goto pc-2   ; {state}").unwrap();
    }
    log + "3: (bf) r0 = r3\nR3 !read_ok\nprocessed 9 insns (limit 1000000)\n"
}

/// More than is kept of a log.
#[test]
fn a_long_log_has_one_explanation_too() {
    let log = long_log(20_000);
    assert!(log.len() > 3_000_000);
    let quoted = format!("{{\"error\":{log:?}}}\n");
    for text in [&log, &quoted] {
        let whole = explain_log(text.as_bytes());
        let program = &whole.programs[0];
        assert_eq!(program.class, Some(Class::UninitReg));
        assert_eq!(program.insn.as_ref().unwrap().pc, 3);
        for size in [4096, 65_536] {
            let pieces = text.as_bytes().chunks(size);
            assert_eq!(told(&in_pieces(pieces)), told(&whole));
        }
        assert_eq!(program.read_steps(text.as_bytes()).steps.len(), 40_002);
        let trace = program.trace(text.as_bytes());
        assert_eq!(trace.decisive, Some(trace.steps.len() - 1));
        assert_eq!(trace.left_out_before + trace.steps.len(), 40_002);
    }
}

#[test]
fn nothing_at_all_is_no_log() {
    let nothing = told(&LogReader::new().finish());
    assert_eq!(nothing, told(&explain_log(b"")));
}
