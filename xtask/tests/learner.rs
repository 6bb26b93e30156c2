//! The way of a learner: from the first check to done, with all that can go wrong on it.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use checkout::workspace;
use common::checkout_copy::{CheckoutCopy, copy_built_below};
use common::{Run, stderr, stdout, wait_for};
use course::Implementation;
use course::exercises::{self, Exercise, Variant};
use kernel::Architecture;
use nix::sys::inotify::{InitFlags, Inotify};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;
use processes::child::pid_of;
use xtask::pipeline::answer_build;

/// A link that leads nowhere looks like a file that is removed between the listing and the copy.
#[test]
fn a_built_file_that_is_removed_meanwhile_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fs::create_dir(&from).unwrap();
    fs::write(from.join("here.d"), "built").unwrap();
    symlink("nowhere", from.join("removed.d")).unwrap();
    copy_built_below(&from, &to);
    assert_eq!(fs::read_to_string(to.join("here.d")).unwrap(), "built");
    assert!(!to.join("removed.d").exists());
}

/// A learner in a copy of the checkout, with a record of progress of his own.
struct Learner {
    exercise: Exercise,
    checkout: CheckoutCopy,
    progress: tempfile::TempDir,
    kept: Vec<PathBuf>,
    _alone: MutexGuard<'static, ()>,
}

impl Learner {
    fn at(name: &str) -> Self {
        // There is only one answer of each exercise in a checkout.
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let exercises = exercises::read_exercises().unwrap();
        let learner = Self {
            exercise: exercises::find_exercise(&exercises, name).unwrap().clone(),
            checkout: CheckoutCopy::open(),
            progress: tempfile::tempdir().unwrap(),
            kept: Vec::new(),
            _alone: alone,
        };
        for implementation in Implementation::ALL {
            learner.write(
                implementation,
                &learner.text(Variant::Starter, implementation),
            );
        }
        learner
    }

    fn source(&self, variant: Variant, implementation: Implementation) -> PathBuf {
        self.checkout
            .path(&self.exercise.program_path(variant, implementation))
    }

    fn text(&self, variant: Variant, implementation: Implementation) -> Vec<u8> {
        fs::read(self.source(variant, implementation)).unwrap()
    }

    fn write(&self, implementation: Implementation, text: &[u8]) {
        fs::write(self.source(Variant::Answer, implementation), text).unwrap();
    }

    fn has_starter(&self, implementation: Implementation) -> bool {
        self.text(Variant::Answer, implementation) == self.text(Variant::Starter, implementation)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut run = self.checkout.run(arguments);
        run.command
            .env("XTASK_PROGRESS", self.progress.path())
            .stdin(Stdio::null());
        run
    }

    /// Types a command about the exercise: its exit code, and all that it said.
    fn types(&mut self, command: &str, flags: &[&str]) -> (i32, String) {
        let name = self.exercise.name.clone();
        let mut run = self.run(&[&[command, name.as_str()], flags].concat());
        let output: Output = run.output();
        assert_eq!(run.left_behind(), [""; 0]);
        let said = stderr(&output);
        for line in said.lines() {
            if let Some(path) = line.strip_prefix("your answer is kept: ") {
                self.kept
                    .push(self.checkout.path(&workspace::workspace_root().join(path)));
            }
        }
        (output.status.code().unwrap(), stdout(&output) + &said)
    }

