//! Which message decides, and what it means: inputs of the kinds that people paste.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fs;
use std::path::Path;

use bpf_verifier_log::{Class, ExplainedProgram, Explanation, LogVerdict, explain_log};

fn explain_file(name: &str) -> Explanation {
    // Tests run in the directory of their package.
    let path = Path::new("tests/inputs").join(format!("{name}.txt"));
    explain_log(&fs::read(path).unwrap())
}

fn first_program(text: &str) -> ExplainedProgram {
    explain_log(text.as_bytes()).programs.remove(0)
}

/// The class of a log that ends with these messages.
fn class_after(insn: &str, messages: &str) -> Option<Class> {
    let log = format!(
        "0: R1=ctx() R10=fp0\n{insn}\n{messages}\n\
         processed 13 insns (limit 1000000) max_states_per_insn 0"
    );
    first_program(&log).class
}

/// File, class, and the number of the refused instruction.
const FILES: [(&str, Class, Option<u32>); 5] = [
    (
        "global-function-cause-hidden",
        Class::GlobalFuncReturn,
        None,
    ),
    ("invalid-kfunc-call", Class::KfuncMissing, Some(15)),
    ("unknown-dynptr-offset", Class::Dynptr, Some(12)),
    ("unrecognized-kfunc-argument", Class::KfuncArg, Some(5)),
    ("report-only", Class::MapValueOrNull, None),
];

#[test]
fn handed_inputs() {
    for (file, class, pc) in FILES {
        let explanation = explain_file(file);
        assert_eq!(explanation.programs.len(), 1, "{file}");
        let program = &explanation.programs[0];
        assert_eq!(program.class, Some(class), "{file}");
        if pc.is_some() {
            assert_eq!(program.insn.as_ref().map(|insn| insn.pc), pc, "{file}");
        }
    }
    let invented = explain_file("invented-message");
    assert_eq!(invented.verdict, LogVerdict::NoLog);
}

#[test]
fn the_line_above_the_caller_decides() {
    let caller = "Caller passes invalid args into func#1 ('sum_of')";
    for (cause, class) in [
        (
            "Global function sum_of() return value not void or scalar. Only those are supported.",
            Class::GlobalFuncReturn,
        ),
        (
            "Arg#0 type PTR in sum_of() is not supported yet.",
            Class::GlobalFuncArg,
        ),
        (
            "arg#1 reference type('FWD x') size cannot be determined: -22",
            Class::GlobalFuncArg,
        ),
        ("R1 type=ctx expected=fp", Class::GlobalFuncArg),
        ("R1 is not a pointer", Class::GlobalFuncArg),
        ("R1 is not a scalar", Class::GlobalFuncArg),
    ] {
        for caller in [caller, "Caller passes invalid args into func#2"] {
            let log = format!("7: (85) call pc+2\n{cause}\n{caller}\nprocessed 8 insns (limit 9)");
            let program = first_program(&log);
            assert_eq!(program.class, Some(class), "{log}");
            let shown = program.message().unwrap();
            assert!(shown.contains(cause) && shown.contains(caller), "{shown}");
        }
    }
}

#[test]
fn the_second_global_function_is_refused_after_the_first() {
    let first = "Validating first() func#1...\n0: (b7) r0 = 0\n1: (95) exit\n\
                 Func#1 is safe for any args that match its prototype\n";
    for (message, class) in [
        (
            "arg#0 reference type('UNKNOWN ') size cannot be determined: -22",
            Class::GlobalFuncArg,
        ),
        (
            "Arg#0 type PTR in second() is not supported yet.",
            Class::GlobalFuncArg,
        ),
        (
            "Global function second() doesn't return scalar. Only those are supported.",
            Class::GlobalFuncReturn,
        ),
    ] {
        let log = format!("{first}Validating second() func#2...\n{message}\nprocessed 2 insns");
        let program = first_program(&log);
        assert_eq!(program.class, Some(class), "{message}");
        // The last instruction is the first function's.
        assert_eq!(program.insn, None, "{message}");
        let good = format!("{log}\n").replace(
            "processed",
            "2: (95) exit\nFunc#2 is safe for any args that match its prototype\nprocessed",
        );
        assert_eq!(
            first_program(&good).verdict,
            LogVerdict::NoRejection,
            "{good}"
        );
    }
}

