//! Answers in C that seem to work, or that pretend to: a line of the solution is another one. Each
//! must be refused at the check that is about it.

use super::Mistake;
use std::fs;

use course::Implementation;
use course::exercises::{Exercise, Variant};
use kernel::DEFAULT;

struct WrongAnswer {
    exercise: &'static str,
    name: &'static str,
    /// The line or a part of it, and what is there instead.
    replace: (&'static str, &'static str),
    at: &'static str,
    words: &'static str,
}

const fn wrong(
    exercise: &'static str,
    name: &'static str,
    replace: (&'static str, &'static str),
    at: &'static str,
    words: &'static str,
) -> WrongAnswer {
    WrongAnswer {
        exercise,
        name,
        replace,
        at,
        words,
    }
}

const WRONG_ANSWERS: [WrongAnswer; 28] = [
    wrong(
        "05/verdict-table",
        "the greatest error is none",
        ("verdict < -MAX_ERRNO", "verdict <= -MAX_ERRNO"),
        "returns what the table says",
        "should have been denied with the error 4095, and got 1",
    ),
    wrong(
        "06/bytes-by-port",
        "it looks for the port and not for the whole header",
        ("(void *)(udp + 1) > end", "(void *)&udp->len > end"),
        "leaves out all else",
        "a datagram that was cut off was to port",
    ),
    wrong(
        "06/count-protocols",
        "it looks for the protocol and not for the whole header",
        (
            "sizeof(*ip) > end ? -1 : ip->protocol",
            "10 > end ? -1 : ip->protocol",
        ),
        "leaves out all else, and frames that end early",
        "a packet that was cut off in its IPv4 header was sent",
    ),
    wrong(
        "06/limit-rate",
        "it looks for the address and not for the whole header",
        ("+ sizeof(*ip) > end", "+ 16 > end"),
        "passes what is not IPv4",
        "a packet that was cut off in its IPv4 header was dropped",
    ),
    wrong(
        "07/next-server",
        "it looks for the address and not for the whole header",
        ("+ sizeof(*ip) > end", "+ 16 > end"),
        "drops what no server is up for, and passes the rest",
        "a packet that was cut off in its IPv4 header was dropped",
    ),
    wrong(
        "07/next-server",
        "no server comes after the last",
        (
            "number = (number + 1) % SERVERS_MAX;",
            "number = number + 1;",
        ),
        "goes on to the next that is up",
        "was dropped (1), and should have been passed (2)",
    ),
    wrong(
        "10/rewrite-destination",
        "it looks for the port and not for the whole header",
        ("&old, sizeof(old))", "&old, sizeof(old) - 4)"),
        "leaves all else as it is",
        "a datagram that was cut off in its UDP header is changed",
    ),
    wrong(
        "08/user-names",
        "it begins to count at one",
        ("zero = 0, *count", "zero = 1, *count"),
        "counts the calls with one name",
        "and its number in NAMES went from 0 to",
    ),
    wrong(
        "08/user-names",
        "the rest of the buffer is not zero",
        (
            "name = {}",
            "name = { .bytes = \"0123456789012345678901234567890\" }",
        ),
        "counts the calls with one name",
        "and NAMES has no entry for",
    ),
    wrong(
        "08/user-names",
        "it reads on after the zero byte",
        ("bpf_probe_read_user_str(", "bpf_probe_read_user("),
        "counts the calls with one name",
        "and NAMES has no entry for",
    ),
    wrong(
        "08/user-names",
        "it keeps half of the name",
        (
            "sizeof(name.bytes), address",
            "sizeof(name.bytes) / 2, address",
        ),
        "counts each name on its own",
        "and NAMES has no entry for",
    ),
    wrong(
        "08/user-names",
        "it counts unreadable names as empty",
        ("address) < 0)", "address) < -999)"),
        "counts in UNREADABLE what it cannot read",
        "UNREADABLE went up by 0",
    ),
    wrong(
        "08/failed-payments",
        "it knows one call at a time",
        ("__u64 id = bpf_get_current_pid_tgid();", "__u64 id = 0;"),
        "keeps threads apart that pay at the same time",
        "and FAILED has no entry for account",
    ),
    wrong(
        "08/failed-payments",
        "it knows one call of each process",
        (
            "bpf_get_current_pid_tgid();",
            "bpf_get_current_pid_tgid() >> 32;",
        ),
        "keeps threads apart that pay at the same time",
        "and FAILED has no entry for account",
    ),
    wrong(
        "08/failed-payments",
        "it counts whatever is not zero",
        ("result < 0", "result != 0"),
        "does not count what works",
        "the numbers in FAILED went up by",
    ),
    wrong(
        "08/failed-payments",
        "the result has 64 bits",
        ("pay_exit, int result", "pay_exit, long result"),
        "counts the payments that fail",
        "and FAILED has no entry for account",
    ),
    wrong(
        "08/failed-payments",
        "the argument is the second one",
        (
            "pay_enter, __u32 account",
            "pay_enter, long first, __u32 account",
        ),
        "counts the payments that fail",
        "and FAILED has no entry for account",
    ),
    wrong(
        "08/failed-payments",
        "it forgets nothing",
        ("bpf_map_delete_elem(&ACCOUNTS, &id);", ""),
        "forgets the payments that are over",
        "no thread is paying, and ACCOUNTS still has",
    ),
    wrong(
        "09/user-or-kernel",
        "all is the kernel",
        ("count((long)PT_REGS_IP(&ctx->regs) < 0)", "count(1)"),
        "counts the samples of a program that calculates",
        "called nothing, and TIME has 0 samples in user space",
    ),
    wrong(
        "09/user-or-kernel",
        "the rest of the key is not zero",
        (
            "sizeof(program.comm));",
            "sizeof(program.comm)); program.comm[15] = 1;",
        ),
        "counts the samples of a program that calculates",
        "something else than zero bytes after it",
    ),
    wrong(
        "09/user-or-kernel",
        "it counts a thousand at once",
        (
            "fetch_and_add(&time->user, 1)",
            "fetch_and_add(&time->user, 1000)",
        ),
        "counts the samples of a program that calculates",
        "in which on_sample ran",
    ),
    wrong(
        "09/user-or-kernel",
        "it counts the idle task",
        (
            "bpf_get_current_pid_tgid() == 0",
            "bpf_get_current_pid_tgid() == ~0ull",
        ),
        "does not count a CPU that has nothing to do",
        "TIME has an entry for swapper/",
    ),
    wrong(
        "09/lost-stacks",
        "a stack takes the place of another",
        ("BPF_F_USER_STACK)", "BPF_F_USER_STACK | 1 << 10)"),
        "counts in LOST the stacks for which there is no place",
        "and the number for error 17 in LOST went from",
    ),
    wrong(
        "09/lost-stacks",
        "the errors are numbers of stacks",
        ("if (stack >= 0)", "if (stack >= -99)"),
        "counts in LOST what has no stack in user space",
        "and the number for error 14 in LOST went from",
    ),
    wrong(
        "09/lost-stacks",
        "it leaves the idle task out",
        ("count_lost(-stack);", "if (process) count_lost(-stack);"),
        "counts the samples of a stack",
        "the numbers in COUNTS and LOST went up by",
    ),
    wrong(
        "09/lost-stacks",
        "it counts what it loses twice",
        (
            "count_lost(-stack);",
            "{ count_lost(-stack); count_lost(5); }",
        ),
        "counts the samples of a stack",
        "the numbers in COUNTS and LOST went up by",
    ),
    wrong(
        "09/lost-stacks",
        "it tells no process",
        (".process = process", ".process = 1"),
        "counts the samples of a stack",
        "COUNTS has too few samples",
    ),
    wrong(
        "09/lost-stacks",
        "it counts ten at once",
        (
            "__sync_fetch_and_add(count, 1)",
            "__sync_fetch_and_add(count, 10)",
        ),
        "counts the samples of a stack",
        "the numbers in COUNTS and LOST went up by",
    ),
];

pub fn wrong_answers(exercise: &Exercise) -> Vec<Mistake> {
    let solution = exercise.program_path(Variant::Solution, Implementation::Libbpf);
    let text = fs::read_to_string(&solution).unwrap();
    let of_this_one = WRONG_ANSWERS.iter();
    let of_this_one = of_this_one.filter(|wrong| wrong.exercise == exercise.name);
    let mistake = |wrong: &WrongAnswer| {
        let (line, instead) = wrong.replace;
        assert!(text.contains(line), "{}: no {line}", exercise.name);
        Mistake {
            name: wrong.name,
            kernel: DEFAULT,
            object: super::compile(exercise, &text.replace(line, instead), wrong.name),
            verdict: super::refused(wrong.at, &[wrong.words]),
        }
    };
    of_this_one.map(mistake).collect()
}
