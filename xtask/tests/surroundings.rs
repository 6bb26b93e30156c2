//! Whatever a machine, an environment or a cargo configuration is like, each checkout works on its
//! own files, and builds them with its own settings. Most tests use a small checkout: the real
//! one's settings, and programs of a line.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use checkout::workspace;
use common::{program, stderr, stdout};
use course::catalog;
use kernel::Architecture;
use xtask::pipeline::build;

/// Two programs, as small as they can be: what the tool calls `xtask` and `guest`.
struct Checkout {
    root: PathBuf,
}

impl Checkout {
    fn at(root: PathBuf) -> Self {
        let checkout = Self { root };
        for file in ["rust-toolchain.toml", ".cargo/config.toml"] {
            checkout.write(
                file,
                &fs::read_to_string(workspace::workspace_root().join(file)).unwrap(),
            );
        }
        let manifest = fs::read_to_string(workspace::workspace_root().join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let mut own = toml::toml! { workspace = { resolver = "3", members = ["xtask"] } };
        let mut profiles = manifest["profile"].clone();
        // It names packages that are not here.
        profiles["dev"].as_table_mut().unwrap().remove("package");
        own.insert("profile".into(), profiles);
        checkout.write("Cargo.toml", &own.to_string());
        checkout.write("lessons/00-intro/Cargo.toml", "");
        checkout.write(
            "xtask/Cargo.toml",
            "[package]\nname = 'xtask'\nedition = '2024'\n",
        );
        checkout
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Its program says who it is, and how it was built.
    fn say(&self, name: &str) {
        let text = format!(
            "fn main() {{ print!(\"{name} {{}} {{}} {{:?}}\", cfg!(foreign), \
             cfg!(debug_assertions), \
             std::env::args().skip(1).collect::<Vec<_>>()) }}"
        );
        self.write("xtask/src/main.rs", &text);
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(&self.root);
        // What `cargo test` and `cargo xtask test` set around this test, as in a learner's shell.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"CARGO_") && name != "CARGO_HOME" {
                cargo.env_remove(name);
            }
        }
        for name in ["RUSTFLAGS", "RUSTC_BOOTSTRAP", "RUSTC_WORKSPACE_WRAPPER"] {
            cargo.env_remove(name);
        }
        cargo
    }
}

fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

fn set_old(path: &Path) {
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(old)
        .unwrap();
}

#[test]
fn two_checkouts_with_one_target_directory_keep_their_programs() {
    let all = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| {
        let checkout = Checkout::at(all.path().join(name));
        checkout.say(name);
        // Not newer than what the other one builds.
        set_old(&checkout.root.join("xtask/src/main.rs"));
        checkout
    });
    let shared = all.path().join("shared");
    for (checkout, name) in [(&a, "a"), (&b, "b"), (&a, "a")] {
        let said = printed(
            checkout
                .cargo(&["xtask", "list"])
                .env("CARGO_TARGET_DIR", &shared),
        );
        assert_eq!(said, format!("{name} false true [\"list\"]"));
    }
    // The same by a configuration of the directory that both are in.
    fs::create_dir(all.path().join(".cargo")).unwrap();
    fs::write(
        all.path().join(".cargo/config.toml"),
        "build.target-dir = 'shared'\n",
    )
    .unwrap();
    assert!(printed(&mut b.cargo(&["xtask", "list"])).starts_with("b "));
}

