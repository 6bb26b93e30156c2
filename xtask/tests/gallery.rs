//! Every program of the gallery, on every kernel: rejected or accepted as its entry says, with the
//! very log.
//!
//! One VM a kernel loads all programs. To accept new logs, look at them after
//! `INSTA_UPDATE=always cargo test -p xtask --test gallery -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use checkout::workspace;
use common::test_vm::TestVm;
use course::entry::{self, Entry, Language, Twin};
use kernel::{Architecture, MATRIX};
use plan::load::LoadResult;
use testvm::Failure;
use xtask::commands::gallery::{self, Shown, UnbuiltProgram};
use xtask::commands::verify;
use xtask::pipeline::{build, loader, needs};

fn gallery_on(kernel: &str) {
    needs::ensure_needs(&needs::build_needs(Architecture::Amd64)).unwrap();
    let entries = entry::read_entries().unwrap();
    let (release, shown) = load_gallery(&entries, kernel, Architecture::Amd64);
    let records = shown.iter().map(record).collect::<String>();
    compare(
        kernel,
        &format!("Linux {release}\n{}", toolchain()),
        &records,
        &VOLATILE,
    );
}

/// Other registers and offsets stand in the logs of arm64. The reasons are those of amd64, or the
/// entry says that they are not.
#[test]
#[ignore = "needs a VM: XTASK_ARM64=all cargo test -p xtask --test gallery -- --ignored"]
fn on_arm64() {
    needs::ensure_needs(&needs::build_needs(Architecture::Arm64)).unwrap();
    let entries = entry::read_entries().unwrap();
    for kernel in common::arm64_kernels(&[MATRIX[0], MATRIX[MATRIX.len() - 1]]) {
        let (_, shown) = load_gallery(&entries, kernel, Architecture::Arm64);
        let recorded = fs::read_to_string(logs().join(format!("{kernel}.snap"))).unwrap();
        let recorded = list_reasons(&recorded);
        let mut compared = 0;
        for shown in &shown {
            let (head, reason) = list_reasons(&record(shown)).pop_first().unwrap();
            let of_amd64 = &recorded[&head];
            let is_same = remove_numbers(&reason) == remove_numbers(of_amd64);
            let why = shown.entry.why_rejected(kernel, Architecture::Arm64);
            assert!(
                is_same || why.is_some(),
                "{head} on {kernel} arm64: {reason:?}, and on amd64: {of_amd64:?}",
            );
            compared += usize::from(reason.is_some());
        }
        assert!(compared >= entries.len(), "only {compared} were rejected");
    }
}

/// Without the digits of hexadecimal numbers either, which may be some of [`VOLATILE`]. What is
/// left of a message still tells it from the others.
fn remove_numbers(reason: &Option<String>) -> Option<String> {
    let is_kept = |letter: &char| !letter.is_ascii_hexdigit() && !"x.".contains(*letter);
    let reason = reason.as_ref()?;
    Some(reason.chars().filter(is_kept).collect())
}

/// Why each program of these records was rejected; `None`: it was not.
fn list_reasons(records: &str) -> BTreeMap<String, Option<String>> {
    let records = records.split("\n=== ").skip(1);
    let reasons = records.map(|record| {
        let (head, result) = record.split_once('\n').unwrap();
        let rejected = result.strip_prefix("rejected: ");
        let reason = rejected.map(|rejected| {
            let (error, log) = rejected.split_once('\n').unwrap();
            verify::find_reason(error, log).0
        });
        (head.to_owned(), reason)
    });
    reasons.collect()
}

/// Loads all programs of all entries: each must do what its entry says.
fn load_gallery<'a>(
    entries: &'a [Entry],
    kernel: &str,
    architecture: Architecture,
) -> (String, Vec<Shown<'a>>) {
    let objects = gallery::build_objects(architecture).unwrap();
    let programs = loader::pack_objects(&objects, architecture).unwrap();
    let mut started = TestVm::of_architecture(kernel, architecture).start_with(&programs);
    let entries: Vec<&Entry> = entries.iter().collect();
    let shown = gallery::load_all(&mut started.guest, &entries);
    let shown = shown.map_err(Failure::into_error).unwrap();
    let surprises = shown
        .iter()
        .filter_map(|shown| surprise(shown, kernel, architecture));
    let surprises: Vec<String> = surprises.collect();
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    (started.release, shown)
}

