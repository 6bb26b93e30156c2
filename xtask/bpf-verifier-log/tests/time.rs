//! The work grows no faster than the input, and the memory does not grow with it: for every form of
//! a log, and for texts that were made to be hard.
//!
//! How much memory is asked for is the same on every machine; the clock is not, so that its test
//! runs only when it is asked for:
//!
//! ```text
//! cargo test --release -p bpf-verifier-log --test time -- --ignored --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use bpf_verifier_log::{LogReader, explain_log};
use doubling::is_slow;

#[path = "../../tests/common/doubling.rs"]
mod doubling;

/// Counts what the thread asks for.
struct CountingAllocator;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST_HELD: Cell<usize> = const { Cell::new(0) };
    static ASKED_FOR: Cell<usize> = const { Cell::new(0) };
}

fn count_allocation(size: usize) {
    HELD.set(HELD.get().wrapping_add(size));
    MOST_HELD.set(MOST_HELD.get().max(HELD.get()));
    ASKED_FOR.set(ASKED_FOR.get() + size);
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for CountingAllocator {
    // SAFETY: what the caller promises is passed on.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        // SAFETY: the caller keeps the promises of this function, which are the same.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: what the caller promises is passed on.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the pointer is one that `alloc` got from there, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A text of about so many bytes.
type Text = fn(usize) -> Vec<u8>;

fn repeat(unit: &str, size: usize) -> Vec<u8> {
    unit.repeat(size / unit.len() + 1).into_bytes()
}

/// Numbers the units, so that no two are the same.
fn count_up(size: usize, unit: fn(usize) -> String) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < size {
        text += &unit(number);
        number += 1;
    }
    text.into_bytes()
}

fn step(number: usize) -> String {
    let pc = number % 5000;
    format!(
        "; value += data[{pc}]; @ count.bpf.c:{pc}\n\
         {pc}: (0f) r2 += r1                       ; R1_w=scalar(umax=255,var_off=(0x0; 0xff)) \
         R2_w=scalar(id={number},smin=0,smax=umax=0xffff,var_off=(0x0; 0xffff))\n\
         mark_precise: frame0: regs=r2 stack= before {pc}: (0f) r2 += r1\n\
         from {pc} to {}: R0=scalar() R1=ctx() R2=scalar(id={number}) R10=fp0 fp-8=mmmmmmmm\n",
        pc + 1,
    )
}

fn log(size: usize) -> Vec<u8> {
    [&b"0: R1=ctx() R10=fp0\n"[..], &count_up(size, step)].concat()
}

fn rejection(number: usize) -> String {
    format!(
        "libbpf: prog 'p{number}': -- BEGIN PROG LOAD LOG --\n\
         0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns (limit 1000000)\n-- END PROG LOAD LOG --\n"
    )
}

fn one_line_error(number: usize) -> String {
    format!(
        "program p{number}: load program: invalid argument: R{number} !read_ok \
         (9 line(s) omitted)\n"
    )
}

fn report(number: usize) -> String {
    format!(
        "R2 !read_ok\n\nVerification failed: Memory Safety: Problem {number}\n\nReason:\n  It is.\n\
         Suggestion:\n  Do not.\n\nprocessed 1 insns (limit 1000000)\n"
    )
}

fn cause(number: usize) -> String {
    format!(
        "Error: cannot load p{number}\n\nCaused by:\n    0: the BPF_PROG_LOAD syscall returned \
         x\n    1: Invalid argument (os error 22)\n"
    )
}

fn iproute2(number: usize) -> String {
    format!(
        "Prog section 'p{number}' rejected: Permission denied (13)!\n - Type:         3\n\n\
         Verifier analysis:\n\nSkipped 18446 bytes, use 'verb' option for the full verbose log.\n\
         R2 !read_ok\nprocessed 1 insns\n\nError filling program arrays!\n"
    )
}

fn truncated(number: usize) -> String {
    format!("0: (bf) r0 = r2\n{number}: (95) exit\n(truncated, {number} line(s) omitted)\n")
}

/// Each has a member of the type before it.
fn structure(number: usize) -> String {
    format!(
        "[{}] STRUCT s{number} size=8 vlen=2\n\ta type_id={number} bits_offset=0\n\t\
         b type_id={number} bits_offset=32\n",
        number + 1
    )
}

fn each_line(size: usize, before: &str, after: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(&log(size)).into_owned();
    let lines = text.lines().map(|line| format!("{before}{line}{after}\n"));
    lines.collect::<String>().into_bytes()
}

fn quoted(text: &[u8]) -> Vec<u8> {
    format!("{{\"error\":{:?}}}", String::from_utf8_lossy(text)).into_bytes()
}

fn utf16(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text).into_owned();
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    b"\xff\xfe".iter().copied().chain(units).collect()
}

