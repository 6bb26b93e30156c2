//! Texts as people paste them, in the forms that loaders and loggers give them, and what must hold
//! of the first program of each.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bpf_verifier_log::{
    ExplainedProgram, Explanation, Loader, LogVerdict, MissingPart, explain_log,
};

/// The file without its ending; the verdict and what else must hold, in the words of
/// [`describe_facts`]; the decisive line.
type Row = (&'static str, &'static str, &'static str);

/// aya's error in one line with the log, with its causes below, and as `Debug` prints it.
const AYA: [Row; 11] = [
    (
        "aya-errno-clean",
        "explained clean-log-error errno=22 loader=aya",
        "",
    ),
    (
        "aya-errno-clean-caused-by",
        "explained clean-log-error errno=22 loader=aya",
        "",
    ),
    (
        "aya-errno-clean-debug",
        "explained clean-log-error errno=22 loader=aya",
        "",
    ),
    (
        "aya-errno-clean-pretty",
        "explained jit-unsupported errno=524 loader=aya",
        "",
    ),
    (
        "aya-errno-jit",
        "explained jit-unsupported errno=524 loader=aya",
        "",
    ),
    (
        "aya-errno-json",
        "explained uninit-reg errno=13 loader=aya",
        "R2 !read_ok",
    ),
    (
        "aya-errno-no-log",
        "explained no-permission errno=1 loader=aya",
        "*",
    ),
    (
        "aya-e2big-cut",
        "explained complexity-insns errno=7 loader=aya missing=end guess",
        "",
    ),
    (
        "aya-e2big-cut-plain",
        "explained complexity-insns errno=7 loader=aya missing=end guess",
        "",
    ),
    (
        "aya-e2big-cut-debug",
        "explained complexity-insns errno=7 loader=aya missing=end guess",
        "",
    ),
    (
        "truncated-aya",
        "explained log-truncated errno=28 loader=aya missing=end",
        "",
    ),
];

const EBPF_GO: [Row; 17] = [
    (
        "ebpf-go-short-message",
        "explained core-relo errno=22 name=count_open",
        "invalid func unknown#195896080",
    ),
    (
        "ebpf-go-short-opcode",
        "explained unknown-opcode errno=22 name=count_open",
        "unknown opcode 8d",
    ),
    (
        "ebpf-go-short-func-info",
        "explained btf-func-info errno=22 name=count_open",
        "missing btf func_info",
    ),
    (
        "ebpf-go-short-relocation",
        "explained core-relo name=count_open missing=beginning",
        "invalid func unknown#195896080",
    ),
    (
        "ebpf-go-whole",
        "explained uninit-reg errno=13 name=count_open missing=none",
        "R2 !read_ok",
    ),
    (
        "ebpf-go-first-lines",
        "unknown errno=13 name=count_open missing=end",
        "",
    ),
    (
        "ebpf-go-last-lines",
        "explained uninit-reg errno=13 missing=beginning",
        "R2 !read_ok",
    ),
    (
        "truncated-ebpf-go",
        "explained log-truncated errno=7 missing=end",
        "",
    ),
    (
        "truncated-ebpf-go-no-lines",
        "explained log-truncated errno=28 missing=end",
        "",
    ),
    (
        "truncated-ebpf-go-whole",
        "explained log-truncated errno=28 missing=end",
        "",
    ),
    (
        "clean-log-before-one-line-error",
        "explained scalar-deref errno=13 name=count_drop",
        "R1 invalid mem access 'scalar'",
    ),
    (
        "clean-log-nameless-before-one-line-error",
        "explained map-value-or-null errno=13 name=count_drop insn=12",
        "R1 invalid mem access 'map_value_or_null'",
    ),
    (
        "clean-logs-before-logfmt-error",
        "explained unreachable-insn errno=22 name=count_drop",
        "*",
    ),
    (
        "clean-log-before-unknown-one-line",
        "unknown errno=22 name=count_new",
        "the moon is in the wrong phase for R3",
    ),
    (
        "clean-log-and-one-line-of-cut",
        "explained log-truncated errno=28 name=count_cut",
        "",
    ),
    (
        "name-quoted",
        "explained uninit-reg errno=13 name=count_open loader=ebpf-go",
        "R2 !read_ok",
    ),
    (
        "json-string-levels",
        "explained uninit-reg insn=0",
        "R2 !read_ok",
    ),
];

/// Whose end or beginning is missing, and what other loaders say then.
const CUT: [Row; 17] = [
    (
        "tail-without-error",
        "unknown errno=13 missing=beginning name=count_exit loader=libbpf",
        "",
    ),
    (
        "tail-without-error-einval",
        "unknown errno=22 missing=beginning loader=bpftool",
        "",
    ),
    (
        "tail-without-error-stats",
        "unknown errno=13 missing=beginning",
        "",
    ),
    (
        "tail-with-instructions",
        "unknown errno=13 missing=beginning",
        "",
    ),
    (
        "tail-with-error",
        "explained uninit-reg errno=13",
        "R0 !read_ok",
    ),
    ("head-without-end", "unknown errno=13 missing=end", ""),
    ("json-cut-log", "no-rejection missing=end", ""),
    (
        "libbpf-e2big-cut",
        "explained complexity-insns errno=7 missing=end guess loader=libbpf",
        "",
    ),
    (
        "truncated-bpftool",
        "explained complexity-insns errno=7 missing=end guess loader=bpftool",
        "",
    ),
    (
        "truncated-bpftrace",
        "explained log-truncated errno=28 name=count_1 loader=bpftrace",
        "",
    ),
    (
        "truncated-bpftrace-words",
        "explained log-truncated loader=bpftrace",
        "*",
    ),
    (
        "truncated-bcc",
        "explained log-truncated errno=28 missing=end loader=bcc",
        "",
    ),
    (
        "truncated-iproute2-too-small",
        "explained log-truncated loader=iproute2",
        "*",
    ),
    (
        "truncated-iproute2-analysis",
        "explained log-truncated errno=28 missing=beginning \
        loader=iproute2",
        "",
    ),
    (
        "truncated-libbpf",
        "explained log-truncated loader=libbpf",
        "*",
    ),
    (
        "truncated-libbpf-rs",
        "explained log-truncated errno=28 missing=end loader=libbpf-rs",
        "",
    ),
    (
        "name-of-bcc",
        "explained uninit-reg errno=13 name=count_open loader=bcc",
        "R2 !read_ok",
    ),
];

/// Reports of Linux 7.3 without what is above them in a log.
const REPORTS: [Row; 9] = [
    (
        "report-without-instruction",
        "explained scalar-deref",
        "R1 invalid mem access 'scalar'",
    ),
    (
        "report-without-instruction-libbpf",
        "explained map-value-or-null errno=13 name=count",
        "R0 invalid mem access 'map_value_or_null'",
    ),
    (
        "report-without-instruction-aya",
        "explained uninit-reg errno=13 loader=aya",
        "R2 !read_ok",
    ),
    (
        "report-without-instruction-two-lines",
        "explained map-value-bounds",
        "invalid access to map value, value_size=56 off=263 size=1",
    ),
    ("report-only", "rejected", "*"),
    ("report-only-indented", "rejected", "*"),
    (
        "report-only-new-category",
        "rejected",
        "Verification failed: Timing Safety: Clock read twice",
    ),
    ("report-only-summary", "rejected", "*"),
    (
        "report-only-then-log",
        "explained uninit-reg insn=0",
        "R2 !read_ok",
    ),
];

/// The kernel's check of the object's types has a log of another form.
const TYPES: [Row; 6] = [
    (
        "btf-log-bare",
        "explained btf-rejected",
        "[3] STRUCT Pair<u8, u16> size=4 vlen=2 Invalid name",
    ),
    (
        "btf-log-member",
        "explained btf-rejected",
        "second type_id=9 bits_offset=64 Member exceeds struct_size",
    ),
    (
        "btf-log-libbpf",
        "explained btf-rejected errno=22 loader=libbpf",
        "[2] FUNC count type_id=1 vlen != 0",
    ),
    (
        "btf-log-aya",
        "explained btf-rejected errno=22 loader=aya",
        "[2] STRUCT Option<u32> size=8 vlen=1 Invalid name",
    ),
    (
        "btf-log-header-only",
        "explained btf-rejected",
        "Total section length too long",
    ),
    (
        "btf-log-json",
        "explained btf-rejected",
        "[2] TYPEDEF x type_id=77 Invalid type_id",
    ),
];

/// What is wrong with a function is said before its first step.
const FUNCTIONS: [Row; 5] = [
    (
        "global-function-second",
        "explained global-func-arg insn=none",
        "arg#0 reference type('UNKNOWN ') size cannot be determined: -22",
    ),
    (
        "global-function-second-libbpf",
        "explained global-func-arg errno=22 name=count_b insn=none",
        "arg#1 reference type('FWD state') size cannot be determined: -22",
    ),
    (
        "global-function-second-returns-nothing",
        "explained global-func-return insn=none",
        "Global function second_step() doesn't return scalar. Only those are supported.",
    ),
    (
        "global-function-third-argument",
        "explained global-func-arg insn=none",
        "Arg#0 type PTR in third_step() is not supported yet.",
    ),
    (
        "global-function-second-accepted",
        "no-rejection missing=none",
        "",
    ),
];

/// Empty lines and messages, encodings, names, quotation marks, source lines.
const TEXTS: [Row; 28] = [
    (
        "blank-line-behind-decoy",
        "explained uninit-reg errno=13 name=count_write alone",
        "R2 !read_ok",
    ),
    (
        "blank-line-behind-two-decoys",
        "explained stack-bounds errno=22 name=count_c alone",
        "invalid stack off=-516 size=4",
    ),
    (
        "blank-lines-between-all",
        "explained packet-bounds name=count_a lines=2 alone",
        "*",
    ),
    (
        "blank-lines-between-all-crlf",
        "explained packet-bounds name=count_b lines=2 alone",
        "*",
    ),
    ("logfmt-empty-message", "no-rejection missing=none", ""),
    ("logfmt-without-message", "no-rejection missing=none", ""),
    (
        "compose-empty-message",
        "no-rejection missing=none name=count",
        "",
    ),
    ("journal-empty-message", "no-rejection missing=none", ""),
    ("json-lines-empty-message", "no-rejection missing=none", ""),
    (
        "name-failed",
        "explained uninit-reg name=count_pass errno=13",
        "R2 !read_ok",
    ),
    (
        "name-failed-mapped",
        "explained uninit-reg name=raw_tracepoint/sys_enter",
        "R2 !read_ok",
    ),
    ("quoted-kind", "explained scalar-deref insn=554", "*"),
    ("quoted-kind-scalar", "explained scalar-deref", "*"),
    ("quoted-kind-imm", "explained scalar-deref", "*"),
    ("quoted-kind-wrapped", "explained map-value-or-null", "*"),
    (
        "source-line-without-text",
        "explained scalar-deref source=count.bpf.c:32:",
        "*",
    ),
    (
        "source-line-bpftrace",
        "explained scalar-deref source=bpftrace.bpf.o:0:",
        "*",
    ),
    (
        "source-line-with-at",
        "explained uninit-reg source=src/main.rs:7:x=a@b;",
        "R2 !read_ok",
    ),
    (
        "source-line-old",
        "explained uninit-reg source=::x=a@b;",
        "R2 !read_ok",
    ),
    ("utf16", "explained uninit-reg", "R2 !read_ok"),
    ("utf16-big", "explained uninit-reg insn=0", "R2 !read_ok"),
    (
        "utf16-no-mark",
        "explained uninit-reg insn=0",
        "R2 !read_ok",
    ),
    (
        "utf16-characters",
        "explained uninit-reg source=a.c:7://값🐝",
        "R2 !read_ok",
    ),
    ("utf8-mark", "explained uninit-reg insn=0", "R2 !read_ok"),
    (
        "aya-errno-json",
        "explained uninit-reg source=::inta(structpt_regs*ctx)",
        "R2 !read_ok",
    ),
    ("report-only-then-log", "explained line=18", "R2 !read_ok"),
    ("truncated-ebpf-go", "explained buffer-too-small", ""),
    (
        "clean-log-before-one-line-error",
        "explained line=7 missing=beginning",
        "*",
    ),
];

/// Each line in a wrapping of its own, and what loaders and people put around errors.
const WRAPPED: [Row; 16] = [
    (
        "wrapped-slog",
        "explained scalar-deref insn=1 source=sock.rs:57:letport=(*sock).port;",
        "R7 invalid mem access 'scalar'",
    ),
    (
        "wrapped-docker",
        "explained scalar-deref insn=1 source=sock.rs:57:letport=(*sock).port;",
        "R7 invalid mem access 'scalar'",
    ),
    (
        "wrapped-journal",
        "explained scalar-deref insn=1 source=sock.rs:57:letport=(*sock).port;",
        "R7 invalid mem access 'scalar'",
    ),
    (
        "wrapped-json-list",
        "explained scalar-deref insn=1 source=sock.rs:57:letport=(*sock).port;",
        "R7 invalid mem access 'scalar'",
    ),
    (
        "wrapped-patch",
        "explained scalar-deref insn=1 source=sock.rs:57:letport=(*sock).port;",
        "R7 invalid mem access 'scalar'",
    ),
    (
        "types-refused-first",
        "explained uninit-reg insn=0 errno=13 name=on_send",
        "R6 !read_ok",
    ),
    (
        "tail-named-error",
        "unknown errno=22 missing=beginning name=watch",
        "",
    ),
    (
        "head-in-causes",
        "unknown errno=13 missing=end loader=aya",
        "",
    ),
    (
        "aya-message-broken-off",
        "explained stack-limit loader=aya",
        "combined stack size of 3 calls is 520. To",
    ),
    (
        "mail-mark-in-next-line",
        "explained scalar-deref insn=3",
        "R8 invalid mem access 'inv'",
    ),
    (
        "libbpf-too-big-without-log",
        "unknown errno=7 name=huge missing=end",
        "",
    ),
    (
        "iproute2-in-logfmt",
        "explained log-truncated buffer-too-small loader=iproute2",
        "*",
    ),
    (
        "ebpf-go-relocation-into-stack-pointer",
        "explained core-relo insn=2 name=stat",
        "frame pointer is read only",
    ),
    (
        "ebpf-go-unknown-kfunc",
        "explained kfunc-missing name=stat",
        "*",
    ),
    ("memlock", "explained no-permission errno=1", "*"),
    (
        "back-edge-in-trimmed-log",
        "explained loop-back-edge insn=44",
        "*",
    ),
];

/// All that a row may ask for.
fn describe_facts(explanation: &Explanation, program: &ExplainedProgram) -> BTreeSet<String> {
    let or_none = |fact: Option<String>| fact.unwrap_or_else(|| "none".to_owned());
    let verdict = format!("{:?}", program.verdict);
    let loader = program.loader.map(|loader| format!("{loader:?}"));
    let missing = program.missing_part.map(|part| format!("{part:?}"));
    let mut facts = BTreeSet::from([
        as_slug(&verdict),
        format!("loader={}", or_none(loader.map(|name| as_slug(&name)))),
        format!("missing={}", or_none(missing.map(|name| as_slug(&name)))),
        format!("name={}", or_none(program.name.clone())),
        format!(
            "errno={}",
            or_none(program.errno.map(|errno| errno.to_string()))
        ),
        format!(
            "insn={}",
            or_none(program.insn.as_ref().map(|insn| insn.pc.to_string()))
        ),
        format!("lines={}", program.messages.len()),
    ]);
    facts.extend(program.class.map(|class| class.slug().to_owned()));
    facts.extend(
        program
            .messages
            .first()
            .map(|message| format!("line={}", message.line)),
    );
    if let Some(source) = &program.source {
        let file = source.file.clone().unwrap_or_default();
        let line = source.line.map(|line| line.to_string()).unwrap_or_default();
        facts.insert(format!(
            "source={file}:{line}:{}",
            source.text.replace(' ', "")
        ));
    }
    for (is_so, fact) in [
        (program.is_guess, "guess"),
        (program.buffer_too_small, "buffer-too-small"),
        (explanation.programs.len() == 1, "alone"),
        (
            matches!(as_slug(&verdict).as_str(), "explained" | "unknown"),
            "rejected",
        ),
    ] {
        facts.extend(is_so.then(|| fact.to_owned()));
    }
    // A loader may say that its buffer was too small, and show no log.
    let is_cut = program.missing_part.is_some() || program.buffer_too_small;
    assert!(!program.truncated || is_cut);
    assert!(program.truncated || program.missing_part.is_none());
    facts
}

/// `no-rejection` of `NoRejection`
fn as_slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !slug.is_empty() {
            slug.push('-');
        }
        slug.extend(letter.to_lowercase());
    }
    slug
}

