//! Lesson 02 beyond its demo: storms, full maps, signals at any moment, and what the machine or the
//! user gets wrong.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::shell;
use common::test_vm::TestVm;
use kernel::MATRIX;
use plan::{Outcome, Step};
use serde_json::Value;
use testvm::{Failure, Started};

const IMPLEMENTATIONS: [&str; 2] = ["aya", "libbpf"];

fn start() -> Started {
    TestVm::on("6.12").with_tools().with_lesson("02").start()
}

/// Runs a line of shell that ends with this exit code and leaves nothing in the kernel: what it
/// printed.
fn run(started: &mut Started, line: &str, code: i32) -> String {
    let step = Step {
        seconds: Some(60),
        ..shell(line)
    };
    let (report, printed) = common::run(started, vec![step]);
    let report = report.map_err(Failure::into_error).unwrap();
    let text = String::from_utf8(printed.concat()).unwrap();
    assert_eq!(
        report.steps[0].outcome,
        Outcome::Exited(code),
        "{line}\n{text}"
    );
    assert_eq!(report.left_behind, [""; 0], "{line}\n{text}");
    assert_eq!(report.complaints, [""; 0], "{line}\n{text}");
    text
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_first_program_counts_for_each_process_on_every_kernel() {
    for kernel in MATRIX {
        let mut started = TestVm::on(kernel).with_tools().with_lesson("02").start();
        for implementation in IMPLEMENTATIONS {
            let line = format!("maps --first --impl {implementation}");
            let printed = renumbered(&run(&mut started, &line, 0));
            let mut settings = insta::Settings::clone_current();
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_snapshot!("first", printed));
        }
    }
}

/// Its lines in the order of the process ids, which are counted from 1234 here.
fn renumbered(text: &str) -> String {
    let mut counts = Vec::new();
    for line in text.lines() {
        let (pid, count) = line.split_once(" created ").unwrap();
        let pid: u32 = pid.strip_prefix("process ").unwrap().parse().unwrap();
        counts.push((pid, count));
    }
    counts.sort();
    let lines = (1234..).zip(counts);
    lines
        .map(|(number, (_, count))| format!("process {number} created {count}\n"))
        .collect()
}

/// Watches /tmp/w with these arguments while a line of shell runs, then sends SIGINT. Returns what
/// was printed, without the lines about a storm's files.
fn watch(started: &mut Started, arguments: &str, meanwhile: &str) -> String {
    let line = format!(
        "rm -f /tmp/out; mkdir /tmp/w; cd /tmp/w; maps /tmp/w {arguments} > /tmp/out & watcher=$!; \
         until grep -q attached-yet /tmp/out; \
         do mkdir attached-yet; rmdir attached-yet; usleep 10000; done; \
         {meanwhile}; kill -INT $watcher; wait $watcher && grep -v ' storm-' /tmp/out"
    );
    run(started, &line, 0)
}

/// The paths that were seen, without those that only showed that the programs were attached.
fn paths(text: &str) -> Vec<&str> {
    let changes = text.lines().take_while(|line| !line.starts_with(SUM));
    let paths = changes.filter_map(|line| Some(line.split_once(" pid=")?.1.split_once(' ')?.1));
    let paths = paths.map(str::trim_start);
    paths.filter(|path| *path != "attached-yet").collect()
}

/// How many changes there were, and how many of them were lost: `ring buffer, 4096 bytes: 1214
/// changes = 99 received + 1115 lost`. The numbers must match.
fn accounted(text: &str) -> (u64, u64) {
    let sum = text.lines().find(|line| line.starts_with(SUM));
    let numbers = sum.unwrap().split_once(':').unwrap().1.split(' ');
    let numbers: Vec<u64> = numbers.filter_map(|word| word.parse().ok()).collect();
    let [changes, received, lost] = numbers[..] else {
        panic!("{text}");
    };
    assert_eq!(received + lost, changes, "{text}");
    (changes, lost)
}

/// What the line begins with that sums up the ring buffer.
const SUM: &str = "ring buffer, ";