/// The logs of another kernel or compiler have other registers and offsets: then the comparison is
/// skipped. That each error is of its entry's class has been checked all the same.
fn compare(name: &str, versions: &str, records: &str, volatile: &[(&str, &str)]) {
    let recording = std::env::var("INSTA_UPDATE").is_ok_and(|update| update != "no");
    if let Some(why) = other_versions(name, versions)
        && !recording
    {
        return common::skip(&format!("the gallery's logs, {name}"), &why);
    }
    settings(volatile).bind(|| insta::assert_snapshot!(name, format!("{versions}{records}")));
}

/// Why the recorded logs cannot be compared: each line of versions that is not theirs.
fn other_versions(name: &str, versions: &str) -> Option<String> {
    let recorded = fs::read_to_string(logs().join(format!("{name}.snap"))).ok()?;
    let recorded: Vec<&str> = recorded.lines().collect();
    let others: Vec<&str> = versions
        .lines()
        .filter(|line| !recorded.contains(line))
        .collect();
    (!others.is_empty()).then(|| format!("not recorded with {}", others.join(", ")))
}

#[test]
fn another_compiler_or_kernel_is_named() {
    let path = logs().join("6.12.snap");
    let recorded = fs::read_to_string(path).unwrap();
    let versions = recorded
        .lines()
        .skip_while(|line| !line.starts_with("Linux "));
    let versions: Vec<&str> = versions.take_while(|line| !line.is_empty()).collect();
    assert_eq!(versions.len(), 4, "{versions:?}");
    assert_eq!(other_versions("6.12", &versions.join("\n")), None);
    let others = versions.join("\n").replace(versions[0], "Linux 6.12.1");
    let why = other_versions("6.12", &others).unwrap();
    assert_eq!(why, "not recorded with Linux 6.12.1");
}

/// `cargo xtask setup` installs these: the comparison is not skipped.
#[test]
fn the_logs_are_of_the_locked_kernels() {
    let lock = fs::read_to_string(workspace::workspace_root().join("kernels.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let of_course = |kernel: &&toml::Value| {
        let is_recorded = kernel["architecture"].as_str() == Some("amd64");
        is_recorded && MATRIX.contains(&kernel["series"].as_str().unwrap())
    };
    let kernels = lock["kernel"].as_array().unwrap().iter().filter(of_course);
    assert_eq!(kernels.clone().count(), MATRIX.len());
    for kernel in kernels {
        let [series, package] = ["series", "package"].map(|key| kernel[key].as_str().unwrap());
        let release = package.strip_prefix("linux-image-").unwrap();
        let recorded = fs::read_to_string(logs().join(format!("{series}.snap"))).unwrap();
        let line = format!("Linux {release}");
        assert!(recorded.lines().any(|it| it == line), "{series}: {line}");
    }
}

fn logs() -> std::path::PathBuf {
    entry::find_gallery_lesson().unwrap().directory.join("logs")
}

fn settings(volatile: &[(&str, &str)]) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(logs());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, constant) in volatile {
        settings.add_filter(pattern, *constant);
    }
    settings
}

/// What is another number at each load.
const VOLATILE: [(&str, &str); 3] = [
    ("0xffff[0-9a-f]{12}", "0xffff..."),
    ("verification time [0-9]+ usec", "verification time N usec"),
    (r"map_ptr\(id=[0-9]+", "map_ptr(id=N"),
];

/// `--objects` of the lesson's program gives the same files as the gallery loads.
#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn the_lesson_writes_these_objects() {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let lesson = entry::find_gallery_lesson().unwrap();
    let program = build::build_lesson(&lesson, Architecture::HOST).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.arg("--objects").arg(directory.path());
    assert!(command.status().unwrap().success());
    let mut written = BTreeMap::new();
    for file in directory.path().read_dir().unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        written.insert(name, fs::read(path).unwrap());
    }
    assert!(written == gallery::build_objects(Architecture::HOST).unwrap());
}