#[test]
fn what_libbpf_puts_in_place_of_a_call() {
    for (mark, below, class) in [
        (
            "<invalid kfunc call>",
            "kfunc 'bpf_x' is referenced but wasn't resolved",
            Class::KfuncMissing,
        ),
        (
            "<invalid kfunc call>",
            "kfunc '__bpf_trap' is referenced but wasn't resolved",
            Class::BpfTrapAndPointerMerge,
        ),
        (
            "<invalid BPF map reference>",
            "BPF map 'counts' is referenced but wasn't created",
            Class::MissingMap,
        ),
        (
            "<invalid CO-RE relocation>",
            "failed to resolve CO-RE relocation <byte_off> [6] struct a.b (0:0 @ offset 0)",
            Class::CoreRelo,
        ),
    ] {
        let is_trap = class == Class::BpfTrapAndPointerMerge;
        for prefix in ["", "libbpf: ", "> "] {
            let log = format!(
                "{prefix}14: (b7) r2 = 72\n{prefix}; x = y(); @ a.c:7\n\
                               {prefix}15: {mark}\n{prefix}{below}\n"
            );
            let program = first_program(&log);
            assert_eq!(program.class, Some(class), "{log}");
            let insn = program.insn.unwrap();
            assert_eq!((insn.pc, insn.text.as_str()), (15, mark), "{log}");
            assert_eq!(program.source.unwrap().line, Some(7), "{log}");
            // The second line may be cut off.
            let cut = format!("{prefix}14: (b7) r2 = 72\n{prefix}15: {mark}\n");
            let program = first_program(&cut);
            assert!(is_trap || program.class == Some(class), "{cut}");
            assert_eq!(program.insn.unwrap().pc, 15, "{cut}");
        }
    }
}

#[test]
fn objects_on_the_stack_are_named_in_the_message() {
    let call = "12: (85) call bpf_x#201";
    for (message, class) in [
        ("dynptr has to be at a constant offset", Class::Dynptr),
        ("iter has to be at a constant offset", Class::Iterators),
        ("irq_flag has to be at a constant offset", Class::LockRules),
        ("cannot pass in dynptr at an offset=-12", Class::Dynptr),
        ("cannot pass in iter at an offset=-12", Class::Iterators),
        ("cannot pass in irq_flag at an offset=-12", Class::LockRules),
    ] {
        assert_eq!(class_after(call, message), Some(class), "{message}");
    }
}

#[test]
fn an_argument_of_a_type_that_no_kfunc_takes() {
    let call = "5: (85) call count_kfunc#93595";
    for message in [
        "Unrecognized arg#1 type STRUCT",
        "Unrecognized R2 type STRUCT",
        "Unrecognized *(R11-8) type STRUCT",
        "R2 is not a scalar",
        "reg type unsupported for arg#1 function count_kfunc#93595",
    ] {
        assert_eq!(
            class_after(call, message),
            Some(Class::KfuncArg),
            "{message}"
        );
    }
    // Good programs of 5.x have it above their first instruction.
    let good = "Unrecognized arg#0 type PTR\n; int x; @ a.c:1\n0: (b7) r0 = 0\n1: (95) exit\n\
                processed 2 insns (limit 1000000)";
    assert_eq!(first_program(good).verdict, LogVerdict::NoRejection);
    let bad = "Unrecognized arg#0 type PTR\n0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns";
    assert_eq!(first_program(bad).class, Some(Class::UninitReg));
    let only = "Unrecognized arg#0 type PTR\nprocessed 0 insns (limit 1000000)";
    assert_eq!(first_program(only).class, None);
}