/// The real xtask, started in a checkout that it was not built from, in surroundings that are as
/// bad as they can be.
#[test]
fn another_checkouts_xtask_goes_on_as_the_own_one_whatever_the_surroundings() {
    let above = tempfile::tempdir().unwrap();
    let checkout = Checkout::at(above.path().join("course"));
    checkout.say("its own");
    fs::create_dir(above.path().join(".cargo")).unwrap();
    let configuration = "
        [build]
        target = 'wasm32-unknown-unknown'
        rustflags = ['--cfg=foreign']
        rustc-workspace-wrapper = '/nowhere/wrapper'
        target-dir = 'elsewhere'
        build-dir = 'elsewhere'
        [target.x86_64-unknown-linux-gnu]
        rustflags = ['--cfg=foreign']
        [term]
        quiet = true
    ";
    fs::write(above.path().join(".cargo/config.toml"), configuration).unwrap();
    let mut xtask = Command::new(program());
    xtask
        .args(["verify", "a file.o"])
        .current_dir(checkout.root.join("xtask"));
    xtask.env("CARGO_MANIFEST_DIR", checkout.root.join("xtask"));
    for (name, value) in [
        ("RUSTFLAGS", "--cfg=foreign"),
        ("CARGO_BUILD_RUSTFLAGS", "--cfg=foreign"),
        (
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "--cfg=foreign",
        ),
        (
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
            "/nowhere/runner",
        ),
        ("CARGO_BUILD_TARGET", "wasm32-unknown-unknown"),
        ("CARGO_TARGET_DIR", "/nowhere/target"),
        ("CARGO_BUILD_TARGET_DIR", "/nowhere/target"),
        ("CARGO_BUILD_BUILD_DIR", "/nowhere/build"),
        ("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false"),
        ("CARGO_PROFILE_DEV_PANIC", "abort"),
        ("CARGO_TERM_VERBOSE", "true"),
        ("CARGO_TERM_COLOR", "always"),
        ("RUSTC_WORKSPACE_WRAPPER", "/nowhere/wrapper"),
        ("RUSTC", "/nowhere/rustc"),
    ] {
        xtask.env(name, value);
    }
    let output = xtask.output().unwrap();
    assert_eq!(
        stdout(&output),
        "its own false true [\"verify\", \"a file.o\"]",
        "{}",
        stderr(&output)
    );
    let said = stderr(&output);
    assert!(
        said.contains("belongs to another checkout: starting the one of"),
        "{said}"
    );
    assert!(!said.contains("Running `"), "{said}");
}

#[test]
fn a_program_outside_of_every_checkout_works_on_the_one_it_was_built_from() {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("xtask");
    fs::copy(program(), &copy).unwrap();
    let mut xtask = Command::new(copy);
    xtask
        .arg("list")
        .current_dir(elsewhere.path())
        .env_remove("CARGO_MANIFEST_DIR");
    assert!(printed(&mut xtask).contains("A look at the machine"));
}

/// An eBPF program is a crate of the workspace like any other, for editors; only it has no standard
/// library.
#[test]
fn an_editor_can_check_an_ebpf_program_and_a_build_of_it_says_what_to_type() {
    let all = tempfile::tempdir().unwrap();
    let checkout = Checkout::at(all.path().join("course"));
    checkout.say("any");
    let script = "lessons/common/kernel_only.rs";
    checkout.write(
        script,
        &fs::read_to_string(workspace::workspace_root().join(script)).unwrap(),
    );
    let manifest = "[package]\nname = 'kernel'\nedition = '2024'\n\
        build = '../../common/kernel_only.rs'\n\
        [[bin]]\nname = 'kernel'\npath = 'src/main.rs'\ntest = false\nbench = false\n";
    checkout.write("lessons/01/ebpf/Cargo.toml", manifest);
    let program = "#![no_std]\n#![no_main]\n#[panic_handler]\n\
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }\n";
    checkout.write("lessons/01/ebpf/src/main.rs", program);
    let workspace = fs::read_to_string(checkout.root.join("Cargo.toml")).unwrap();
    let members = "members = [\"xtask\", \"lessons/01/ebpf\"]";
    checkout.write(
        "Cargo.toml",
        &workspace.replace("members = [\"xtask\"]", members),
    );
    printed(&mut checkout.cargo(&["check", "--workspace", "--all-targets", "--keep-going"]));
    let built = checkout
        .cargo(&["build", "--package", "kernel"])
        .output()
        .unwrap();
    assert!(!built.status.success());
    assert!(
        stderr(&built).contains("cargo xtask run LESSON"),
        "{}",
        stderr(&built)
    );
    for lesson in catalog::read_lessons().unwrap() {
        let manifest = lesson.directory.join("ebpf/Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(
            text.contains("build = \"../../common/kernel_only.rs\""),
            "{}",
            manifest.display()
        );
    }
}