    fn progress(&self) -> String {
        fs::read_to_string(self.progress.path().join(".progress")).unwrap_or_default()
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn from_the_starter_to_done_and_back() {
    let mut learner = Learner::at("03/count-by-comm");
    let mut answer = learner.text(Variant::Starter, Implementation::Aya);
    answer.extend(b"\nfn nobody() {}\n");
    learner.write(Implementation::Aya, &answer);
    let (code, said) = learner.types("check", &[]);
    assert_eq!(code, 1, "{said}");
    assert_eq!(
        said.matches("function `nobody` is never used").count(),
        1,
        "{said}"
    );
    assert!(said.contains("not yet: 5 of 7 checks passed"), "{said}");
    assert!(said.contains("COUNTS has no entry for it"), "{said}");
    assert!(
        said.contains("cargo xtask hint 03/count-by-comm    (0 of 3 seen)"),
        "{said}"
    );

    for number in ["1 of 3", "2 of 3", "3 of 3", "3 of 3"] {
        let (code, said) = learner.types("hint", &[]);
        assert!(code == 0 && said.starts_with(number), "{said}");
    }
    // Nobody is there to be asked.
    let (code, said) = learner.types("solution", &[]);
    assert!(code == 2 && said.contains("--yes"), "{said}");
    let (code, said) = learner.types("solution", &["--diff", "--yes"]);
    assert!(
        code == 0 && said.contains("\n+    let _ = COUNTS.insert"),
        "{said}"
    );

    for implementation in ["aya", "libbpf"] {
        let (code, said) =
            learner.types("solution", &["--apply", "--yes", "--impl", implementation]);
        assert_eq!(code, 0, "{said}");
        let (code, said) = learner.types("check", &["--impl", implementation]);
        assert_eq!(code, 0, "{said}");
    }
    assert_eq!(
        learner.progress(),
        "done 03/count-by-comm aya\ndone 03/count-by-comm libbpf\nhints 03/count-by-comm 3\n"
    );

    let (code, said) = learner.types("reset", &[]);
    assert!(code == 2 && said.contains("A copy is kept"), "{said}");
    let (code, said) = learner.types("reset", &["--yes"]);
    assert_eq!(code, 0, "{said}");
    assert!(learner.has_starter(Implementation::Aya));
    let kept = learner.kept.last().unwrap();
    assert_eq!(
        fs::read(kept).unwrap(),
        learner.text(Variant::Solution, Implementation::Libbpf)
    );
    assert_eq!(learner.progress(), "hints 03/count-by-comm 3\n");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_the_verifier_rejects_is_explained() {
    let mut learner = Learner::at("03/count-by-comm");
    let solution = learner.text(Variant::Solution, Implementation::Libbpf);
    let without_check = String::from_utf8(solution)
        .unwrap()
        .replace("if (count)\n", "if (1)\n");
    learner.write(Implementation::Libbpf, without_check.as_bytes());
    let output = learner
        .run(&["check", "03/count-by-comm", "--json"])
        .output();
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["exercises"][0]["checks"][3]["verdict"], "rejected");
    assert_eq!(report["passed"], 0);

    let (code, said) = learner.types("check", &[]);
    assert_eq!(code, 1);
    assert!(
        said.contains("R0 invalid mem access 'map_value_or_null'"),
        "{said}"
    );
    assert!(
        said.contains("--> lessons/03-tracepoint/exercises/count-by-comm/libbpf/main.bpf.c:"),
        "{said}"
    );
    let output = learner.run(&["explain", "--last"]).output();
    assert!(
        output.status.success() && stdout(&output).contains("map-value-or-null"),
        "{}",
        stdout(&output)
    );
    assert!(
        stdout(&output).starts_with("answer        03/count-by-comm, libbpf\n"),
        "{}",
        stdout(&output)
    );
    assert!(
        stdout(&output).contains("\nkernel        Linux 6.12 (VM)\n"),
        "{}",
        stdout(&output)
    );
    let answer = &json(&mut learner.run(&["explain", "--last", "--json"]))["answer"];
    assert_eq!(answer["exercise"], "03/count-by-comm");
    assert_eq!(answer["implementation"], "libbpf");
    assert_eq!(answer["kernel"], "6.12");
    assert!(
        answer["checked"].as_str().unwrap().ends_with('Z'),
        "{answer}"
    );
    let log = workspace::workspace_root().join(answer["log"].as_str().unwrap());
    let log = fs::read(learner.checkout.path(&log)).unwrap();
    assert!(
        String::from_utf8(log)
            .unwrap()
            .contains("R0 invalid mem access")
    );

    // A check that ends without a rejection leaves nothing to explain.
    learner.write(Implementation::Libbpf, b"nothing");
    let (code, _) = learner.types("check", &[]);
    assert_eq!(code, 1);
    let output = learner.run(&["explain", "--last"]).output();
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(2), "")
    );
    assert!(
        stderr(&output).contains("rejected no answer at the last check"),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("cargo xtask check"),
        "{}",
        stderr(&output)
    );
}

fn json(run: &mut Run) -> serde_json::Value {
    serde_json::from_str(&stdout(&run.output())).unwrap()
}

/// What compiles may still be what nobody meant.
#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn the_compilers_warnings_are_shown_once() {
    let mut learner = Learner::at("00/decode-instruction");
    for (implementation, unused) in [
        (Implementation::Aya, "fn nobody() {}"),
        (Implementation::Libbpf, "static void nobody(void) {}"),
    ] {
        let mut answer = learner.text(Variant::Solution, implementation);
        answer.extend(format!("\n{unused}\n").as_bytes());
        learner.write(implementation, &answer);
        let language = implementation.to_string();
        // The second time, cargo has nothing to build.
        for _ in 0..2 {
            let (code, said) = learner.types("check", &["--impl", &language]);
            assert_eq!(code, 0, "{said}");
            let (before, after) = said.split_once("builds").unwrap();
            assert!(
                before.contains("nobody") && before.contains("warning"),
                "{said}"
            );
            assert!(!after.contains("nobody"), "{said}");
        }
        let report = json(&mut learner.run(&[
            "check",
            &learner.exercise.name,
            "--impl",
            &language,
            "--json",
        ]));
        assert!(
            report["exercises"][0]["warnings"]
                .as_str()
                .unwrap()
                .contains("nobody"),
            "{report}"
        );
    }
}

