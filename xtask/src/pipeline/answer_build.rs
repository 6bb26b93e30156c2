//! Builds the programs of an exercise.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use checkout::{environment, workspace};
use course::Implementation;
use course::catalog::StepPlace;
use course::exercises::{Exercise, Variant, WrittenPart};
use kernel::Architecture;
use problem::Problem;
use processes::{Foreground, Interrupted};
use requirements::clang;

use crate::pipeline::machine_fault::find_machine_fault;
use crate::pipeline::source_record::SourceRecord;
use crate::pipeline::{build, build_times, cross_build};

/// What eBPF programs in Rust are compiled for.
const TARGET: &str = "bpfel-unknown-none";

/// A program, or what the compiler said when there was none.
pub type Built = Result<BuiltProgram, String>;

#[derive(Clone, Debug)]
pub struct BuiltProgram {
    pub file: PathBuf,
    /// The eBPF program that it loads, if it is a user-space program.
    pub object: Option<PathBuf>,
    /// What the compiler said all the same; mostly nothing.
    pub warnings: String,
}

impl BuiltProgram {
    fn single(file: PathBuf, warnings: String) -> Self {
        Self {
            file,
            object: None,
            warnings,
        }
    }
}

/// Builds what the judge is given, for kernels of this architecture.
pub fn build_answer(
    exercise: &Exercise,
    implementation: Implementation,
    variant: Variant,
    architecture: Architecture,
) -> Result<Built> {
    let sources = exercise.source_paths(variant, implementation);
    for (index, source) in sources.iter().enumerate() {
        if !source.is_file() {
            return Err(missing_file(exercise, implementation, index, source).into());
        }
    }
    let program = build_program(exercise, implementation, variant, architecture)?;
    match program {
        Ok(program) if exercise.has_user_program() => {
            build_user_program(exercise, implementation, variant, architecture, program)
        }
        program => Ok(program),
    }
}

/// To reset an answer of several files would take the others back to the starter as well.
fn missing_file(
    exercise: &Exercise,
    implementation: Implementation,
    index: usize,
    source: &Path,
) -> Problem {
    let problem = Problem::usage(format!("{} is gone", course_path(source)));
    let starters = exercise.source_paths(Variant::Starter, implementation);
    let (problem, all) = if let [_, _, ..] = starters[..] {
        let (from, to) = (course_path(&starters[index]), course_path(source));
        let problem = problem.help(format!("cp {from} {to}    (this file alone)"));
        (problem, "all files back to the starter")
    } else {
        (problem, "brings the starter back")
    };
    problem.help(format!("cargo xtask reset {}    ({all})", exercise.name))
}

/// The eBPF program, or the one that runs here.
pub fn build_program(
    exercise: &Exercise,
    implementation: Implementation,
    variant: Variant,
    architecture: Architecture,
) -> Result<Built> {
    let source = exercise.program_path(variant, implementation);
    let file = find_program(exercise, implementation, variant, architecture);
    match (exercise.about.place, implementation) {
        (StepPlace::Kernel, Implementation::Aya) => {
            rust_for_the_kernel(exercise, variant, architecture)
        }
        (StepPlace::Here, Implementation::Aya) => rust_for_this_machine(exercise, variant),
        (StepPlace::Kernel, Implementation::Libbpf) => {
            let mut clang = clang_for_kernel(exercise, architecture)?;
            c(clang.arg("-c"), &source, &file, variant)
        }
        (StepPlace::Here, Implementation::Libbpf) => {
            let mut cc = Command::new("cc");
            let cc = cc.args(["-O1", "-g", "-Wall", "-Wextra"]);
            c(cc, &source, &file, variant)
        }
    }
}

/// The program that loads this eBPF program. It is built upon what the lessons are built upon.
fn build_user_program(
    exercise: &Exercise,
    implementation: Implementation,
    variant: Variant,
    architecture: Architecture,
    program: BuiltProgram,
) -> Result<Built> {
    let binary = user_program_binary(exercise, implementation, variant);
    let cargo = cargo_for_user(&binary, architecture);
    let file = build::built_program_for(&binary, architecture);
    let answer = AnswerCrate {
        source: exercise.user_program_path(variant, implementation),
        package: exercise.answer_package(implementation),
        programs: file.with_file_name(""),
        records: records(architecture),
        binary,
    };
    Ok(answer.build_by(cargo)?.map(|said| BuiltProgram {
        file,
        object: Some(program.file),
        warnings: [program.warnings, said].join("\n").trim().to_owned(),
    }))
}

/// Cargo, to build a user-space program.
pub fn cargo_for_user(binary: &str, architecture: Architecture) -> Command {
    let mut cargo = build::build_quietly(binary);
    cross_build::set_target(&mut cargo, architecture);
    cargo
}