#[test]
fn a_message_that_goes_on_in_another_way_is_not_the_kernels() {
    for text in [
        "The BPF verifier says helper call is not allowed while a lock is held.",
        "bpf: invalid access to map entries is what it complains about",
        "eBPF: reading from stack is undefined in this kernel",
    ] {
        assert_eq!(
            explain_log(text.as_bytes()).verdict,
            LogVerdict::NoLog,
            "{text}"
        );
    }
    for (text, class) in [
        (
            "bpf: it says \"helper call is not allowed in probe\"",
            Class::HelperNotAllowed,
        ),
        (
            "the BPF verifier: `misaligned stack access off` and so on",
            Class::Misaligned,
        ),
        (
            "my XDP program: invalid access to map value, value_size=",
            Class::MapValueBounds,
        ),
    ] {
        assert_eq!(first_program(text).class, Some(class), "{text}");
    }
}

/// The reports of Linux 7.3 in the gallery's logs, with the whole log.
fn recorded_reports() -> Vec<(String, String)> {
    let path = "../../lessons/07-verifier-pitfalls/logs/7.3.snap";
    let recorded = fs::read_to_string(path).unwrap();
    let mut reports = Vec::new();
    for log in recorded.split("\n=== ").skip(1) {
        if let Some(start) = log.find("Verification failed: ") {
            let report = log[start..].split("\nprocessed ").next().unwrap();
            reports.push((log.to_owned(), report.to_owned()));
        }
    }
    reports
}

/// What the classic line says in more detail than the report does.
fn is_as_good(of_report: Class, of_log: Class) -> bool {
    matches!(
        (of_report, of_log),
        // The bound decides in the classic line, the object in the report.
        (Class::PtrArithUnbounded, Class::PtrArithOutOfBounds)
            | (Class::HelperArgType, Class::ScalarDeref)
    )
}

#[test]
fn a_report_alone_has_the_class_of_its_log() {
    let reports = recorded_reports();
    assert!(reports.len() > 40, "{}", reports.len());
    for (log, report) in reports {
        let of_log = first_program(&log).class.unwrap();
        for margin in ["", "    ", "> ", "Jan 01 10:00:00 host app[1]: "] {
            let quoted = format!("{margin}{}", report.replace('\n', &format!("\n{margin}")));
            let program = first_program(&quoted);
            assert_eq!(program.verdict, LogVerdict::Explained, "{quoted}");
            let class = program.class.unwrap();
            assert!(
                class == of_log || is_as_good(class, of_log),
                "{class:?} {of_log:?}\n{quoted}"
            );
            let diagnosis = program.diagnosis.unwrap();
            assert!(!diagnosis.reason.is_empty() && !diagnosis.suggestion.is_empty());
            assert!(!diagnosis.place.is_empty(), "{quoted}");
        }
    }
}

#[test]
fn a_category_of_a_newer_kernel_is_a_rejection_too() {
    for title in [
        "Moon Safety: Wrong phase",
        "Moon Safety",
        "Memory Safety: Access during an eclipse",
        "Register Type Safety: ",
    ] {
        let report = format!(
            "Verification failed: {title}\n\nReason:\n  R3 is full.\n\nAt:\n  insn 7\n\n\
             Suggestion:\n  Wait.\n\n"
        );
        for end in [
            "",
            "processed 8 insns (limit 1000000)\n",
            "It worked before.\n",
        ] {
            let program = first_program(&format!("{report}{end}"));
            assert_eq!(
                (program.verdict, program.class),
                (LogVerdict::Unknown, None),
                "{title}"
            );
            let shown = program.message().unwrap();
            assert!(shown.starts_with("Verification failed: "), "{shown}");
            let diagnosis = program.diagnosis.unwrap();
            assert_eq!(
                (&*diagnosis.reason, &*diagnosis.suggestion),
                ("R3 is full.", "Wait.")
            );
        }
    }
}