/// 10,000 changes by two processes, one after the other.
fn storm(name: &str) -> String {
    let all = format!("seq 5000 | sed s/^/storm-{name}/ | xargs");
    format!("{all} touch; {all} rm")
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_storm_that_nobody_reads_is_counted_to_the_last_change() {
    let mut started = start();
    // The reader is stopped, so nothing leaves the ring buffer. bpftool reads the maps meanwhile.
    let storm = format!(
        "kill -STOP $watcher; for round in $(seq 10); do {}; done; \
         echo \"recent $(bpftool -j map dump name recent | grep -o '\"last\"' | wc -l)\"; \
         echo \"processes $(bpftool -j map dump name processes)\"; \
         kill -CONT $watcher",
        storm("")
    );
    for implementation in IMPLEMENTATIONS {
        let arguments = format!("--impl {implementation} --buffer 4");
        let text = watch(&mut started, &arguments, &storm);
        let (changes, lost) = accounted(&text);
        assert!(changes >= 100_000 && lost > 99_000, "{text}");
        let after = |name| text.lines().find_map(|line| line.strip_prefix(name));
        let processes: Value = serde_json::from_str(after("processes ").unwrap()).unwrap();
        let of_processes = processes.as_array().unwrap().iter();
        let of_processes =
            of_processes.map(|entry| entry["formatted"]["value"]["changes"].as_u64().unwrap());
        assert_eq!(of_processes.sum::<u64>(), changes, "{text}");
        let recent: u64 = after("recent ").unwrap().parse().unwrap();
        assert!(recent > 0 && recent <= 512, "{text}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_storm_that_is_read_is_counted_too() {
    let mut started = start();
    // 20,000 changes, by two processes at a time on two CPUs.
    let storm = format!("({}) & one=$!; ({}); wait $one", storm("a"), storm("b"));
    for implementation in IMPLEMENTATIONS {
        let arguments = format!("--impl {implementation} --buffer 16");
        let text = watch(&mut started, &arguments, &storm);
        assert!(accounted(&text).0 >= 20_000, "{text}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_whole_tree_is_watched_and_nothing_else() {
    let mut started = start();
    let work = "mkdir -p 1/2/3 ../other/1; touch 1/2/3/file ../other/1/file; \
                mkdir m; mount -t tmpfs none m; touch m/hidden; umount m; \
                mv 1/2/3/file ../gone; mv ../gone back; cd 1/2; rm -r 3; \
                touch $(printf 'a\\033b')";
    let expected = [
        "1",
        "1/2",
        "1/2/3",
        "1/2/3/file",
        "m",
        "1/2/3/file",
        "back",
        "1/2/3",
        "1/2/a\u{fffd}b",
    ];
    for implementation in IMPLEMENTATIONS {
        let text = watch(&mut started, &format!("--impl {implementation}"), work);
        assert_eq!(paths(&text), expected, "{text}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_is_too_deep_is_counted_and_not_guessed() {
    let mut started = start();
    let work = "for level in $(seq 20); do mkdir f; cd f; done";
    for implementation in IMPLEMENTATIONS {
        let text = watch(&mut started, &format!("--impl {implementation}"), work);
        let levels = paths(&text).into_iter().map(|path| path.split('/').count());
        assert_eq!(levels.max(), Some(16), "{text}");
        assert!(
            text.contains("unknown: 4 changes more than 16 directories deep"),
            "{text}"
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn nothing_stays_attached_after_a_signal_at_any_moment() {
    let mut started = start();
    for implementation in IMPLEMENTATIONS {
        for signal in ["TERM", "KILL"] {
            // While it loads, while it attaches, while it runs. (A shell without job control has
            // its children ignore INT.)
            let line = format!(
                "for wait in 50000 200000 500000 1000000; do \
                 maps --impl {implementation} /tmp > /tmp/out & usleep $wait; \
                 kill -{signal} $!; wait $!; done; true"
            );
            run(&mut started, &line, 0);
        }
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_is_wrong_is_said_with_what_to_do() {
    let mut started = start();
    for implementation in IMPLEMENTATIONS {
        let lesson = format!("maps --impl {implementation}");
        let no_btf = "mount -t tmpfs none /sys/kernel/btf";
        let cases = [
            (
                format!("unshare -m sh -c '{no_btf}; {lesson} --demo'"),
                3,
                "no BTF",
            ),
            (format!("{lesson} /nowhere"), 2, "No such file or directory"),
            (format!("{lesson} /bin/busybox"), 2, "it is not a directory"),
            (lesson.clone(), 2, "required arguments"),
            (format!("{lesson} /tmp --demo"), 2, "cannot be used with"),
            (format!("{lesson} /tmp --buffer 5"), 2, "a power of two"),
            (format!("{lesson} /tmp --buffer 2"), 2, "a power of two"),
        ];
        for (line, code, says) in cases {
            let text = run(&mut started, &format!("{line} 2>&1"), code);
            assert!(
                text.starts_with("error: ") && text.contains(says),
                "{line}\n{text}"
            );
            assert!(text.contains("help"), "{line}\n{text}");
        }
    }
}