/// The compiler of answers in C, without a file to compile.
pub fn clang_for_kernel(exercise: &Exercise, architecture: Architecture) -> Result<Command> {
    let mut clang = Command::new(clang::clang_program());
    clang
        .args(["-target", "bpf", "-O2", "-g", "-mcpu=v2", "-Wall"])
        .arg(format!("-D__TARGET_ARCH_{}", architecture.libbpf_name()));
    // The lesson's exercises share a vmlinux.h.
    clang
        .arg("-I")
        .arg(exercise.directory.with_file_name(""))
        .arg("-I")
        .arg(copy_headers()?);
    Ok(clang)
}

/// Where a build puts the eBPF program, or the one that runs here.
pub fn find_program(
    exercise: &Exercise,
    implementation: Implementation,
    variant: Variant,
    architecture: Architecture,
) -> PathBuf {
    let directory = directory(architecture);
    let directory = match (exercise.about.place, implementation) {
        (_, Implementation::Libbpf) => directory.join("c"),
        (StepPlace::Kernel, Implementation::Aya) => directory.join(TARGET).join("release"),
        (StepPlace::Here, Implementation::Aya) => environment::output_directory(&directory),
    };
    directory.join(program_binary(exercise, variant))
}

/// As people name a file of the course.
pub fn course_path(path: &Path) -> String {
    path.strip_prefix(workspace::workspace_root())
        .unwrap_or(path)
        .display()
        .to_string()
}

fn directory(architecture: Architecture) -> PathBuf {
    let name = match architecture {
        Architecture::HOST => "exercises".to_owned(),
        other => format!("exercises-{other}"),
    };
    workspace::target_directory().join(name)
}

/// Where [`SourceRecord`]s are.
fn records(architecture: Architecture) -> PathBuf {
    directory(architecture).join("sources")
}

/// The name of the binary that is the eBPF program, or runs here. One that is given has no
/// variants.
pub fn program_binary(exercise: &Exercise, variant: Variant) -> String {
    let package = exercise
        .ebpf_package()
        .unwrap_or_else(|| exercise.base_name());
    if exercise.about.writes == WrittenPart::UserProgram {
        return package;
    }
    variant_name(package, variant)
}

/// The name of the binary in the answer's crate that is the user-space program.
pub fn user_program_binary(
    exercise: &Exercise,
    implementation: Implementation,
    variant: Variant,
) -> String {
    variant_name(exercise.answer_package(implementation), variant)
}

fn variant_name(package: String, variant: Variant) -> String {
    match variant {
        Variant::Answer => package,
        Variant::Starter => format!("{package}-starter"),
        Variant::Solution => format!("{package}-solution"),
    }
}

/// As aya-build builds the lessons' programs, with all debug information of `core` and
/// `compiler_builtins`. It costs 0.2 s where a program is linked with the two, but BTF is made from
/// it: with none, functions such as `memcmp` have no entry there, and Linux 6.12 rejects a right
/// answer for that; with lines only, their entries name types that do not exist.
fn rust_for_the_kernel(
    exercise: &Exercise,
    variant: Variant,
    architecture: Architecture,
) -> Result<Built> {
    let binary = program_binary(exercise, variant);
    let package = exercise.ebpf_package();
    let package = package.context("no eBPF program in Rust")?;
    let cargo = cargo_for_kernel(&package, &binary, architecture);
    let kernel = Path::new(TARGET).join("release");
    let programs = directory(architecture).join(&kernel);
    build::announce_first_build(
        &programs,
        "Rust's `core` for eBPF and your answer",
        "about 25 s",
    );
    let file = programs.join(&binary);
    let answer = AnswerCrate {
        source: exercise.program_path(variant, Implementation::Aya),
        package,
        programs: build::ebpf_directory().join(kernel),
        records: records(architecture),
        binary,
    };
    let built = answer.build_by(cargo)?;
    Ok(built.map(|warnings| BuiltProgram::single(file, warnings)))
}

/// Cargo, to build an eBPF program in Rust.
pub fn cargo_for_kernel(package: &str, binary: &str, architecture: Architecture) -> Command {
    let mut cargo = cargo_build(package, binary, architecture);
    cargo.args(["--release", "--target", TARGET, "-Z", "build-std=core"]);
    build::set_ebpf_environment(&mut cargo, architecture);
    cargo
}

fn rust_for_this_machine(exercise: &Exercise, variant: Variant) -> Result<Built> {
    let binary = program_binary(exercise, variant);
    let package = exercise.base_name();
    let mut cargo = cargo_build(&package, &binary, Architecture::HOST);
    let directory = directory(Architecture::HOST);
    cargo.env("CARGO_BUILD_BUILD_DIR", &directory);
    let programs = environment::output_directory(&directory);
    let file = programs.join(&binary);
    let answer = AnswerCrate {
        source: exercise.program_path(variant, Implementation::Aya),
        package,
        programs,
        records: records(Architecture::HOST),
        binary,
    };
    let built = answer.build_by(cargo)?;
    Ok(built.map(|warnings| BuiltProgram::single(file, warnings)))
}