/// What the manifest says about the programs that go into a VM, a configuration elsewhere must not
/// change.
#[test]
fn the_checkouts_configuration_holds_its_profiles() {
    let read = |file: &str| -> toml::Table {
        fs::read_to_string(workspace::workspace_root().join(file))
            .unwrap()
            .parse()
            .unwrap()
    };
    let (manifest, configuration) = (read("Cargo.toml"), read(".cargo/config.toml"));
    let forced = configuration["env"].as_table().unwrap();
    let release = configuration["profile"]["release"].as_table().unwrap();
    for (key, value) in manifest["profile"]["release"].as_table().unwrap() {
        assert_eq!(release.get(key), Some(value), "profile.release.{key}");
    }
    expect_forced(forced, "CARGO_PROFILE_RELEASE", release);
    assert_eq!(
        configuration["profile"]["dev"]["debug"],
        manifest["profile"]["dev"]["debug"]
    );
}

/// Each key of a profile is in the environment, below this name.
fn expect_forced(forced: &toml::Table, above: &str, profile: &toml::Table) {
    for (key, value) in profile {
        let name = format!("{above}_{}", key.to_uppercase().replace('-', "_"));
        if let Some(table) = value.as_table() {
            expect_forced(forced, &name, table);
            continue;
        }
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let in_environment = forced
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is not set"));
        assert_eq!(
            in_environment["value"].as_str(),
            Some(text.as_str()),
            "{name}"
        );
        assert_eq!(in_environment["force"].as_bool(), Some(true), "{name}");
    }
}

/// The build scripts of aya-ebpf's crates name variables. If a lesson's build script and the tool
/// give them other values, each compiles again what the other has compiled.
#[test]
fn lessons_and_answers_are_built_upon_the_same_crates() {
    let all = tempfile::tempdir().unwrap();
    let checkout = Checkout::at(all.path().join("course"));
    checkout.say("any");
    let script = "fn main() { for (name, value) in std::env::vars() { \
        println!(\"cargo::warning={name} = {value}\") } }";
    checkout.write("xtask/build.rs", script);
    let built = checkout.cargo(&["build"]).output().unwrap();
    let said = stderr(&built);
    let in_build_script = |name: &str| {
        let start = format!("warning: xtask@0.0.0: {name} = ");
        said.lines().find_map(|line| line.strip_prefix(&start))
    };
    assert!(in_build_script("OUT_DIR").is_some(), "{said}");

    let mut cargo = Command::new("cargo");
    build::set_ebpf_environment(&mut cargo, Architecture::HOST);
    let in_tool = |name: &str| {
        let (_, value) = cargo.get_envs().find(|(set, _)| *set == name)?;
        value.and_then(|value| value.to_str())
    };
    let names = variables_of_aya();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        assert_eq!(in_build_script(&name), in_tool(&name), "{name}");
    }
}

/// What aya-ebpf's crates want to be compiled again for. Lessons are built before their tests are.
fn variables_of_aya() -> BTreeSet<String> {
    let target = workspace::target_directory();
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(target.join("ebpf/bpfel-unknown-none/release/build")).unwrap() {
        let directory = entry.unwrap().path();
        let package = directory.file_name().unwrap().to_string_lossy();
        let Ok(output) = fs::read_to_string(directory.join("output")) else {
            continue;
        };
        if package.starts_with("aya-ebpf") {
            let lines = output.lines();
            let asked = lines.filter_map(|it| it.strip_prefix("cargo:rerun-if-env-changed="));
            names.extend(asked.map(str::to_owned));
        }
    }
    names
}

/// `cargo xtask` builds the tool alone, and lessons are built with the features of all that runs on
/// the host. Where these differ, a crate and all that is built upon it are compiled twice.
#[test]
fn lessons_are_built_upon_the_tools_crates() {
    let of_tool = planned_crates(&["--package", "xtask"]);
    let of_all = planned_crates(&[]);
    assert!(of_tool.len() > 50, "{}", of_tool.len());
    let others: Vec<_> = of_tool.difference(&of_all).collect();
    assert!(
        others.is_empty(),
        "xtask/Cargo.toml should ask for the features that others ask for: {others:#?}"
    );
}