#[test]
fn the_reason_decides_where_a_problem_has_several() {
    for (problem, reason, class) in [
        (
            "Register Type Safety: Invalid dereference",
            "R1 is an integer scalar here, not a pointer to memory.",
            Class::ScalarDeref,
        ),
        (
            "Register Type Safety: Invalid dereference",
            "R0 may be NULL here (a nullable memory pointer). The program could dereference NULL \
             on this path, so the verifier cannot prove this access is safe.",
            Class::MapValueOrNull,
        ),
        (
            "Register Type Safety: Invalid dereference",
            "R2 has type pkt_end here, which is not valid for this memory access.",
            Class::PointerDeref,
        ),
        (
            "Memory Safety: Access outside bounds",
            "The verifier cannot prove offset + access_size <= object_size. Here, the maximal \
             bound for a memory access is 2048: start 2040 + access_size 8, beyond object_size \
             512. R0 is ringbuf_mem; offset is constant 2040; access_size is 8; object_size is \
             512.",
            Class::MemBounds,
        ),
        (
            "Memory Safety: Access outside bounds",
            "The verifier cannot prove offset + access_size <= object_size. Here, the minimal \
             bound for a memory access is a negative value: -8. R0 is map_value; offset is \
             constant -8; access_size is 8; object_size is 512.",
            Class::HelperSizeNegative,
        ),
        (
            "Call Type Safety: Invalid call argument",
            "The first argument (R1) to bpf_x does not satisfy the verifier contract: it has type \
             scalar, but this argument accepts trusted_ptr_ or rcu_ptr_.",
            Class::RcuOrTrusted,
        ),
        (
            "Call Type Safety: Invalid call argument",
            "The second argument (R2) to bpf_x does not satisfy the verifier contract: the kfunc \
             requires this scalar argument to be a verifier-known constant, but R2 is variable on \
             this path.",
            Class::ConstArg,
        ),
        (
            "Policy: Operation is not allowed",
            "The operation helper bpf_x#1 is not allowed: this helper is restricted to \
             GPL-compatible programs.",
            Class::Gpl,
        ),
        (
            "Execution Context Safety: Operation is not allowed in this context",
            "The operation bpf_x cannot be used in RCU read lock region because RCU read-side \
             critical sections cannot call operations that may sleep.",
            Class::SleepableContext,
        ),
        (
            "Execution Context Safety: Operation is not allowed in this context",
            "The operation BPF_EXIT instruction in main prog cannot be used while this path is \
             still inside an active lock region (depth 1). Leave the region before this operation.",
            Class::LockRules,
        ),
    ] {
        let report = format!("Verification failed: {problem}\n\nReason:\n  {reason}\n\nAt:\n");
        assert_eq!(first_program(&report).class, Some(class), "{reason}");
    }
}

#[test]
fn a_locked_down_kernel_takes_the_reads_away() {
    let kernel = "12: (85) call bpf_probe_read_kernel#113";
    for message in [
        "program of this type cannot use helper bpf_probe_read_kernel#113",
        "unknown func bpf_probe_read_kernel#113",
        "unknown func bpf_probe_read_kernel_str#115",
    ] {
        assert_eq!(
            class_after(kernel, message),
            Some(Class::Lockdown),
            "{message}"
        );
    }
    let refused = "program of this type cannot use helper bpf_probe_read#4";
    for (log, class) in [
        (
            "libbpf: prog 'kprobe__tcp': -- BEGIN PROG LOAD LOG --\n0: (85) call \
             bpf_probe_read#4\nunknown func bpf_probe_read#4\nprocessed 1 insns"
                .to_owned(),
            Class::Lockdown,
        ),
        (
            format!(
                "program event_exit: load program: invalid argument: {refused} (13 line(s) \
                     omitted)"
            ),
            Class::Lockdown,
        ),
        (
            format!(
                "libbpf: prog 'xdp_main': -- BEGIN PROG LOAD LOG --\n0: (85) call \
                     bpf_probe_read#4\n{refused}\nprocessed 1 insns"
            ),
            Class::HelperNotAllowed,
        ),
        (
            "Verification failed: Policy: Operation is not allowed\n\nReason:\n  The operation \
             helper bpf_probe_read_str#45 is not allowed: this program type does not allow the \
             helper.\n"
                .to_owned(),
            Class::Lockdown,
        ),
        (
            "Verification failed: Policy: Operation is not allowed\n\nReason:\n  The operation \
             helper bpf_probe_read_kernel#113 is not allowed: this program type does not allow the \
             helper.\n"
                .to_owned(),
            Class::Lockdown,
        ),
    ] {
        assert_eq!(first_program(&log).class, Some(class), "{log}");
    }
}