#[test]
fn what_is_done_and_what_comes_next_is_marked() {
    let learner = Learner::at("01/time-asleep");
    let done = [
        "00/decode-instruction",
        "00/run-program",
        "01/failed-removals",
    ];
    let record = done.map(|name| format!("done {name} aya\n")).concat();
    fs::write(learner.progress.path().join(".progress"), record).unwrap();
    let listed = stdout(&learner.run(&["list"]).output());
    let marked: Vec<&str> = listed
        .lines()
        .filter(|line| !line.starts_with([' ', '[']))
        .filter_map(|line| line.get(..6))
        .collect();
    assert_eq!(marked, ["✓ 00", "→ 01"], "{listed}");
    assert!(
        listed.contains("1/4  next: time-asleep; then: removal-errors, on-and-off\n"),
        "{listed}"
    );
    assert!(listed.contains("2/2  done\n"), "{listed}");
    // A terminal has that many columns and more.
    let is_long = |line: &&str| line.chars().count() >= 100;
    assert_eq!(listed.lines().find(is_long), None);
}

#[test]
fn a_lesson_means_its_first_exercise_that_is_not_done() {
    let learner = Learner::at("03/count-exits");
    let record = learner.progress.path().join(".progress");
    fs::write(&record, "done 03/count-by-comm aya\n").unwrap();
    let output = learner.run(&["hint", "03"]).output();
    assert!(stdout(&output).starts_with("1 of 3"), "{}", stderr(&output));
    assert!(
        learner.progress().contains("hints 03/count-exits 1\n"),
        "{}",
        learner.progress()
    );

    let mut all = exercises::read_exercises().unwrap();
    all.retain(|exercise| exercise.lesson_number() == "03");
    let done = all.iter().map(|it| format!("done {} aya\n", it.name));
    fs::write(&record, done.collect::<String>()).unwrap();
    let output = learner.run(&["check", "03"]).output();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("every exercise of lesson 03 is done"),
        "{}",
        stderr(&output)
    );
    for command in ["hint", "solution", "reset", "watch"] {
        let output = learner.run(&[command, "03"]).output();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{command}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains("every exercise of lesson 03 is done"),
            "{}",
            stderr(&output)
        );
    }
}

/// Whoever learns in this checkout has answers there.
#[test]
fn the_readers_own_checkout_stays_as_it_is() {
    let mut learner = Learner::at("03/count-by-comm");
    let answers = Implementation::ALL.map(|it| learner.exercise.program_path(Variant::Answer, it));
    let read_all = || answers.clone().map(|path| fs::read(path).unwrap());
    let before = read_all();
    learner.write(Implementation::Aya, b"half an answer");
    let (code, said) = learner.types("reset", &["--yes"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(fs::read(&learner.kept[0]).unwrap(), b"half an answer");
    learner.write(Implementation::Libbpf, b"another");
    assert_eq!(read_all(), before);
}

#[test]
fn an_answer_that_equals_the_solution_has_no_difference() {
    let mut learner = Learner::at("03/count-by-comm");
    learner.write(
        Implementation::Aya,
        &learner.text(Variant::Solution, Implementation::Aya),
    );
    let output = learner
        .run(&["solution", "03/count-by-comm", "--diff", "--yes"])
        .output();
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(0), "")
    );
    let (_, said) = learner.types("solution", &["--diff", "--yes"]);
    assert!(
        said.contains("no difference: your answer is the solution"),
        "{said}"
    );
}

/// A mistake in an answer in Rust: items of the file, lines of the program, and what is said of the
/// line with the mark.
struct Mistake {
    name: &'static str,
    items: &'static str,
    lines: &'static str,
    said: &'static str,
}

const MARK: &str = "// here";

const MISTAKES: [Mistake; 8] = [
    Mistake {
        name: "index",
        items: "",
        lines: "let limit = [1u64, 2, 4, 8][pid]; // here\nlet _ = COUNTS.insert(comm, limit, 0);",
        said: "can panic: the index can be out of range",
    },
    Mistake {
        name: "slice-range",
        items: "",
        lines: "let part = &comm[..pid]; // here\n\
            let _ = COUNTS.insert(comm, part.len() as u64, 0);",
        said: "can panic: the range can be beyond the end of the slice",
    },
    Mistake {
        name: "unwrap",
        items: "",
        lines: "let count = COUNTS.get_ptr_mut(comm)\n.unwrap(); // here\nunsafe { *count += 1 };",
        said: "can panic: `unwrap` of a None or an Err",
    },
    Mistake {
        name: "division",
        items: "",
        lines: "let share = 1000 / pid as u64; // here\nlet _ = COUNTS.insert(comm, share, 0);",
        said: "can panic: the divisor can be 0",
    },
    Mistake {
        name: "copy-length",
        items: "",
        lines: "let mut name = [0u8; 32];\nname[..pid & 31].copy_from_slice(&comm); // here\n\
                let _ = COUNTS.insert(comm, u64::from(name[3]), 0);",
        said: "can panic: the two slices can have different lengths",
    },
    Mistake {
        name: "panic",
        items: "",
        lines: "if pid == 1 {\npanic!(\"init\"); // here\n}",
        said: "can panic: `panic!`, `assert!`, `unreachable!` or `todo!`",
    },
    Mistake {
        name: "pointer",
        items: "trait Count { fn of(&self, pid: u64) -> u64; }\nstruct One; struct Two;\n\
                impl Count for One { fn of(&self, pid: u64) -> u64 { pid } }\n\
                impl Count for Two { fn of(&self, pid: u64) -> u64 { pid * 2 } }\n\
                static COUNTERS: [&(dyn Count + Sync); 2] = [&One, &Two];",
        lines: "let count = COUNTERS[pid % 2].of(1); // here\n\
            let _ = COUNTS.insert(comm, count, 0);",
        said: "calls through a pointer: a `dyn` method or a function pointer",
    },
    Mistake {
        name: "missing-function",
        items: "unsafe extern \"C\" { fn checksum(text: *const u8) -> u64; }",
        lines: "let sum = unsafe { checksum(comm.as_ptr()) }; // here\n\
            let _ = COUNTS.insert(comm, sum, 0);",
        said: "calls `checksum`, which is not defined",
    },
];

