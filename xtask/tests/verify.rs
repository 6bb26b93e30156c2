//! `verify` as people use it: objects of their own, good and bad.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use checkout::workspace;
use common::{Run, stderr, stdout};
use kernel::Architecture;
use serde_json::Value;
use xtask::commands::gallery;
use xtask::pipeline::needs;

/// A directory with object files. It goes with the test.
struct Objects {
    directory: tempfile::TempDir,
    gallery: BTreeMap<String, Vec<u8>>,
}

impl Objects {
    fn new() -> Self {
        needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            gallery: gallery::build_objects(Architecture::HOST).unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn compile(&self, name: &str, flags: &[&str], source: &str) {
        let file = self.path(&format!("{name}.c"));
        std::fs::write(&file, source).unwrap();
        let mut clang = Command::new(workspace::workspace_root().join(".cache/bin/clang"));
        clang
            .args(["-target", "bpf", "-O2", "-c"])
            .args(flags)
            .arg(&file)
            .arg("-o")
            .arg(self.path(name));
        assert!(clang.status().unwrap().success(), "{name}");
    }

    /// Takes a program of the gallery.
    fn take(&self, name: &str, object: &str) {
        std::fs::write(self.path(name), &self.gallery[object]).unwrap();
    }

    /// Takes a program of the gallery, with the section that holds its licence renamed.
    fn take_without_licence(&self, name: &str, object: &str) {
        let mut bytes = self.gallery[object].clone();
        // BTF names the section too.
        while let Some(at) = bytes.windows(9).position(|window| window == b"\0license\0") {
            bytes[at + 1..at + 8].copy_from_slice(b"no-name");
        }
        std::fs::write(self.path(name), bytes).unwrap();
    }
}

/// Runs verify in that directory: exit code, verdicts, standard error.
fn verify(directory: &Path, arguments: &[&str]) -> (i32, Vec<Value>, String) {
    let mut run = Run::new(&[&["verify", "--json"], arguments].concat());
    let output = run.command.current_dir(directory).output().unwrap();
    assert_eq!(run.left_behind(), [""; 0]);
    let verdicts = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output.status.code().unwrap(), verdicts, stderr(&output))
}

fn outcome<'a>(verdicts: &'a [Value], object: &str, kernel: &str) -> &'a Value {
    let mut found = verdicts
        .iter()
        .filter(|verdict| verdict["object"] == object && verdict["kernel"] == kernel);
    let verdict = found
        .next()
        .unwrap_or_else(|| panic!("no verdict on {object} on {kernel}: {verdicts:?}"));
    assert!(
        found.next().is_none(),
        "two verdicts on {object} on {kernel}"
    );
    verdict
}

const XDP: &str = r#"
__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }
__attribute__((section("license"), used)) char _license[] = "GPL";
"#;

/// `bpf_trace_printk` is for programs under the GPL.
const NO_LICENCE: &str = r#"
static long (*bpf_trace_printk)(const char *format, int size) = (void *)6;
__attribute__((section("xdp"), used)) int print(void *ctx)
{ char text[2] = "x"; bpf_trace_printk(text, 2); return 2; }
"#;

/// A map in the form that libbpf gave up with version 1.0: an array, with a key of 4 bytes and a
/// value of 8, in numbers.
const OLD_MAP: &str = r#"
struct map { unsigned int type, key_size, value_size, max_entries, flags; };
__attribute__((section("maps"), used)) struct map counts = { 2, 4, 8, 1, 0 };
__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }
__attribute__((section("license"), used)) char _license[] = "GPL";
"#;

/// The pattern of the inner maps has no size.
const INNER: &str = r#"
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
struct inner { int (*type)[1]; int *key; long *value; };
struct {
    int (*type)[13]; int (*max_entries)[4]; int *key; int (*value_size)[4];
    struct inner *values[];
} outer __attribute__((section(".maps"), used));
__attribute__((section("xdp"), used)) int pass(void *ctx)
{ int key = 0; return bpf_map_lookup_elem(&outer, &key) ? 2 : 1; }
__attribute__((section("license"), used)) char _license[] = "GPL";
"#;

const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.3"];