const TEXTS: [(&str, Text); 43] = [
    ("log", log),
    ("log in a string", |size| quoted(&log(size))),
    ("log in a string in a string", |size| {
        quoted(&quoted(&log(size)))
    }),
    ("log in UTF-16", |size| utf16(&log(size / 2))),
    ("Kubernetes", |size| {
        each_line(size, "2026-03-27T06:20:40.061Z stderr F ", "")
    }),
    ("journald", |size| {
        each_line(size, "Apr 02 10:00:26 host agent[4242]: ", "")
    }),
    ("logfmt", |size| {
        each_line(size, "level=warning msg=\"", "\" subsys=loader")
    }),
    ("JSON", |size| {
        each_line(size, "{\"level\":\"info\",\"msg\":\"", "\"}")
    }),
    ("mail", |size| each_line(size, "> > ", "")),
    ("coded mail", |size| each_line(size, "> R1=3D", "=20")),
    ("a kernel's log", |size| {
        each_line(size, "<6>[   12.345678] ", "")
    }),
    ("syslog", |size| {
        each_line(size, "<30>1 2026-04-02T10:00:26Z host agent 4242 - - ", "")
    }),
    ("a CI's log", |size| {
        each_line(size, "2026-04-02T10:00:26.1234567Z \x1b[31m", "\x1b[0m")
    }),
    ("a CI's log in JSON", |size| {
        each_line(size, "{\"log\":\"", "\\n\",\"stream\":\"stderr\"}")
    }),
    ("a web page", |size| each_line(size, "", " &lt;br&gt;")),
    ("carriage returns", |size| {
        let mut text = log(size);
        text.iter_mut()
            .filter(|it| **it == b'\n')
            .for_each(|it| *it = b'\r');
        text
    }),
    ("debug output of aya", |size| {
        let begin = b"LoadError { io_error: Os { code: 22 }, verifier_log: ";
        [&begin[..], &quoted(&log(size))].concat()
    }),
    ("causes", |size| count_up(size, cause)),
    ("answers of iproute2", |size| count_up(size, iproute2)),
    ("truncated logs", |size| count_up(size, truncated)),
    ("types with members", |size| {
        [b"magic: 0xeb9f\n", &count_up(size, structure)[..]].concat()
    }),
    ("every message of the kernel", |size| {
        repeat(include_str!("../src/grammar/kernel.templates"), size)
    }),
    ("every message of others", |size| {
        repeat(include_str!("../src/grammar/outside.templates"), size)
    }),
    ("double line ends", |size| each_line(size, "", "\n")),
    ("rejections", |size| count_up(size, rejection)),
    ("the same rejection", |size| repeat(&rejection(1), size)),
    ("one-line errors", |size| count_up(size, one_line_error)),
    ("reports", |size| count_up(size, report)),
    ("one report", |size| {
        [
            b"Verification failed: A: B\nReason:\n",
            &repeat("  x y\n", size)[..],
        ]
        .concat()
    }),
    ("types", |size| {
        [
            b"magic: 0xeb9f\n",
            &repeat("[1] INT int size=4 Invalid name\n", size)[..],
        ]
        .concat()
    }),
    ("messages", |size| {
        repeat("R1 invalid mem access 'scalar'\n", size)
    }),
    ("outside errors", |size| {
        repeat("libbpf: map 'm': unknown field 'size'.\n", size)
    }),
    ("unknown lines in a log", |size| {
        [b"0: (95) exit\n", &repeat("the moon is wrong\n", size)[..]].concat()
    }),
    ("prose", |size| {
        repeat(
            "a text about eBPF and its programs: nothing (12) of it = a log\n",
            size,
        )
    }),
    ("one long line", |size| repeat("a", size)),
    ("one long line of numbers", |size| repeat("1: ", size)),
    ("backslashes", |size| repeat("\\", size)),
    ("escapes", |size| repeat("\\n\\\\n\\\\\\n", size)),
    ("source with escapes", |size| {
        [b";", &repeat(" \\n", size)[..]].concat()
    }),
    ("brackets", |size| repeat("[1] [2] ] ", size)),
    ("quotation marks", |size| repeat("\"msg\":\"\\\"\" ", size)),
    ("words of loaders", |size| {
        repeat("program a: load program: Verifier output: ", size)
    }),
    ("beginnings of messages", |size| {
        repeat("invalid access to map value, value_size=1 off=", size)
    }),
];

fn read_in_pieces(text: &[u8]) {
    let mut reader = LogReader::new();
    text.chunks(64 * 1024).for_each(|piece| reader.push(piece));
    black_box(reader.finish());
}

/// How much memory is held at most while a text is read.
fn most_held(text: &[u8]) -> usize {
    read_in_pieces(b"warm");
    let before = HELD.get();
    MOST_HELD.set(before);
    read_in_pieces(text);
    MOST_HELD.get() - before
}

/// How much memory is asked for in all.
fn asked_for(text: &[u8]) -> usize {
    let before = ASKED_FOR.get();
    read_in_pieces(text);
    ASKED_FOR.get() - before
}

const MEGABYTE: usize = 1024 * 1024;

#[test]
fn memory_does_not_grow_with_the_input() {
    for (name, text) in TEXTS {
        // Twice as much as is ever kept of a log.
        let held = most_held(&text(4 * MEGABYTE));
        assert!(held < 8 * MEGABYTE, "{name}: {} KB", held / 1024);
    }
    let [some, more] = [4, 16].map(|size| most_held(&log(size * MEGABYTE)));
    assert!(more < some + some / 10, "{some} and {more} bytes");
}

#[test]
fn twice_the_input_asks_for_twice_the_memory() {
    for (name, text) in TEXTS {
        let [some, twice] = [1, 2].map(|size| asked_for(&text(size * MEGABYTE)));
        // What a text of any size takes.
        let fixed = 4 * MEGABYTE;
        assert!(
            twice < 2 * some + some / 5 + fixed,
            "{name}: {some} and {twice} bytes"
        );
    }
}

#[test]
#[ignore = "takes seconds: cargo xtask test vm"]
fn twice_the_input_takes_at_most_a_little_more_than_twice_the_time() {
    let read = |text: &[u8]| drop(black_box(explain_log(text)));
    let slow = TEXTS
        .iter()
        .filter(|(name, text)| is_slow(name, text, MEGABYTE, read));
    let slow: Vec<&str> = slow.map(|(name, _)| *name).collect();
    assert_eq!(slow, [""; 0], "more than twice the time");
}