impl Learner {
    /// An answer with these lines; and the number of the line with the mark.
    fn write_rust(&self, items: &str, lines: &str) -> usize {
        let starter = String::from_utf8(self.text(Variant::Starter, Implementation::Aya)).unwrap();
        let begin = "let pid = (aya_ebpf::helpers::bpf_get_current_pid_tgid() >> 32) as usize;";
        let text =
            starter.replace("    let _ = comm;\n", &format!("{begin}\n{lines}\n")) + items + "\n";
        assert!(text.contains(lines), "the starter is another");
        self.write(Implementation::Aya, text.as_bytes());
        text.lines()
            .position(|line| line.contains(MARK))
            .map_or(0, |at| at + 1)
    }
}

/// The log does not name these lines: the object file does.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_line_that_no_kernel_accepts_is_named() {
    let mut learner = Learner::at("03/count-by-comm");
    let directory = tempfile::tempdir().unwrap();
    let source = "lessons/03-tracepoint/exercises/count-by-comm/aya/src/main.rs";
    let mut places = Vec::new();
    for Mistake {
        name,
        items,
        lines,
        said: reason,
    } in &MISTAKES
    {
        let place = format!("{source}:{}:", learner.write_rust(items, lines));
        let (code, said) = learner.types("check", &["--impl", "aya"]);
        assert_eq!(code, 1, "{name}: {said}");
        assert!(
            said.contains(&format!("--> {place}")) && said.contains(reason),
            "{name}: {said}"
        );
        assert!(said.contains("write instead: "), "{name}: {said}");
        let built = answer_build::find_program(
            &learner.exercise,
            Implementation::Aya,
            Variant::Answer,
            Architecture::HOST,
        );
        fs::copy(learner.checkout.path(&built), directory.path().join(name)).unwrap();
        places.push(place);
        if *name == "unwrap" {
            let said = stdout(&learner.run(&["explain", "--last"]).output());
            assert!(
                said.contains("this line can panic") && said.contains(places.last().unwrap()),
                "{said}"
            );
        }
    }

    let names = MISTAKES.map(|mistake| mistake.name);
    let mut verify = learner.run(&[&["verify", "--kernel", "6.12", "--json"], &names[..]].concat());
    let verdicts = stdout(
        &verify
            .command
            .current_dir(directory.path())
            .output()
            .unwrap(),
    );
    for (mistake, place) in MISTAKES.iter().zip(&places) {
        let lines = verdicts
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let verdict = lines
            .clone()
            .find(|verdict| verdict["object"] == mistake.name)
            .unwrap();
        let [call] = &verdict["forbidden_calls"].as_array().unwrap()[..] else {
            panic!("{verdict}")
        };
        assert_eq!(call["kind"], mistake.name, "{verdict}");
        assert_eq!(
            call["panic"],
            mistake.said.starts_with("can panic"),
            "{verdict}"
        );
        let line = &call["site"]["line"];
        assert!(place.ends_with(&format!(":{line}:")), "{line} {place}");

        let object = directory.path().join(mistake.name);
        let output = learner
            .run(&["explain", "--object", object.to_str().unwrap()])
            .output();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            stdout(&output).contains(place.as_str()),
            "{}",
            stdout(&output)
        );
    }
}

/// libbpf opens no object with a function that is not defined, and the judge comes no further.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_libbpf_does_not_open_has_its_line_too() {
    let mut learner = Learner::at("03/count-by-comm");
    let starter =
        String::from_utf8(learner.text(Variant::Starter, Implementation::Libbpf)).unwrap();
    let text = starter
        .replace(
            "SEC(\"tracepoint",
            "__u64 checksum(const char *text);\n\nSEC(\"tracepoint",
        )
        .replace("/* TODO", "if (checksum(comm))\n\t\treturn 1;\n\t/* TODO");
    let line = text
        .lines()
        .position(|line| line.contains("checksum(comm)"))
        .unwrap()
        + 1;
    learner.write(Implementation::Libbpf, text.as_bytes());
    let (code, said) = learner.types("check", &["--impl", "libbpf"]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("calls `checksum`, which is not defined"),
        "{said}"
    );
    assert!(
        said.contains(&format!("count-by-comm/libbpf/main.bpf.c:{line}:")),
        "{said}"
    );
}

