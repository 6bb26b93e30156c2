//! Lesson 02 beyond its demo: storms, full maps, signals at any moment, and what the machine or the
//! user gets wrong.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::shell;
use common::test_vm::TestVm;
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

/// Watches /tmp/w with these arguments while a line of shell runs, then sends SIGINT: the objects
/// that it printed, but for the files of a storm.
fn watch(started: &mut Started, arguments: &str, meanwhile: &str) -> Vec<Value> {
    let line = format!(
        "mkdir /tmp/w; cd /tmp/w; maps /tmp/w --json {arguments} > /tmp/out & watcher=$!; \
         until grep -q attached-yet /tmp/out; do mkdir attached-yet; rmdir attached-yet; usleep 10000; done; \
         {meanwhile}; kill -INT $watcher; wait $watcher && grep -v '\"path\":\"storm-' /tmp/out"
    );
    let text = run(started, &line, 0);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The paths that were seen, without those that only showed that the programs were attached.
fn paths(objects: &[Value]) -> Vec<String> {
    let paths = objects.iter().filter_map(|object| object["path"].as_str());
    paths
        .filter(|path| *path != "attached-yet")
        .map(str::to_owned)
        .collect()
}

/// How many changes the summary counts, after it has been found right.
fn accounted(summary: &Value) -> u64 {
    let number = |value: &Value| value.as_u64().unwrap();
    let [changes, lost] = ["changes", "lost"].map(|name| number(&summary["counters"][name]));
    assert_eq!(number(&summary["received"]) + lost, changes, "{summary}");
    changes
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_storm_that_nobody_reads_is_counted_to_the_last_change() {
    let mut started = start();
    for implementation in IMPLEMENTATIONS {
        let line = format!(
            "maps --impl {implementation} --demo --json --buffer 4 --storm 100000 | tail -n 1"
        );
        let summary: Value = serde_json::from_str(&run(&mut started, &line, 0)).unwrap();
        assert_eq!(accounted(&summary), 100_014);
        assert!(
            summary["counters"]["lost"].as_u64().unwrap() > 99_000,
            "{summary}"
        );
        assert!(summary["recent"].as_array().unwrap().len() <= 512);
        let processes = summary["processes"].as_array().unwrap();
        assert_eq!(
            processes
                .iter()
                .map(|process| process["changes"].as_u64().unwrap())
                .sum::<u64>(),
            100_014
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_storm_that_is_read_is_counted_too() {
    let mut started = start();
    // 20,000 changes, by two processes at a time on two CPUs.
    let files = |letter: &str| {
        let all = format!("seq 5000 | sed s/^/storm-{letter}/ | xargs");
        format!("{all} touch; {all} rm")
    };
    let storm = format!("({}) & one=$!; ({}); wait $one", files("a"), files("b"));
    for implementation in IMPLEMENTATIONS {
        let objects = watch(
            &mut started,
            &format!("--impl {implementation} --buffer 16"),
            &storm,
        );
        let summary = objects.last().unwrap();
        assert!(accounted(summary) >= 20_000, "{summary}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_whole_tree_is_watched_and_nothing_else() {
    let mut started = start();
    let work = "mkdir -p 1/2/3 ../other/1; touch 1/2/3/file ../other/1/file; \
                mkdir m; mount -t tmpfs none m; touch m/hidden; umount m; \
                mv 1/2/3/file ../gone; mv ../gone back; cd 1/2; rm -r 3; touch $(printf 'a\\033b')";
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
        let objects = watch(&mut started, &format!("--impl {implementation}"), work);
        assert_eq!(paths(&objects), expected, "{objects:#?}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn filters_choose_by_process_and_by_kind() {
    let mut started = start();
    let work = "touch made; rm made; mkdir folder";
    for implementation in IMPLEMENTATIONS {
        let arguments = format!("--impl {implementation} --kind mkdir --kind unlink");
        assert_eq!(
            paths(&watch(&mut started, &arguments, work)),
            ["made", "folder"]
        );
        let arguments = format!("--impl {implementation} --process mkdir");
        assert_eq!(paths(&watch(&mut started, &arguments, work)), ["folder"]);
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_is_too_deep_is_counted_and_not_guessed() {
    let mut started = start();
    let work = "for level in $(seq 20); do mkdir f; cd f; done";
    for implementation in IMPLEMENTATIONS {
        let objects = watch(&mut started, &format!("--impl {implementation}"), work);
        let deepest = paths(&objects)
            .iter()
            .map(|path| path.split('/').count())
            .max();
        assert_eq!(deepest, Some(16));
        assert_eq!(objects.last().unwrap()["counters"]["too_deep"], 4);
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
                 maps --impl {implementation} /tmp > /tmp/out & usleep $wait; kill -{signal} $!; wait $!; done; true"
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
            (format!("{lesson} /bin/busybox"), 2, "it is no directory"),
            (lesson.clone(), 2, "required arguments"),
            (format!("{lesson} /tmp --demo"), 2, "cannot be used with"),
            (format!("{lesson} --demo --buffer 5"), 2, "powers of two"),
            (format!("{lesson} --demo --buffer 2"), 2, "powers of two"),
            (format!("{lesson} --demo --processes 0"), 2, "0 is not in"),
            (format!("{lesson} /tmp --kind chmod"), 2, "possible values"),
            (
                format!("{lesson} /tmp --process a-name-of-more-than-15"),
                2,
                "1 to 15 bytes",
            ),
        ];
        for (line, code, says) in cases {
            let text = run(&mut started, &format!("{line} 2>&1"), code);
            assert!(
                text.starts_with("error: ") && text.contains(says),
                "{line}\n{text}"
            );
            assert!(
                text.contains("help") || text.contains("[possible values"),
                "{line}\n{text}"
            );
        }
    }
}