/// What each kernel makes of the programs of advice.bpf.c: the class of the error, or "" for what
/// it accepts.
const ADVICE: [(&str, [&str; 5]); 24] = [
    // CAP_PERFMON lets a program read what it never wrote; up to 6.1 not below the deepest byte
    // that it wrote.
    ("key_above_the_deepest_write", [""; 5]),
    (
        "key_below_the_deepest_write",
        ["uninit-stack", "uninit-stack", "", "", ""],
    ),
    // Timers came with 5.15, to kprobes with 7.0.
    (
        "timer_in_kprobe",
        ["helper-not-allowed", TIMER, TIMER, TIMER, ""],
    ),
    ("timer_in_fentry", ["helper-not-allowed", "", "", "", ""]),
    // From 6.16 on each function of a tracing program has a stack of its own.
    (
        "stack_in_kprobe",
        ["stack-limit", "stack-limit", "stack-limit", "", ""],
    ),
    (
        "stack_in_fentry",
        ["stack-limit", "stack-limit", "stack-limit", "", ""],
    ),
    ("stack_in_xdp", ["stack-limit"; 5]),
    // 6.12.117 and 7.0 brought these.
    ("null_argument_of_tracepoint", ["", "", NULL, NULL, NULL]),
    ("null_argument_of_hook", ["", "", "", "", NULL]),
    // Since 7.1 the functions of system calls may be held up.
    (
        "sleeps_in_system_call",
        [SLEEPS, SLEEPS, SLEEPS, SLEEPS, ""],
    ),
    ("sleeps_in_function", [SLEEPS; 5]),
    // 5.10 has only additions, 5.12 the other atomics, 6.16 load-acquire.
    (
        "load_acquire",
        [
            "atomics-reserved",
            "atomics-reserved",
            "atomics-reserved",
            "",
            "",
        ],
    ),
    ("tail_call_in_function", [""; 5]),
    // `!=` excludes 0 since 6.8.
    (
        "length_is_not_zero",
        ["helper-size-zero", "helper-size-zero", "", "", ""],
    ),
    ("length_is_at_least_two", [""; 5]),
    ("length_of_a_mask_plus_one", [""; 5]),
    (
        "buffer_without_a_value",
        ["uninit-stack", "uninit-stack", "", "", ""],
    ),
    ("constant_index", [NULL, NULL, NULL, "", ""]),
    ("global_without_result", [VOID, VOID, VOID, VOID, ""]),
    ("eight_functions", [""; 5]),
    ("nine_functions", [DEEP, DEEP, DEEP, DEEP, ""]),
    ("hook_returns_one", ["", "", RETURN, RETURN, RETURN]),
    ("hook_returns_error", [""; 5]),
    // Root may leak addresses this way too.
    ("atomic_with_pointer", [""; 5]),
];

const TIMER: &str = "map-not-allowed";
const NULL: &str = "map-value-or-null";
const SLEEPS: &str = "sleepable-context";
const VOID: &str = "global-func-return";
const DEEP: &str = "call-depth-recursion";
const RETURN: &str = "return-range";