/// What goes wrong in a library's function is the learner's line that called it.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn an_error_in_a_library_has_the_line_that_called_it() {
    let mut learner = Learner::at("03/count-by-comm");
    let inlined = "let mut name = [0u8; 16];\n\
                   let to = unsafe { name.get_unchecked_mut(..pid & 63) };\n\
                   let _ = unsafe { aya_ebpf::helpers::bpf_probe_read_kernel_buf(\
                   core::ptr::null(), to) }; // here\n\
                   let _ = COUNTS.insert(comm, u64::from(name[3]), 0);";
    let called = "let mut name = [0u8; 16];\n\
                  unsafe { core::ptr::copy_nonoverlapping(\
                  comm.as_ptr(), name.as_mut_ptr(), pid & 63) }; // here\n\
                  let _ = COUNTS.insert(comm, u64::from(name[3]), 0);";
    for lines in [inlined, called] {
        let line = learner.write_rust("", lines);
        let (code, said) = learner.types("check", &["--impl", "aya"]);
        assert!(code == 1 && said.contains("stack"), "{said}");
        assert!(
            said.contains(&format!("aya/src/main.rs:{line}:")),
            "{line}: {said}"
        );
        assert!(!said.contains("can panic"), "{said}");
    }
}

/// `memcmp` comes from compiler_builtins: its BTF is needed, too.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn slices_can_be_compared() {
    let mut learner = Learner::at("03/count-by-comm");
    let solution = String::from_utf8(learner.text(Variant::Solution, Implementation::Aya)).unwrap();
    let lines = "let length = (aya_ebpf::helpers::bpf_get_current_pid_tgid() as usize) & 15;\n\
                 if length > 0 && comm[..length] == [b'~'; 16][..length] { return 0; }\n\
                 let _ = COUNTS.insert(comm, 0";
    let answer = solution.replace("let _ = COUNTS.insert(comm, 0", lines);
    assert_ne!(answer, solution);
    learner.write(Implementation::Aya, answer.as_bytes());
    let (code, said) = learner.types("check", &["--impl", "aya"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn what_does_not_build_or_is_gone() {
    let mut learner = Learner::at("03/count-by-comm");
    learner.write(Implementation::Aya, b"fn main() { \xff\xfe }");
    let (code, said) = learner.types("check", &[]);
    assert!(
        code == 1 && said.contains("UTF-8") && said.contains("not yet: 0 of 1"),
        "{said}"
    );

    fs::remove_file(learner.source(Variant::Answer, Implementation::Aya)).unwrap();
    let (code, said) = learner.types("check", &[]);
    assert!(
        code == 2 && said.contains("aya/src/main.rs is gone"),
        "{said}"
    );
    assert!(
        said.contains("cargo xtask reset 03/count-by-comm"),
        "{said}"
    );
    let (code, said) = learner.types("reset", &["--yes"]);
    assert_eq!(code, 0, "{said}");
    assert!(learner.has_starter(Implementation::Aya));
}

#[test]
fn names_and_flags_that_make_no_sense() {
    let refused = |arguments: &[&str]| {
        let output = Run::new(arguments).output_soon();
        assert_eq!(stdout(&output), "");
        format!(
            "{}exit code {}",
            stderr(&output),
            output.status.code().unwrap()
        )
    };
    insta::assert_snapshot!(
        [
            &["check", "03/count-by-com"][..],
            &["hint", "nothing"],
            &["check", "03/count-by-comm", "--all"],
            &["watch", "--kernel", "all", "03/count-by-comm"],
            &["new", "exercise", "nothing"],
            &["class"],
            &["class", "nobody.json", "somebody.json"],
        ]
        .map(refused)
        .join("\n")
    );
}

/// Thirty learners, from answers that were really checked. One file is empty, and one has a name
/// that is no text.
#[test]
fn a_class_is_shown_although_a_file_is_broken() {
    let learner = Learner::at("00/decode-instruction");
    let score_of = |answer: &[u8]| {
        learner.write(Implementation::Libbpf, answer);
        let flags = [
            "check",
            "00/decode-instruction",
            "--impl",
            "libbpf",
            "--json",
        ];
        learner.run(&flags).output().stdout
    };
    let solution = learner.text(Variant::Solution, Implementation::Libbpf);
    let scores = [
        score_of(&solution),
        score_of(&learner.text(Variant::Starter, Implementation::Libbpf)),
        score_of(b"int main(void) { return x; }"),
    ];
    let class = tempfile::tempdir().unwrap();
    let write = |name: &OsStr, text: &[u8]| {
        let file = class.path().join(name).join("score.json");
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    };
    let name = |number: usize| format!("학생{number:02}");
    let mut files: Vec<PathBuf> = (0..28)
        .map(|number| write(name(number).as_ref(), &scores[number % 3]))
        .collect();
    files.push(write(OsStr::from_bytes(b"k\xffm"), &scores[0]));
    files.push(write("empty".as_ref(), b""));

    let class_of = |files: &[PathBuf], flags: &[&str]| {
        let mut run = Run::new(&[&["class"], flags].concat());
        run.command.args(files).output().unwrap()
    };
    let output = class_of(&files, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("not read: 1 of 30 files"),
        "{}",
        stderr(&output)
    );
    let shown = stdout(&output).replace(&class.path().display().to_string(), "CLASS");
    assert!(shown.contains("    학생02: error: "), "{shown}");
    // What the compiler says is its own.
    insta::with_settings!({filters => vec![("(학생02: error: ).*", "${1}[...]")]}, {
        insta::assert_snapshot!(shown);
    });

    let output = class_of(&files[..29], &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let overview: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(overview["learners"].as_array().unwrap().len(), 29);
    assert_eq!(overview["checks"][0]["check"], "builds");
    assert_eq!(overview["checks"][1]["as_starter"], 9);
}

#[test]
fn progress_that_cannot_be_written_costs_nothing() {
    let mut learner = Learner::at("03/count-by-comm");
    let name = learner.exercise.name.clone();
    let output = learner
        .run(&["hint", &name])
        .command
        .env("XTASK_PROGRESS", "/sys")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        stdout(&output).starts_with("1 of 3"),
        "the hint itself was given"
    );
    assert!(
        stderr(&output).contains("cannot write /sys/.progress"),
        "{}",
        stderr(&output)
    );
    // What a crash left in the middle of a line.
    fs::write(
        learner.progress.path().join(".progress"),
        "hints 03/count-by-comm 2\ndone 03/cou",
    )
    .unwrap();
    let (code, said) = learner.types("hint", &[]);
    assert!(code == 0 && said.starts_with("3 of 3"), "{said}");
    assert!(learner.progress().contains("done 03/cou\n"));
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn ctrl_c_in_the_middle_of_a_check() {
    let learner = Learner::at("03/count-by-comm");
    let mut run = learner.run(&["check", "03/count-by-comm"]);
    let mut child = run
        .command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    run.wait_for_qemu();
    kill(pid_of(&child), Signal::SIGINT).unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(run.left_behind(), [""; 0]);
    assert_eq!(learner.progress(), "");
    run.command = Command::new("true");
}

/// Ctrl-C ends the judge too, in the middle of what it looks at.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_right_answer_is_not_wrong_because_of_ctrl_c() {
    let mut learner = Learner::at("03/count-by-comm");
    let in_c = Implementation::Libbpf;
    learner.write(in_c, &learner.text(Variant::Solution, in_c));
    // What it needs is built then.
    let (code, said) = learner.types("check", &["--impl", "libbpf"]);
    assert_eq!(code, 0, "{said}");
    // At each moment, up to its end.
    for tenths in 0.. {
        let mut run = learner.run(&["check", "03/count-by-comm", "--impl", "libbpf"]);
        run.command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = run.command.spawn().unwrap();
        run.wait_for_qemu();
        sleep(Duration::from_millis(100 * tenths));
        kill(pid_of(&child), Signal::SIGINT).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(run.left_behind(), [""; 0]);
        if status.success() {
            break;
        }
        let signal = status.signal();
        assert_eq!(signal, Some(Signal::SIGINT as i32), "{tenths}: {status}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn two_checks_at_once() {
    let learner = Learner::at("03/count-by-comm");
    for implementation in Implementation::ALL {
        learner.write(
            implementation,
            &learner.text(Variant::Solution, implementation),
        );
    }
    let mut children = ["aya", "libbpf"].map(|implementation| {
        let mut run = learner.run(&["check", "03/count-by-comm", "--impl", implementation]);
        run.command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    });
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(
        learner.progress(),
        "done 03/count-by-comm aya\ndone 03/count-by-comm libbpf\n"
    );
}

/// On a real terminal, key by key.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_person_watches() {
    let learner = Learner::at("03/count-by-comm");
    let (mut terminal, theirs) = common::terminal();
    let before = tcgetattr(&theirs).unwrap();
    let mut run = learner.run(&["watch", "03/count-by-comm"]);
    let end = |end: &OwnedFd| end.try_clone().unwrap();
    run.command
        .stdin(end(&theirs))
        .stdout(end(&theirs))
        .stderr(end(&theirs));
    let mut child = run.command.spawn().unwrap();
    run.command = Command::new("true");

    wait_for(&mut terminal, "not yet in");
    learner.write(
        Implementation::Aya,
        &learner.text(Variant::Solution, Implementation::Aya),
    );
    let said = wait_for(&mut terminal, "right in");
    assert!(said.contains("counts each program on its own"), "{said}");
    // What is written again unchanged is no save.
    learner.write(
        Implementation::Aya,
        &learner.text(Variant::Solution, Implementation::Aya),
    );
    terminal.write_all(b"h").unwrap();
    let said = wait_for(&mut terminal, "1 of 3: ");
    assert!(!said.contains("checking"), "{said}");
    terminal.write_all(b"?").unwrap();
    wait_for(&mut terminal, "q  quit");
    terminal.write_all(b"q").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(
        tcgetattr(&theirs).unwrap(),
        before,
        "the terminal is as it was"
    );
    assert_eq!(run.left_behind(), [""; 0]);
    assert_eq!(
        learner.progress(),
        "done 03/count-by-comm aya\nhints 03/count-by-comm 1\n"
    );
}

/// Judge and answer are built for it, and its guest is kept.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn saves_are_judged_on_arm64() {
    let learner = Learner::at("03/count-by-comm");
    let arguments = [
        "watch",
        "03/count-by-comm",
        "--impl",
        "libbpf",
        "--arch",
        "arm64",
    ];
    let mut run = learner.run(&arguments);
    let (child, mut stderr) = start_watch(&mut run);
    wait_for(&mut stderr, "not yet in");
    let qemu = run.qemu();
    let program = std::fs::read_link(format!("/proc/{qemu}/exe")).unwrap();
    assert!(program.ends_with("qemu-system-aarch64"), "{program:?}");
    solve_until_right(&learner, &mut stderr);
    assert_eq!(run.qemu(), qemu, "it was kept");
    end_watch(child, &run);
}

/// One VM judges each save, until an answer leaves something in it, or it ends. While it waits it
/// costs nothing, and it ends with `watch`, whatever ends that.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_guest_is_kept_from_save_to_save() {
    let learner = Learner::at("03/count-by-comm");
    let solution = learner.text(Variant::Solution, Implementation::Libbpf);
    let mut run = learner.run(&["watch", "03/count-by-comm", "--impl", "libbpf"]);
    let (mut child, mut stderr) = start_watch(&mut run);
    wait_for(&mut stderr, "not yet in");
    let first = run.qemu();
    let before = cpu_ticks(first);
    sleep(Duration::from_secs(3));
    let used = cpu_ticks(first) - before;
    assert!(used < 30, "{used} ticks of 10 ms in 3 s");
    solve_until_right(&learner, &mut stderr);
    assert_eq!(run.qemu(), first, "it was kept");

    // One that dies while it waits is not the next answer's fault.
    kill(first, Signal::SIGKILL).unwrap();
    let mut again = solution.clone();
    again.extend(b"\n");
    learner.write(Implementation::Libbpf, &again);
    wait_for(&mut stderr, "right in");
    let second = run.qemu();
    assert_ne!(second, first);

    let key = "__type(key, char[16]);";
    let pinned = String::from_utf8(solution)
        .unwrap()
        .replace(key, &format!("{key} __uint(pinning, 1);"));
    learner.write(Implementation::Libbpf, pinned.as_bytes());
    wait_for(&mut stderr, "right in");
    solve_until_right(&learner, &mut stderr);
    assert_ne!(run.qemu(), second, "a pinned map was left in it");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(run.left_behind(), [""; 0]);
}

/// The time that a process has had the CPU, in hundredths of a second.
fn cpu_ticks(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = status.rsplit_once(')').unwrap();
    let times = fields.split_whitespace().skip(11).take(2);
    times.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// A person at a terminal, watching the answer in C to an exercise that needs no VM.
struct Watcher {
    learner: Learner,
    terminal: File,
    theirs: OwnedFd,
    before: Termios,
    run: Run,
    child: Child,
}

impl Watcher {
    /// With this script as the editor.
    fn start(learner: Learner, flags: &[&str], editor: &str) -> Self {
        let (terminal, theirs) = common::terminal();
        let before = tcgetattr(&theirs).unwrap();
        let name = learner.exercise.name.clone();
        let mut run = learner.run(&[&["watch", &name, "--impl", "libbpf"], flags].concat());
        let script = learner.progress.path().join("editor");
        fs::write(&script, editor).unwrap();
        run.command
            .env("TERM", "xterm")
            .env_remove("VISUAL")
            // Two words, as people have them there.
            .env("EDITOR", format!("sh {}", script.display()));
        let end = || theirs.try_clone().unwrap();
        run.command.stdin(end()).stdout(end()).stderr(end());
        let child = run.command.spawn().unwrap();
        run.command = Command::new("true");
        Self {
            learner,
            terminal,
            theirs,
            before,
            run,
            child,
        }
    }

    fn type_key(&mut self, key: &str) {
        self.terminal.write_all(key.as_bytes()).unwrap();
    }

    fn wait_for(&mut self, text: &str) -> String {
        wait_for(&mut self.terminal, text)
    }

    /// Leaves with `q`: the terminal is as it was, and nothing runs.
    fn quit(mut self) {
        self.type_key("q");
        assert!(self.child.wait().unwrap().success());
        assert_eq!(tcgetattr(&self.theirs).unwrap(), self.before);
        assert_eq!(self.run.left_behind(), [""; 0]);
    }
}

const CLEAR: &str = "\x1b[2J";

/// While an editor reads keys from the terminal, none of them is for `watch`, and Ctrl-C is a key.
#[test]
fn an_editor_in_the_terminal_has_it_until_it_ends() {
    let learner = Learner::at("00/decode-instruction");
    let solution = learner.source(Variant::Solution, Implementation::Libbpf);
    let editor = format!(
        "stty -icanon -echo -isig\necho editing \"$1\"\ndd bs=1 count=3 2>/dev/null >&2\n\
            cp {} \"$1\"\nstty sane\n",
        solution.display()
    );
    let mut watcher = Watcher::start(learner, &["--edit"], &editor);
    let said = watcher.wait_for("editing ");
    assert!(said.contains(CLEAR) && !said.contains("checking"), "{said}");
    kill(pid_of(&watcher.child), Signal::SIGINT).unwrap();
    watcher.type_key("qq\x03");
    let said = watcher.wait_for("q quit");
    assert!(
        said.contains("right in") && said.contains("[#---"),
        "{said}"
    );
    let all = exercises::read_exercises().unwrap().len();
    assert!(said.contains(&format!(" 1/{all} done")), "{said}");
    let learner = &watcher.learner;
    learner.write(
        Implementation::Libbpf,
        &learner.text(Variant::Starter, Implementation::Libbpf),
    );
    let said = watcher.wait_for("not yet in");
    assert!(said.contains(CLEAR), "{said}");
    // The same at a key.
    watcher.type_key("e");
    watcher.wait_for("editing ");
    watcher.type_key("qqq");
    watcher.wait_for("right in");
    watcher.quit();
}

/// Such an editor may run as long as it likes: what it saves is checked.
#[test]
fn an_editor_with_its_own_window_may_stay_open() {
    let learner = Learner::at("00/decode-instruction");
    let solution = learner.source(Variant::Solution, Implementation::Libbpf);
    let closed = learner.progress.path().join("closed");
    let editor = format!(
        "cp {} \"$1\"\nuntil [ -e {} ]; do sleep 0.1; done\n",
        solution.display(),
        closed.display()
    );
    let mut watcher = Watcher::start(learner, &["--edit", "--no-clear"], &editor);
    let mut said = watcher.wait_for("right in");
    watcher.type_key("?");
    said += &watcher.wait_for("these keys");
    assert!(!said.contains(CLEAR), "{said}");
    fs::write(closed, "").unwrap();
    watcher.quit();
}

#[test]
fn an_editor_that_is_missing_is_named() {
    let learner = Learner::at("00/decode-instruction");
    let name = learner.exercise.name.clone();
    let output = learner.run(&["watch", &name, "--edit"]).output();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("needs a terminal"),
        "{}",
        stderr(&output)
    );
    let mut watcher = Watcher::start(learner, &["--edit"], "exit 127");
    let said = watcher.wait_for("help");
    assert!(said.contains("the editor that EDITOR=sh "), "{said}");
    assert_eq!(watcher.child.wait().unwrap().code(), Some(2));
    assert_eq!(tcgetattr(&watcher.theirs).unwrap(), watcher.before);
}

/// A user can have only so many watchers of files, and here this test has them all.
#[test]
fn without_watches_the_files_are_looked_at() {
    let learner = Learner::at("00/decode-instruction");
    let watchers = all_watchers();
    let mut run = learner.run(&["watch", "00/decode-instruction", "--impl", "libbpf"]);
    let (child, mut stderr) = start_watch(&mut run);
    let said = wait_for(&mut stderr, "not yet in");
    drop(watchers);
    assert!(
        said.contains("looking at them twice a second instead"),
        "{said}"
    );
    solve_until_right(&learner, &mut stderr);
    end_watch(child, &run);
}

/// With standard error in a pipe and standard output nowhere.
fn start_watch(run: &mut Run) -> (Child, ChildStderr) {
    let command = run.command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    run.command = Command::new("true");
    let stderr = child.stderr.take().unwrap();
    (child, stderr)
}

fn solve_until_right(learner: &Learner, stderr: &mut ChildStderr) {
    learner.write(
        Implementation::Libbpf,
        &learner.text(Variant::Solution, Implementation::Libbpf),
    );
    wait_for(stderr, "right in");
}

/// SIGTERM ends it, and with it all that it started.
fn end_watch(mut child: Child, run: &Run) {
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(run.left_behind(), [""; 0]);
}

fn all_watchers() -> Vec<Inotify> {
    // Each is a file of this process, too.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let watchers: Vec<_> =
        std::iter::from_fn(|| Inotify::init(InitFlags::IN_CLOEXEC).ok()).collect();
    assert!(!watchers.is_empty());
    watchers
}

/// Without a terminal: a save is noticed, the end of the input is not taken for a key, and SIGTERM
/// ends it.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_script_watches() {
    let learner = Learner::at("03/count-by-comm");
    for flags in [&[][..], &["--poll"]] {
        learner.write(
            Implementation::Libbpf,
            &learner.text(Variant::Starter, Implementation::Libbpf),
        );
        let mut run =
            learner.run(&[&["watch", "03/count-by-comm", "--impl", "libbpf"], flags].concat());
        let (child, mut stderr) = start_watch(&mut run);
        wait_for(&mut stderr, "not yet in");
        solve_until_right(&learner, &mut stderr);
        end_watch(child, &run);
    }
}