/// What cargo builds of an answer in Rust.
struct AnswerCrate {
    source: PathBuf,
    package: String,
    /// The directory of cargo's in which it becomes a program.
    programs: PathBuf,
    records: PathBuf,
    binary: String,
}

impl AnswerCrate {
    /// The program is that of the source as it is, even if the source's time is an older one.
    fn build_by(&self, cargo: Command) -> Result<Result<String, String>> {
        let record = self.records.join(&self.binary);
        let record = SourceRecord::of_source(&self.source, record);
        if !record.is_built() {
            build_times::distrust_package(&self.programs, &self.package)?;
        }
        let said = said_by(cargo)?;
        if said.is_ok() {
            record.write()?;
        }
        Ok(said)
    }
}

fn cargo_build(package: &str, binary: &str, architecture: Architecture) -> Command {
    let mut cargo = build::inner_cargo();
    cargo
        .args(["build", "--quiet", "--bin", binary])
        .args(["--package", package])
        .arg("--target-dir")
        .arg(directory(architecture));
    cargo
}

fn c(compiler: &mut Command, source: &Path, file: &Path, variant: Variant) -> Result<Built> {
    let directory = file.with_file_name("");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    // Two checks at once must not see half of a file.
    let work = file.with_added_extension(std::process::id().to_string());
    let source = source
        .strip_prefix(workspace::workspace_root())
        .unwrap_or(source);
    let mut command = Command::new(compiler.get_program());
    if variant == Variant::Solution {
        // What the course shows has no warnings.
        command.arg("-Werror");
    }
    command
        .args(compiler.get_args())
        .arg(source)
        .arg("-o")
        .arg(&work)
        .current_dir(workspace::workspace_root());
    let built = said_by(command)?;
    if built.is_ok() {
        fs::rename(&work, file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(built.map(|warnings| BuiltProgram::single(file.to_owned(), warnings)))
}

/// What a compiler said: warnings if it succeeded, errors if not.
fn said_by(mut command: Command) -> Result<Result<String, String>> {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut compiler = Foreground::start_command(command)?;
    let mut said = Vec::new();
    if let Some(mut stderr) = compiler.child.stderr.take() {
        stderr
            .read_to_end(&mut said)
            .context("cannot read the compiler's output")?;
    }
    let said = String::from_utf8_lossy(&said).trim_end().to_owned();
    match compiler.wait_for_exit()? {
        (_, Some(signal)) => Err(Interrupted(signal).into()),
        (status, None) if status.success() => Ok(Ok(said)),
        (status, None) => match find_machine_fault(status, &said) {
            Some(problem) => Err(problem.into()),
            None => Ok(Err(said)),
        },
    }
}

/// The directory with libbpf's headers, which come with the crate libbpf-sys. They are copied, so
/// that an editor finds them under a path that is the same in every checkout.
pub fn copy_headers() -> Result<PathBuf> {
    let directory = workspace::own_cache().join("include");
    let complete = directory.join("bpf/.complete");
    // Says which version of libbpf-sys it came with.
    let version = libbpf_version()?;
    if fs::read_to_string(&complete).ok().as_ref() != Some(&version) {
        let from = libbpf_sources()?;
        let to = directory.join("bpf");
        fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
        for file in [
            "bpf_core_read.h",
            "bpf_endian.h",
            "bpf_helper_defs.h",
            "bpf_helpers.h",
            "bpf_tracing.h",
        ] {
            fs::copy(from.join(file), to.join(file))
                .with_context(|| format!("cannot copy {file}"))?;
        }
        fs::write(&complete, &version)
            .with_context(|| format!("cannot write {}", complete.display()))?;
    }
    Ok(directory)
}

fn libbpf_version() -> Result<String> {
    let lock = fs::read_to_string(workspace::workspace_root().join("Cargo.lock"))
        .context("cannot read Cargo.lock")?;
    // To parse all of it would take longer than the rest of a check.
    let (_, rest) = lock
        .split_once("\nname = \"libbpf-sys\"\nversion = \"")
        .context("Cargo.lock has no libbpf-sys")?;
    Ok(rest
        .chars()
        .take_while(|&character| character != '"')
        .collect())
}

fn libbpf_sources() -> Result<PathBuf> {
    let mut cargo = build::inner_cargo();
    cargo
        .args(["metadata", "--format-version=1", "--quiet"])
        .stderr(Stdio::inherit());
    let output = cargo.output().context("cannot start cargo")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cannot parse cargo's metadata")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata names no packages")?;
    let libbpf = packages
        .iter()
        .find(|package| package["name"] == "libbpf-sys");
    let manifest = libbpf
        .and_then(|package| package["manifest_path"].as_str())
        .context("cannot find libbpf-sys")?;
    Ok(Path::new(manifest).with_file_name("libbpf").join("src"))
}