fn check_row((file, expected, decisive): Row) {
    let text = fs::read(Path::new("tests/inputs").join(format!("{file}.txt"))).unwrap();
    let explanation = explain_log(&text);
    let Some(program) = explanation.programs.first() else {
        panic!("{file}: nothing is found");
    };
    let facts = describe_facts(&explanation, program);
    for fact in expected.split_whitespace() {
        assert!(
            facts.contains(fact),
            "{file}: {fact} is not among {facts:?}"
        );
    }
    let first = program.messages.first().map_or("", |message| &message.text);
    assert!(decisive == "*" || decisive == first, "{file}: {first}");
}

#[test]
fn what_aya_prints() {
    AYA.into_iter().for_each(check_row);
}

#[test]
fn what_cilium_ebpf_prints() {
    EBPF_GO.into_iter().for_each(check_row);
}

#[test]
fn logs_of_which_a_part_is_missing() {
    CUT.into_iter().for_each(check_row);
}

#[test]
fn reports_without_a_log() {
    REPORTS.into_iter().for_each(check_row);
}

#[test]
fn logs_about_types() {
    TYPES.into_iter().for_each(check_row);
}

#[test]
fn functions_that_are_checked_one_by_one() {
    FUNCTIONS.into_iter().for_each(check_row);
}