/// Programs that never come to a kernel: the words of clang, rustc and bpf-linker.
#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn before_any_kernel() {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let entries = entry::read_entries().unwrap();
    let objects = gallery::build_objects(Architecture::HOST).unwrap();
    let record = |UnbuiltProgram {
                      entry,
                      language,
                      said,
                  }: UnbuiltProgram| {
        format!(
            "\n=== {} · {} · fail\ndoes not build\n{}\n",
            entry.name,
            language.name(),
            words(said)
        )
    };
    let refused = gallery::list_refused(&entries, &objects).unwrap();
    compare(
        "build",
        &toolchain(),
        &refused.into_iter().map(record).collect::<String>(),
        &OF_THIS_MACHINE,
    );
}

/// Where things lie on this machine, and what is made from that.
const OF_THIS_MACHINE: [(&str, &str); 2] = [
    (r"/[^ ]*/rustlib/src/rust/", ""),
    ("_RNv(Cs[0-9A-Za-z]+_|Nt)?", "_RNv..._"),
];

/// Each line once: clang says the same of each instruction that is concerned. And not rustc's call
/// of the linker, which is a list of files of this machine.
fn words(said: &str) -> String {
    let root = format!("{}/", workspace::workspace_root().display());
    let mut kept: Vec<String> = Vec::new();
    for line in said.lines().map(|line| line.replace(&root, "")) {
        let line = line.trim_end();
        let call = line.starts_with("  = note:  \"") || line.contains("some arguments are omitted");
        if !line.is_empty() && !call && !kept.iter().any(|other| other == line) {
            kept.push(line.to_owned());
        }
    }
    kept.join("\n")
}

/// With the log, for whoever has to fix it.
fn surprise(shown: &Shown, kernel: &str, architecture: Architecture) -> Option<String> {
    let surprise = shown.find_surprise(kernel, architecture)?;
    match &shown.load.result {
        LoadResult::Rejected { log, .. } => Some(format!("{surprise}\n{}", shortened(log))),
        _ => Some(surprise),
    }
}

fn record(shown: &Shown) -> String {
    let Shown {
        entry,
        twin,
        language,
        load,
    } = shown;
    let head = format!(
        "\n=== {} · {} · {}\n",
        entry.name,
        language.name(),
        twin.name()
    );
    head + &match &load.result {
        LoadResult::Accepted(accepted) => {
            format!(
                "accepted: {} instructions\n",
                accepted.instructions.unwrap_or_default()
            )
        }
        LoadResult::Rejected { error, log } => format!("rejected: {error}\n{}\n", shortened(log)),
        LoadResult::Failed { why, .. } => format!("failed: {why}\n"),
    }
}

/// A log that nobody would read to its end keeps its ends.
fn shortened(log: &str) -> String {
    const KEPT: usize = 60;
    let lines: Vec<&str> = log.lines().map(str::trim_end).collect();
    if lines.len() <= 2 * KEPT {
        return lines.join("\n");
    }
    let (head, tail) = (&lines[..KEPT], &lines[lines.len() - KEPT..]);
    format!(
        "{}\n[{} lines left out]\n{}",
        head.join("\n"),
        lines.len() - 2 * KEPT,
        tail.join("\n")
    )
}

/// Another compiler makes other programs, and so other logs.
fn toolchain() -> String {
    let version = |program: &std::path::Path| {
        let output = Command::new(program).arg("--version").output().unwrap();
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let tools = workspace::workspace_root().join(".cache/bin");
    format!(
        "{}\n{}\n{}\n",
        version(std::path::Path::new("rustc")),
        version(&tools.join("bpf-linker")),
        version(&tools.join("clang")),
    )
}

/// Each language's sources are there for the test that reads them.
#[test]
fn every_program_has_a_source() {
    for entry in entry::read_entries().unwrap() {
        for language in Language::ALL
            .into_iter()
            .filter(|language| entry.none_in(*language).is_none())
        {
            for twin in Twin::ALL {
                assert!(
                    entry.source_path(twin, language).is_file(),
                    "{} {language:?} {twin:?}",
                    entry.name
                );
            }
        }
    }
}

on_each_kernel!(gallery_on);