/// Each crate that cargo would build for the tool, with its features.
fn planned_crates(packages: &[&str]) -> BTreeSet<(String, String)> {
    let units = planned_units(&[&["build", "--bin", "xtask"], packages].concat());
    let crates = units.iter().map(|unit| {
        let [package, features] = ["pkg_id", "features"].map(|key| unit[key].to_string());
        (package, features)
    });
    crates.collect()
}

/// What cargo would do for a command.
fn planned_units(arguments: &[&str]) -> Vec<serde_json::Value> {
    let mut cargo = build::inner_cargo();
    cargo
        .args(arguments)
        .args(["--unit-graph", "-Z", "unstable-options"])
        .env("RUSTC_BOOTSTRAP", "1");
    let graph: serde_json::Value = serde_json::from_str(&printed(&mut cargo)).unwrap();
    graph["units"].as_array().unwrap().clone()
}

/// What the book or a program asks for with other features than a build script or a macro. To unite
/// them, each learner would compile features that only the book needs.
const COMPILED_TWICE: [&str; 6] = ["chrono", "nix", "object", "semver", "serde", "tracing"];

/// Each library that is compiled with two sets of features takes all that is built upon it along.
#[test]
fn no_other_library_is_compiled_twice_for_the_tests() {
    let mut seen = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for unit in planned_units(&["test", "--no-run"]) {
        let kind = unit["target"]["kind"][0].as_str().unwrap();
        if unit["mode"] != "build" || !["lib", "proc-macro"].contains(&kind) {
            continue;
        }
        if !seen.insert(unit["pkg_id"].to_string()) {
            twice.insert(unit["target"]["name"].as_str().unwrap().to_owned());
        }
    }
    assert!(seen.len() > 100, "{}", seen.len());
    assert_eq!(twice, COMPILED_TWICE.map(str::to_owned).into());
}

/// The clippy step compiles what the workspace is built upon, and the unit step finds it.
#[test]
fn clippy_looks_upon_the_crates_of_the_tests() {
    let of_tests = compiled_libraries(&["test", "--no-run"]);
    let for_clippy = compiled_libraries(&["build", "--all-targets"]);
    assert!(for_clippy.len() > 100, "{}", for_clippy.len());
    let others: Vec<_> = for_clippy.difference(&of_tests).collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// Each library, with all that decides whether what is compiled for one command is of use for
/// another.
fn compiled_libraries(arguments: &[&str]) -> BTreeSet<String> {
    let mut units = planned_units(arguments);
    units.retain(|unit| unit["mode"] == "build" && unit["target"]["kind"][0] == "lib");
    let name_unit = |unit: &mut serde_json::Value| {
        // Those of two names may be the same.
        unit["profile"]["name"].take();
        ["pkg_id", "features", "profile"]
            .map(|key| unit[key].to_string())
            .join(" ")
    };
    units.iter_mut().map(name_unit).collect()
}

/// A copied checkout is not compiled again, so that what was known when the original was compiled
/// is wrong in it.
#[test]
fn no_path_of_a_checkout_is_compiled_in() {
    let mut sources = Vec::new();
    for directory in ["xtask", "lessons"] {
        collect(&workspace::workspace_root().join(directory), &mut sources);
    }
    assert!(sources.len() > 200, "{}", sources.len());
    let may = [
        "xtask/checkout/src/workspace.rs",
        "xtask/tests/surroundings.rs",
    ]
    .map(|path| workspace::workspace_root().join(path));
    for path in sources.iter().filter(|path| !may.contains(path)) {
        let text = fs::read_to_string(path).unwrap();
        for name in [
            "CARGO_MANIFEST_DIR",
            "CARGO_BIN_EXE_xtask",
            "CARGO_TARGET_TMPDIR",
        ] {
            let compiled_in = format!("env!(\"{name}\")");
            assert!(
                !text.contains(&compiled_in),
                "{}: {compiled_in}",
                path.display()
            );
        }
    }
}

fn collect(directory: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push(path);
        }
    }
}