#[test]
fn texts_that_were_copied() {
    TEXTS.into_iter().for_each(check_row);
}

#[test]
fn texts_with_something_around_each_line() {
    WRAPPED.into_iter().for_each(check_row);
}

#[test]
fn logs_on_one_line() {
    for text in [
        r#"{"a":"b","lines":["0: (bf) r7 = r1","1: (bf) r0 = r7","R7 !read_ok"]}"#,
        "0: (79) r7 = *(u64 *)(r1 +40)<br>1: (69) r0 = *(u16 *)(r7 +12)<br/>R7 !read_ok<br/>",
        "0: (79) r7 = *(u64 *)(r1 +40)\r1: (69) r0 = *(u16 *)(r7 +12)\rR7 !read_ok\r",
    ] {
        let explanation = explain_log(text.as_bytes());
        let program = &explanation.programs[0];
        assert_eq!(program.message().unwrap(), "R7 !read_ok", "{text}");
        assert_eq!(program.insn.as_ref().unwrap().pc, 1, "{text}");
    }
}

/// The lines of verified paths are taken back: what is found after the walk is all there is.
#[test]
fn what_is_found_after_the_walk_is_a_whole_log() {
    let log =
        b"combined stack size of 2 calls is 576. Too large\nprocessed 9 insns (limit 1000000)\n";
    let program = &explain_log(log).programs[0];
    assert_eq!((program.truncated, program.missing_part), (false, None));
}

