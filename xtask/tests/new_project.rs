//! `new project` as people use it: bad input, and each hook built by the project's own cargo and
//! run on the oldest and the newest kernel.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use checkout::{environment, toolchain, workspace};
use clap::ValueEnum as _;
use common::checkout_copy::copy_built_below;
use common::test_vm::TestVm;
use common::{Run, scratch, stderr, stdout};
use course::Implementation;
use kernel::MATRIX;
use object::{Object as _, ObjectSymbol as _};
use plan::{Outcome, Step};
use tempfile::TempDir;
use testvm::{Failure, Started};
use xtask::commands::new::hook::Hook;

/// Makes a project in a new directory outside of the checkout.
fn make_project(directory: &TempDir, name: &str, arguments: &[&str]) -> PathBuf {
    let path = directory.path().join(name);
    let mut all = vec!["new", "project", path.to_str().unwrap()];
    all.extend(arguments);
    let output = Run::new(&all).output();
    assert!(output.status.success(), "{}", stderr(&output));
    path
}

/// The message, and that nothing was made.
fn refused(directory: &Path, arguments: &[&str]) -> String {
    let mut all = vec!["new", "project"];
    all.extend(arguments);
    let output = Run::new(&all).output();
    assert_eq!(stdout(&output), "");
    assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
    let code = output.status.code().unwrap();
    let text = stderr(&output).replace(directory.to_str().unwrap(), "DIRECTORY");
    format!("{text}exit code {code}")
}

#[test]
fn mistakes_get_one_error_and_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let refused = |arguments: &[&str]| refused(directory.path(), arguments);
    let told = [
        refused(&[&path("my-tool"), "--hook", "kprob"]),
        refused(&[&path("my-tool"), "--impl", "bcc"]),
        refused(&[&path("2nd")]),
        refused(&[&path("missing/my-tool")]),
        refused(&["../lessons/my-tool"]),
    ];
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(directory.path().join("root-can"), "").is_ok() {
        fs::remove_file(directory.path().join("root-can")).unwrap();
        // Root can write anywhere, but not here.
        let output = Run::new(&["new", "project", "/proc/my-tool"]).output();
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("/proc/my-tool"),
            "{}",
            stderr(&output)
        );
        return;
    }
    let path = directory.path().join("my-tool");
    let told = refused(directory.path(), &[path.to_str().unwrap()]);
    assert!(told.contains("DIRECTORY/my-tool"), "{told}");
    assert!(told.ends_with("exit code 3"), "{told}");
}

/// What was built for all projects, so that most of it is built once. What they depend on stays for
/// the next run.
struct SharedBuild {
    target: PathBuf,
    // Two test runs at once use it one after the other.
    _lock: File,
}

/// With others of these, nothing that was built is of use.
const BUILD_INPUTS: [&str; 2] = ["Cargo.lock", "rust-toolchain.toml"];

impl SharedBuild {
    fn begin() -> Self {
        let lock = File::create(scratch().join("projects.lock")).unwrap();
        lock.lock().unwrap();
        let target = scratch().join("projects");
        let root = workspace::workspace_root();
        let inputs = BUILD_INPUTS.map(|name| fs::read_to_string(root.join(name)).unwrap());
        let (inputs, file) = (inputs.concat(), target.join("inputs"));
        if fs::read_to_string(&file).is_ok_and(|before| before == inputs) {
            return Self {
                target,
                _lock: lock,
            };
        }
        let _ = fs::remove_dir_all(&target);
        // The checkout has built some of it.
        let built = workspace::target_directory();
        for part in ["debug/.fingerprint", "debug/build", "debug/deps", "ebpf"] {
            copy_built_below(&built.join(part), &target.join(part));
        }
        fs::write(file, inputs).unwrap();
        Self {
            target,
            _lock: lock,
        }
    }