#[test]
fn the_decisive_line_says_which_kernels_print_it() {
    let call = "0: (85) call bpf_x#211";
    for (message, since, until) in [
        ("unknown func bpf_x#211", None, Some("6.1")),
        (
            "program of this type cannot use helper bpf_x#211",
            Some("6.12"),
            None,
        ),
        ("invalid func unknown#211", None, None),
        ("R2 !read_ok", None, None),
    ] {
        let log = format!("{call}\n{message}\nprocessed 1 insns (limit 1000000)");
        let age = first_program(&log).age.unwrap();
        assert_eq!((age.since, age.until), (since, until), "{message}");
    }
    let of_no_kernel = "0: (95) exit\nthe moon is full for R3\nprocessed 1 insns";
    assert_eq!(first_program(of_no_kernel).age, None);
}

#[test]
fn the_log_of_types_says_which_one_is_refused() {
    let header = "magic: 0xeb9f\nversion: 1\nflags: 0x0\nhdr_len: 24\n\
                  [1] INT int size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n\
                  [2] PTR (anon) type_id=1\n";
    let aya = "Error: the BPF_BTF_LOAD syscall returned Invalid argument (os error 22). Verifier \
               output: ";
    let libbpf = "libbpf: Error loading .BTF into kernel: -22.\n";
    for refused in [
        "[3] STRUCT Pair<u8, u16> size=4 vlen=2 Invalid name",
        "[7] FUNC main type_id=6 vlen != 0",
        "[4] TYPEDEF counter type_id=90 Invalid type_id",
        "[9] Invalid kind:19",
    ] {
        for before in ["", aya, libbpf] {
            let program = first_program(&format!("{before}{header}{refused}\n"));
            assert_eq!(program.class, Some(Class::BtfRejected), "{before}{refused}");
            assert_eq!(program.message().as_deref(), Some(refused), "{before}");
        }
    }
    let accepted = explain_log(header.as_bytes());
    assert_eq!(accepted.verdict, LogVerdict::NoLog);
}

#[test]
fn other_programs_verify_things_too() {
    for text in [
        "Verification failed: the signature of the package is not valid",
        "Error: Verification failed: policy: the signed file is gone\nReason unknown\n",
    ] {
        assert_eq!(
            explain_log(text.as_bytes()).verdict,
            LogVerdict::NoLog,
            "{text}"
        );
    }
    let known = "Verification failed: Register Type Safety: Something new";
    assert_eq!(explain_log(known.as_bytes()).verdict, LogVerdict::Unknown);
}

#[test]
fn a_line_above_that_says_more_is_shown() {
    let log = "0: (79) r1 = *(u64 *)(r1 +0)\n\
               func '__x64_sys_recvfrom' arg0 type FWD is not a struct\n\
               invalid bpf_context access off=0 size=8\nprocessed 1 insns (limit 1000000)";
    let program = first_program(log);
    assert_eq!(program.class, Some(Class::CtxAccess));
    assert_eq!(
        program.message().as_deref(),
        Some(
            "invalid bpf_context access off=0 size=8\n\
             func '__x64_sys_recvfrom' arg0 type FWD is not a struct"
        )
    );
}