#[test]
fn what_says_nothing_of_a_program_is_no_log() {
    let other = fs::read("tests/inputs/report-of-other-kind.txt").unwrap();
    assert_eq!(explain_log(&other).programs.len(), 0);
    let types = b"magic: 0xeb9f\nversion: 1\n[1] INT int size=4 bits_offset=0 nr_bits=32\n";
    assert_eq!(explain_log(types).programs.len(), 0);
}

#[test]
fn every_loader_and_part_has_words() {
    for loader in [
        Loader::Aya,
        Loader::Libbpf,
        Loader::LibbpfRs,
        Loader::EbpfGo,
        Loader::Bpftool,
        Loader::Bpftrace,
        Loader::Bcc,
        Loader::Iproute2,
    ] {
        assert!(loader.how_to_get_whole_log().ends_with('.'));
    }
    for part in [
        MissingPart::Beginning,
        MissingPart::Middle,
        MissingPart::End,
    ] {
        assert!(part.describe_part().ends_with('.'));
    }
}

/// aya up to 0.13 gives no number, and a status page cuts what is long.
#[test]
fn a_cut_log_of_a_program_that_was_not_loaded_is_a_rejection() {
    let log = "\"message\": \"Failed to load program 'connect' with error: the BPF_PROG_LOAD \
               syscall failed. Verifier output: 0: (bf) r6 = r1\\n1: (85) call \
               bpf_get_socket_cookie#46\\n2: (b7) r1 = 0\\n3: (63) *(u32 *)(r10 -44) = r1\\n4: \
               (85) cal...\"";
    let program = &explain_log(log.as_bytes()).programs[0];
    assert_eq!(program.verdict, LogVerdict::Unknown);
    assert_eq!(program.missing_part, Some(MissingPart::End));
    // The same log of a program that may have been loaded.
    let log = log
        .replace("Failed to load", "Loads")
        .replace("BPF_PROG_LOAD syscall failed. ", "");
    let program = &explain_log(log.as_bytes()).programs[0];
    assert_eq!(program.verdict, LogVerdict::NoRejection);
}