    /// Cargo in a project, which sets nothing but places.
    fn cargo(&self, project: &Path) -> Command {
        let mut cargo = Command::new(toolchain::cargo_program());
        environment::clean_environment(&mut cargo);
        let inner = self.target.join("ebpf");
        cargo
            .current_dir(project)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_BUILD_BUILD_DIR", &self.target)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_INCREMENTAL", "0")
            .args([
                "--config",
                "env.CARGO_BUILD_BUILD_DIR.force=true",
                "--config",
            ])
            .arg(format!(
                "env.CARGO_BUILD_BUILD_DIR.value={:?}",
                inner.to_str().unwrap()
            ));
        cargo
    }

    /// Builds a project; returns its programs, under names that no other project's have.
    fn build_both(&self, project: &Path) -> Vec<PathBuf> {
        self.build(project, &Implementation::ALL);
        let take = |implementation: Implementation| {
            let name = format!("{implementation}-{}", name_of(project));
            self.take_program(&format!("with-{implementation}"), project.join(name))
        };
        Implementation::ALL.map(take).into()
    }

    /// The same for a project with one implementation, whose program is called like the project.
    fn build_one(&self, project: &Path, implementation: Implementation) -> PathBuf {
        self.build(project, &[implementation]);
        self.take_program(name_of(project), project.join(name_of(project)))
    }

    /// All that is the project's own is built now: cargo knows its packages only by their names and
    /// times, and might take what an earlier run left for it.
    fn build(&self, project: &Path, implementations: &[Implementation]) {
        let name = name_of(project);
        let mut own = vec![(name.to_owned(), project.to_owned())];
        if implementations.contains(&Implementation::Aya) {
            own.push((format!("{name}-ebpf"), project.join("ebpf")));
        }
        for (package, _) in &own {
            self.remove_built(package);
        }
        let output = self.cargo(project).arg("build").output().unwrap();
        let told = stderr(&output);
        assert!(output.status.success(), "{told}");
        for (package, place) in own {
            let line = format!("Compiling {package} v0.1.0 ({})", place.display());
            assert!(told.contains(&line), "no line '{line}' in: {told}");
        }
        if implementations.contains(&Implementation::Aya) {
            self.expect_lean_link(name);
        }
    }

    /// `bcmp`, which no project calls, is in an eBPF program only if bpf-linker has read all of
    /// `compiler_builtins`, and with that most of the time that a link can take.
    fn expect_lean_link(&self, package: &str) {
        let mut linked = 0;
        for entry in fs::read_dir(self.target.join("debug/build")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let program = entry.path().join("out/count");
            if name.rsplit_once('-').is_none_or(|(it, _)| it != package) || !program.is_file() {
                continue;
            }
            let object = fs::read(program).unwrap();
            let object = object::File::parse(&*object).unwrap();
            let mut symbols = object.symbols();
            assert!(symbols.all(|symbol| symbol.name() != Ok("bcmp")), "{name}");
            linked += 1;
        }
        assert_eq!(linked, 1, "eBPF programs of {package}");
    }

    /// Takes away what cargo knows of a package; it then builds all of it.
    fn remove_built(&self, package: &str) {
        for profile in ["debug", "ebpf/bpfel-unknown-none/release"] {
            for part in [".fingerprint", "build"] {
                let directory = self.target.join(profile).join(part);
                for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                    let name = entry.file_name().into_string().unwrap();
                    if name.rsplit_once('-').is_some_and(|(it, _)| it == package) {
                        fs::remove_dir_all(entry.path()).unwrap();
                    }
                }
            }
        }
    }

    fn take_program(&self, name: &str, path: PathBuf) -> PathBuf {
        let built = environment::output_directory(&self.target).join(name);
        fs::rename(built, &path).unwrap();
        path
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn each_hook_counts_on_the_oldest_and_the_newest_kernel() {
    let directory = tempfile::tempdir().unwrap();
    let build = SharedBuild::begin();
    let mut programs = Vec::new();
    for hook in Hook::value_variants() {
        let name = hook.to_possible_value().unwrap().get_name().to_owned();
        let project = make_project(&directory, &name, &["--hook", &name, "--impl", "both"]);
        programs.extend(build.build_both(&project));
    }
    for implementation in Implementation::ALL {
        let name = match implementation {
            Implementation::Aya => "only-aya",
            Implementation::Libbpf => "open-count",
        };
        let chosen = implementation.to_string();
        let project = make_project(&directory, name, &["--impl", &chosen]);
        programs.push(build.build_one(&project, implementation));
    }
    // What tc leaves stays, and the next plan would be blamed for it.
    programs.sort_by_key(|program| name_of(program).ends_with("-tc"));
    for kernel in [MATRIX[0], MATRIX[MATRIX.len() - 1]] {
        let mut vm = TestVm::on(kernel);
        for program in &programs {
            vm = vm.with_program(program);
        }
        let mut started = vm.start();
        for program in &programs {
            expect_counts(&mut started, kernel, name_of(program));
        }
    }
    let project = directory.path().join("kprobe");
    runner_works(&build, &project);
    missing_tools_are_named(&build, &project);
    existing_crate_is_tested(&build, &directory.path().join("open-count"));
}

/// The program counts the three events that it causes, and exits well.
fn expect_counts(started: &mut Started, kernel: &str, program: &str) {
    let step = Step {
        program: format!("/bin/{program}"),
        ..common::shell("")
    };
    let step = Step {
        args: Vec::new(),
        ..step
    };
    let (report, printed) = common::run(started, vec![step]);
    let text = String::from_utf8(printed.concat()).unwrap();
    let context = format!("{program} on {kernel}: {text}");
    let report = report.map_err(Failure::into_error).unwrap();
    assert_eq!(report.steps[0].outcome, Outcome::Exited(0), "{context}");
    assert_eq!(report.complaints, [""; 0], "{context}");
    let of_tc = ["queueing discipline clsact on lo"];
    let expected: &[&str] = if program.ends_with("-tc") {
        &of_tc
    } else {
        &[]
    };
    assert_eq!(report.left_behind, expected, "{context}");
    let counts = text.lines().filter_map(|line| line.rsplit_once(": "));
    let mut numbers = counts.map(|(_, number)| number.parse::<u64>().unwrap());
    assert!(numbers.any(|number| number >= 3), "{context}");
}

/// `cargo test` and `cargo run`, which go through the runner: this xtask.
fn runner_works(build: &SharedBuild, project: &Path) {
    let cargo = |arguments: &[&str], kernels: &str| {
        let mut cargo = build.cargo(project);
        cargo.args(arguments).env("XTASK_KERNELS", kernels);
        cargo.env("NO_COLOR", "1").output().unwrap()
    };
    let output = cargo(&["test", "--bin", "with-libbpf"], MATRIX[0]);
    assert!(output.status.success(), "{}", stderr(&output));
    let passed = "test its_own_files_are_counted ... ok";
    assert!(stdout(&output).contains(passed), "{}", stdout(&output));

    let output = cargo(&["run"], "all");
    let (out, err) = (stdout(&output), stderr(&output));
    assert!(output.status.success(), "{err}");
    let (_, table) = err.split_once("\n\n").unwrap_or_else(|| panic!("{err}"));
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.add_filter(r"process \d+", "process 1234");
    // Of ten seconds and more, one space less is between the columns.
    settings.add_filter(r"\d\d\.\d s ", "0.3 s  ");
    settings.add_filter(r"\d+\.\d s", "0.3 s");
    settings.bind(|| insta::assert_snapshot!("on_all_kernels", format!("{out}\n{table}")));
}

/// As the book's page about a crate that one already has: the lines of its configuration are those
/// of a template, and the crate has nothing else of the course.
fn existing_crate_is_tested(build: &SharedBuild, project: &Path) {
    let root = workspace::workspace_root();
    let template = |name: &str| {
        let path = root.join("xtask/templates/crate").join(name);
        fs::read_to_string(path).unwrap()
    };
    let local = project.join(".cargo/local.toml");
    let tools: toml::Table = fs::read_to_string(&local).unwrap().parse().unwrap();
    let clang = tools["env"]["CLANG"].as_str().unwrap();
    fs::remove_file(&local).unwrap();
    // This test's own xtask may be elsewhere than a user's.
    let program = common::program();
    let config =
        template("config.toml").replace("CHECKOUT/target/debug/xtask", program.to_str().unwrap());
    fs::write(project.join(".cargo/config.toml"), &config).unwrap();
    fs::create_dir(project.join("tests")).unwrap();
    fs::write(project.join("tests/on_kernel.rs"), template("on_kernel.rs")).unwrap();
    let functions = project.join("tests/functions.txt");
    fs::write(&functions, template("functions.txt")).unwrap();
    let test = |kernels: &str, arguments: &[&str]| {
        let mut cargo = build.cargo(project);
        cargo.args(["test", "--test", "on_kernel", "--"]);
        cargo.args(arguments).env("XTASK_KERNELS", kernels);
        cargo
            .env("CLANG", clang)
            .env("NO_COLOR", "1")
            .output()
            .unwrap()
    };

    let output = test("all", &["--test-threads", "1"]);
    let (out, err) = (stdout(&output), stderr(&output));
    assert!(output.status.success(), "{out}{err}");
    assert!(!err.contains("left behind"), "{err}");
    let (_, table) = err.split_once("\n\n").unwrap_or_else(|| panic!("{err}"));
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    // Of ten seconds and more, one space less is between the columns.
    settings.add_filter(r"\d\d\.\d s ", "0.3 s  ");
    settings.add_filter(r"\d+\.\d s", "0.3 s");
    settings.add_filter(r"finished in \d+\.\d+s", "finished in 0.32s");
    settings.bind(|| insta::assert_snapshot!("existing_crate", format!("{out}\n{table}")));

    // A test that fails is no more than that for cargo, and a filter comes through.
    fs::write(&functions, "no_such_function\n").unwrap();
    let output = test(MATRIX[0], &["functions"]);
    let (out, err) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(101), "{out}{err}");
    assert!(out.contains("1 filtered out"), "{out}");
    assert!(out.contains("this kernel has no no_such_function"), "{out}");
    assert!(err.contains("on 5.10: exit status 101"), "{err}");
    assert!(
        err.ends_with("error: test failed, to rerun pass `--test on_kernel`\n"),
        "{err}"
    );
}

/// In one line of cargo's output, instead of what the inner builds say.
fn missing_tools_are_named(build: &SharedBuild, project: &Path) {
    for (variable, missing) in [
        ("CLANG", "clang is missing"),
        (
            "CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER",
            "bpf-linker is missing",
        ),
    ] {
        let mut cargo = build.cargo(project);
        let output = cargo
            .arg("build")
            .env(variable, "/nowhere")
            .output()
            .unwrap();
        assert!(!output.status.success());
        let told = stderr(&output);
        let errors: Vec<_> = told
            .lines()
            .filter(|line| line.starts_with("error"))
            .collect();
        assert!(errors[0].contains(missing), "{told}");
    }
}