fn check_advice(verdicts: &[Value]) {
    let mut wrong = Vec::new();
    for (program, expected) in ADVICE {
        for (kernel, expected) in KERNELS.into_iter().zip(expected) {
            let is_it =
                |verdict: &&Value| verdict["program"] == program && verdict["kernel"] == kernel;
            let verdict = verdicts
                .iter()
                .find(is_it)
                .unwrap_or_else(|| panic!("no {program} on {kernel}"));
            let accepted = verdict["verdict"] == "accepted";
            if accepted != expected.is_empty() || !accepted && verdict["class"] != expected {
                wrong.push(format!(
                    "{program} on {kernel}: expected {expected:?}: {verdict}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_object_is_refused_at_once() {
    let refused = |file: &str| {
        let output = Run::new(&["verify", file]).output();
        assert_eq!(stdout(&output), "");
        format!(
            "{}exit code {}",
            stderr(&output),
            output.status.code().unwrap()
        )
    };
    insta::assert_snapshot!("no_elf", refused("Cargo.toml"));
    insta::assert_snapshot!("no_file", refused("nothing.o"));
    assert!(refused("/bin/true").contains("it is for another machine (X86_64)"));
    assert!(refused("src").contains("cannot read src"));
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn bad_objects_do_not_hide_the_good_ones() {
    let objects = Objects::new();
    objects.compile("good.o", &["-g"], XDP);
    objects.compile("without-btf.o", &[], XDP);
    objects.compile(
        "no-programs.o",
        &["-g"],
        "int helper(int number) { return number; }",
    );
    objects.compile("empty.o", &["-g"], "int number = 3;");
    objects.compile("inner.o", &["-g"], INNER);
    objects.compile("no-licence.o", &["-g"], NO_LICENCE);
    objects.compile("old-map.o", &["-g"], OLD_MAP);
    objects.compile(
        "advice.o",
        &["-g", "-mcpu=v3"],
        include_str!("advice.bpf.c"),
    );
    std::fs::create_dir(objects.path("rust")).unwrap();
    objects.take("rejected.o", "map-value-or-null-fail.c.o");
    // The same name as another, in another directory.
    objects.take("rust/rejected.o", "map-value-or-null-fail.rust.o");

    objects.take("panic.o", "no-exit-last-insn-fail.rust.o");
    objects.take_without_licence("rust/no-licence.o", "gpl-fixed.rust.o");
    objects.take_without_licence("rust/no-licence-map.o", "helper-size-negative-fixed.rust.o");

    let files = [
        "advice.o",
        "empty.o",
        "good.o",
        "inner.o",
        "no-licence.o",
        "no-programs.o",
        "old-map.o",
        "panic.o",
        "rejected.o",
        "rust/no-licence-map.o",
        "rust/no-licence.o",
        "rust/rejected.o",
        "without-btf.o",
    ];
    let (code, verdicts, said) = verify(
        objects.directory.path(),
        &[&files[..], &["--kernel", "all"]].concat(),
    );
    assert_eq!(code, 1, "{said}");
    check_advice(&verdicts);
    // Objects without programs are no reason to say no, and none to say yes.
    for object in ["no-programs.o", "empty.o"] {
        assert!(verdicts.iter().all(|it| it["object"] != object), "{object}");
    }
    for kernel in KERNELS {
        let outcome = |object| outcome(&verdicts, object, kernel);
        assert_eq!(outcome("good.o")["answer"], "works");
        assert_eq!(outcome("good.o")["attach"]["result"], "attached");
        assert_eq!(outcome("good.o")["program"], "pass");
        assert_eq!(outcome("good.o")["instructions"], 2);
        assert_eq!(outcome("inner.o")["answer"], "works");
        assert_eq!(outcome("without-btf.o")["verdict"], "accepted");
        for object in ["rejected.o", "rust/rejected.o"] {
            assert_eq!(outcome(object)["class"], "map-value-or-null");
            assert!(
                outcome(object)["reason"]
                    .as_str()
                    .unwrap()
                    .contains("map_value_or_null")
            );
        }
        assert_eq!(outcome("old-map.o")["verdict"], "accepted");
        // libbpf reads no function that is local to its section, and that is what a panic is.
        assert_eq!(outcome("panic.o")["class"], "no-exit-last-insn");
        for object in [
            "old-map.o",
            "panic.o",
            "rust/rejected.o",
            "rust/no-licence.o",
            "rust/no-licence-map.o",
        ] {
            assert_eq!(outcome(object)["loader"], "aya", "{object}");
        }
        for object in ["good.o", "without-btf.o", "rejected.o", "no-licence.o"] {
            assert_eq!(outcome(object)["loader"], "libbpf", "{object}");
        }
        // Neither of them depends on how its maps are declared.
        assert_eq!(outcome("no-licence.o")["class"], "gpl");
        assert_eq!(outcome("rust/no-licence.o")["verdict"], "accepted");
        assert_eq!(outcome("rust/no-licence-map.o")["verdict"], "accepted");
    }
}

/// A call of a function that is not defined: with `-fno-builtin`, clang makes one of a `memcpy`;
/// without, it refuses it.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_function_that_nobody_defines_is_named() {
    let objects = Objects::new();
    let source = r#"
        void *memcpy(void *to, const void *from, unsigned long size);
        struct name { char text[16]; };
        __attribute__((section("xdp"), used)) int copy(void *ctx) {
            struct name one = {"y"}, two = {"x"};
            unsigned size = *(unsigned int *)ctx & 15;
            memcpy(&one, &two, size);
            return one.text[size];
        }
        __attribute__((section("license"), used)) char _license[] = "GPL";
    "#;
    objects.compile("memcpy.o", &["-g", "-fno-builtin"], source);
    let (code, verdicts, said) =
        verify(objects.directory.path(), &["memcpy.o", "--kernel", "6.12"]);
    assert_eq!(code, 1, "{said}");
    let call = &outcome(&verdicts, "memcpy.o", "6.12")["forbidden_calls"][0];
    assert_eq!(
        (&call["kind"], &call["callee"]),
        (&"missing-memory-function".into(), &"memcpy".into())
    );
    assert_eq!(call["site"]["line"], 7, "{call}");

    let file = objects.path("memcpy.o");
    let output = Run::new(&["explain", "--object", file.to_str().unwrap()]).output();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("memcpy.o.c:7:"),
        "{}",
        stdout(&output)
    );
}

/// Set-up can take minutes: what is wrong with a file is said before. Only the header is needed to
/// tell whose object file it is, so that any program of this machine serves.
#[test]
fn a_cut_object_is_refused() {
    const MACHINE: usize = 18;
    const BPF: u16 = 247;
    let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    bytes[MACHINE..MACHINE + 2].copy_from_slice(&BPF.to_le_bytes());
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("cut.o"), &bytes[..bytes.len() / 2]).unwrap();

    let cache = tempfile::tempdir().unwrap();
    let mut run = Run::new(&["verify", "--json", "cut.o"]);
    let output = run
        .command
        .current_dir(directory.path())
        .env("XTASK_CACHE", cache.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    let said = stderr(&output);
    assert!(said.contains("cut.o is not an eBPF object file"), "{said}");
    let begun = std::fs::read_dir(cache.path()).unwrap().count();
    assert_eq!(begun, 0, "set-up was started");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_takes_too_long_is_ended() {
    let objects = Objects::new();
    objects.compile("a-good.o", &["-g"], XDP);
    objects.compile("z-good.o", &["-g"], XDP);
    // The verifier follows every round of the loop.
    let slow = r#"
        __attribute__((section("xdp"), used)) int slow(void *ctx) {
            volatile long sum = 0;
            #pragma clang loop unroll(disable)
            for (int i = 0; i < 150000; i++) sum = i;
            return 2;
        }
        __attribute__((section("license"), used)) char _license[] = "GPL";
    "#;
    objects.compile("slow.o", &["-g"], slow);
    let arguments = [
        "a-good.o",
        "slow.o",
        "z-good.o",
        "--kernel",
        "6.12",
        "--seconds",
        "1",
    ];
    let (code, verdicts, said) = verify(objects.directory.path(), &arguments);
    assert_eq!(code, 1, "{said}");
    assert_eq!(
        outcome(&verdicts, "a-good.o", "6.12")["verdict"],
        "accepted"
    );
    assert!(
        outcome(&verdicts, "slow.o", "6.12")["error"]
            .as_str()
            .unwrap()
            .contains("more than 1 s")
    );
    assert_eq!(
        outcome(&verdicts, "z-good.o", "6.12")["verdict"],
        "accepted"
    );
}

/// `do_unlinkat` is gone from Linux 7.0 on, and kprobe.multi came after 6.1.
const HOOKS: &str = r#"
__attribute__((section("kprobe/do_unlinkat"), used)) int unlinked(void *ctx) { return 0; }
__attribute__((section("kprobe.multi/vfs_*"), used)) int many(void *ctx) { return 0; }
__attribute__((section("kprobe"), used)) int bare(void *ctx) { return 0; }
__attribute__((section("license"), used)) char _license[] = "GPL";
"#;

/// `do_page_cache_ra` is on 5.10, then on none until 7.0: both ends of the search agree.
const RETURNS: &str = r#"
__attribute__((section("kprobe/do_page_cache_ra"), used)) int returns(void *ctx) { return 0; }
__attribute__((section("license"), used)) char _license[] = "GPL";
"#;

fn by_program<'a>(verdicts: &'a [Value], program: &str) -> Vec<&'a Value> {
    let of_program = verdicts.iter().filter(|it| it["program"] == program);
    of_program.collect()
}

/// As people read it; the book shows both.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_end_of_a_function_is_told() {
    let objects = Objects::new();
    let (unlinked, _) = HOOKS
        .split_once("\n__attribute__((section(\"kprobe.multi")
        .unwrap();
    let licence = HOOKS.lines().last().unwrap();
    objects.compile("unlinked.o", &["-g"], &format!("{unlinked}\n{licence}\n"));
    let shown = |arguments: &[&str]| {
        let mut run = Run::new(&[&["verify", "unlinked.o"], arguments].concat());
        run.command.current_dir(objects.directory.path());
        let output = run.command.output().unwrap();
        let code = output.status.code().unwrap();
        assert_eq!(code, 1, "{}", stderr(&output));
        let said = stderr(&output);
        // What is said while it works depends on what is built and fetched.
        let conclusion = said
            .lines()
            .skip_while(|line| !line.starts_with(['✗', 'x']));
        let conclusion = conclusion.collect::<Vec<_>>().join("\n");
        format!("{}{conclusion}\nexit code {code}", stdout(&output))
    };
    insta::assert_snapshot!("a_function_that_goes_away", shown(&["--bisect"]));
    insta::assert_snapshot!(
        "a_claim_that_does_not_hold",
        shown(&["--claim", "6.19..7.1"])
    );
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_series_at_which_an_answer_changes_are_found() {
    let objects = Objects::new();
    objects.compile("hooks.o", &["-g"], HOOKS);
    objects.compile("returns.o", &["-g"], RETURNS);
    let directory = objects.directory.path();
    let (code, ranges, said) = verify(directory, &["hooks.o", "returns.o", "--bisect"]);
    assert_eq!(code, 1, "{said}");
    let shown = |program| {
        let ranges = by_program(&ranges, program);
        let shown = ranges.iter().map(|range| {
            let (from, to) = (&range["from"], &range["to"]);
            format!("{from}..{to} {}", range["answer"]).replace('"', "")
        });
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        shown("unlinked"),
        ["5.10..6.19 works", "7.0..7.3 cannot-attach"]
    );
    assert_eq!(
        shown("many"),
        ["5.10..6.1 cannot-attach", "6.12..7.3 works"]
    );
    assert_eq!(shown("bare"), ["5.10..7.3 not-known"]);
    let reason = by_program(&ranges, "unlinked")[1]["reason"]
        .as_str()
        .unwrap();
    assert!(
        reason.contains("do_unlinkat is there on 5.10 to 6.19"),
        "{reason}"
    );
    let asked = by_program(&ranges, "bare")[0]["asked"].as_array().unwrap();
    assert!(asked.len() <= 7, "{asked:?}");
    let there_and_gone = [
        "5.10..5.10 works",
        "6.1..6.19 cannot-attach",
        "7.0..7.3 works",
    ];
    assert_eq!(shown("returns"), there_and_gone);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_claim_holds_or_names_what_contradicts_it() {
    let objects = Objects::new();
    objects.compile("hooks.o", &["-g"], HOOKS);
    let directory = objects.directory.path();
    let target = ["--target", "bare=do_unlinkat"];
    let claim = |kernels, more: &[&str]| {
        let arguments = [&["hooks.o", "--claim", kernels], more].concat();
        verify(directory, &arguments)
    };
    let (code, _, said) = claim("6.12,6.18", &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("not known: 2 of 6 verdicts"), "{said}");
    let reports = ["--junit", "verify.xml", "--markdown", "verify.md"];
    let (code, _, said) = claim("6.12,6.18", &[target, ["--seconds", "60"]].concat());
    assert_eq!(code, 0, "{said}");
    let (code, _, said) = claim("6.18..7.0", &[&target[..], &reports].concat());
    assert_eq!(code, 1, "{said}");
    let contradiction = "7.0 is the first to contradict: unlinked of hooks.o loads";
    assert!(said.contains(contradiction), "{said}");
    let read = |file| std::fs::read_to_string(objects.path(file)).unwrap();
    let junit = read("verify.xml");
    assert!(
        junit.contains(r#"<testsuite name="Linux 7.0" tests="3" failures="2""#),
        "{junit}"
    );
    let markdown = read("verify.md");
    assert!(
        markdown.starts_with("| program | 6.18 | 6.19 | 7.0 |"),
        "{markdown}"
    );
}

/// `pt_regs` has `di` on x86-64, and other registers on arm64. Trampolines came to arm64 later.
const ARCHITECTURES: &str = r#"
struct pt_regs { unsigned long di; } __attribute__((preserve_access_index));
__attribute__((section("kprobe/vfs_read"), used)) int argument(struct pt_regs *regs)
{ return regs->di == 0; }
__attribute__((section("fentry/vfs_read"), used)) int entry(void *ctx) { return 0; }
__attribute__((section("ksyscall/openat"), used)) int call(void *ctx) { return 0; }
__attribute__((section("kprobe/no_such_function"), used)) int nowhere(void *ctx) { return 0; }
__attribute__((section("license"), used)) char _license[] = "GPL";
"#;

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn kernels_for_arm64_answer_for_themselves() {
    let objects = Objects::new();
    objects.compile("both.o", &["-g"], ARCHITECTURES);
    let directory = objects.directory.path();
    let arguments = ["both.o", "--arch", "both", "--kernel", "5.10,7.3"];
    let (code, verdicts, said) = verify(directory, &arguments);
    assert_eq!(code, 1, "{said}");
    let answers = |program| {
        let verdicts = by_program(&verdicts, program);
        let answers = verdicts.iter().map(|it| {
            let kernel = format!("{} {}", it["architecture"], it["kernel"]);
            format!("{kernel} {}", it["answer"]).replace('"', "")
        });
        answers.collect::<Vec<_>>()
    };
    let on_both = ["amd64 5.10", "amd64 7.3", "arm64 5.10", "arm64 7.3"];
    for (program, expected) in [
        ("argument", ["works", "works", "rejected", "rejected"]),
        ("entry", ["works", "works", "cannot-attach", "works"]),
        ("call", ["works"; 4]),
        ("nowhere", ["cannot-attach"; 4]),
    ] {
        let expected: Vec<_> = on_both.iter().zip(expected).collect();
        let expected = expected
            .iter()
            .map(|(kernel, answer)| format!("{kernel} {answer}"));
        assert_eq!(answers(program), expected.collect::<Vec<_>>(), "{program}");
    }
    let trampoline = &by_program(&verdicts, "entry")[2]["attach"]["missing"];
    assert_eq!(trampoline["kind"], "trampoline", "{trampoline}");
    // The functions of the kernels are known for both architectures.
    for verdict in by_program(&verdicts, "nowhere") {
        let similar = &verdict["attach"]["missing"]["similar"];
        assert_ne!(similar, &Value::from([""; 0]), "{verdict}");
    }
    let mut table = Run::new(&[&["verify"], &arguments[..]].concat());
    let output = table.command.current_dir(directory).output().unwrap();
    insta::assert_snapshot!(stdout(&output));
}

/// The first program ends the loader as soon as it is attached: at the loader's next system call.
const KILLER: &str = r#"
static long (*bpf_send_signal)(unsigned int signal) = (void *)109;
__attribute__((section("raw_tp/sys_enter"), used)) int kill(void *ctx)
{ return bpf_send_signal(9); }
__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }
__attribute__((section("license"), used)) char _license[] = "GPL";
"#;

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_program_that_ends_the_loader_takes_no_other_along() {
    let objects = Objects::new();
    objects.compile("killer.o", &["-g"], KILLER);
    objects.compile("good.o", &["-g"], XDP);
    let arguments = ["killer.o", "good.o", "--kernel", "5.10,6.12"];
    let (code, verdicts, said) = verify(objects.directory.path(), &arguments);
    assert_eq!(code, 1, "{said}");
    for kernel in ["5.10", "6.12"] {
        let answers: Vec<_> = verdicts
            .iter()
            .filter(|verdict| verdict["kernel"] == kernel)
            .map(|verdict| (&verdict["program"], &verdict["answer"]))
            .collect();
        assert_eq!(answers.len(), 3, "{answers:?}");
        assert!(
            answers.contains(&(&"kill".into(), &"cannot-attach".into())),
            "{answers:?}"
        );
        let works = (&"pass".into(), &"works".into());
        assert_eq!(
            answers.iter().filter(|it| **it == works).count(),
            2,
            "{answers:?}"
        );
    }
}

/// The first Ctrl-C is for a program in the VM, and that is none of the user's here.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn one_ctrl_c_is_enough() {
    let objects = Objects::new();
    let programs: String = (0..200)
        .map(|number| {
            let section = r#"__attribute__((section("kprobe/do_sys_openat2"), used))"#;
            format!("{section} int program_{number}(void *ctx) {{ return 0; }}\n")
        })
        .collect();
    let licence = HOOKS.lines().last().unwrap();
    objects.compile("many.o", &["-g"], &format!("{programs}{licence}\n"));
    let mut run = Run::new(&["verify", "many.o"]);
    run.command.current_dir(objects.directory.path());
    let null = std::process::Stdio::null;
    run.command.stdout(null()).stderr(null());
    let mut child = run.command.spawn().unwrap();
    run.wait_for_qemu();
    // It is under way.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(signal, Some(2), "{status}");
    assert_eq!(run.left_behind(), [""; 0]);
}

/// A QEMU that ends at once says nothing about an object.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_machine_that_cannot_boot_gives_no_verdict() {
    let objects = Objects::new();
    objects.compile("good.o", &["-g"], XDP);
    let mut run = Run::new(&["verify", "--json", "good.o", "--kernel", "6.12"]);
    run.command.current_dir(objects.directory.path());
    let output = run.command.env("XTASK_QEMU", "/bin/true").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}
