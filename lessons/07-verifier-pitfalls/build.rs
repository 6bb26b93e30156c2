//! Builds the programs of all entries: `entries/*/*.bpf.c` with clang, `entries/*/*.rs`, which are
//! the binaries of `ebpf/`, with rustc and bpf-linker. Keeps the compilers' messages about those
//! that must not build. Writes a table of all of them, for `src/pitfall.rs`.

use std::collections::VecDeque;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;

const ENTRIES: &str = "entries";
const PACKAGE: &str = "verifier-pitfalls-ebpf";

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed={ENTRIES}");
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-env-changed=CLANG");
    let out_dir = lesson_build::find_out_dir()?;
    let entries = read_entries()?;
    lesson_build::build_rust_programs()?;
    for entry in &entries {
        if entry.must_not_build() && entry.directory.join("fail.rs").exists() {
            refuse_rust(&entry.name, &out_dir)?;
        }
    }
    build_c_programs(&entries, &out_dir)?;
    write_table(&entries, &out_dir)
}

struct SourceEntry {
    name: String,
    directory: PathBuf,
    text: EntryText,
}

/// What the lesson itself needs of `entry.toml`; the rest is for the gallery and the book.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct EntryText {
    title: String,
    rule: String,
    fails_at: Option<String>,
}

impl SourceEntry {
    fn must_not_build(&self) -> bool {
        self.text.fails_at.as_deref() == Some("build")
    }
}

fn read_entries() -> Result<Vec<SourceEntry>> {
    let mut entries = Vec::new();
    for directory in list_directory(Path::new(ENTRIES))? {
        let path = directory.join("entry.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = toml::from_str(&text)
            .with_context(|| format!("cannot understand {}", path.display()))?;
        let name = directory.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        entries.push(SourceEntry {
            name,
            directory,
            text,
        });
    }
    Ok(entries)
}

fn list_directory(directory: &Path) -> Result<Vec<PathBuf>> {
    let cannot_list = || format!("cannot list {}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).with_context(cannot_list)? {
        paths.push(entry.with_context(cannot_list)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Builds a program that must not build, as aya-build builds the others.
fn refuse_rust(name: &str, out_dir: &Path) -> Result<()> {
    let program = format!("{name}-fail");
    let output = cargo_for(&program, out_dir)?
        .output()
        .context("cannot start cargo")?;
    if output.status.success() {
        bail!("{program} builds, and its entry says that it must not");
    }
    let file = format!("{program}.rust.txt");
    fs::write(out_dir.join(&file), output.stderr).with_context(|| format!("cannot write {file}"))
}

fn cargo_for(program: &str, out_dir: &Path) -> Result<Command> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").context("cannot find the architecture")?;
    let flags = format!("--cfg=bpf_target_arch=\"{arch}\"\x1f-Cdebuginfo=2\x1f-Clink-arg=--btf");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--package", PACKAGE, "--bin", program])
        .args(["--features", "does-not-build", "--release", "--quiet"])
        .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core"])
        // With aya-build's directory and flags, all but the program itself is built already.
        .arg("--target-dir")
        .arg(out_dir.join("aya-build/target").join(PACKAGE))
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        // Readers see what it prints.
        .env("CARGO_TERM_COLOR", "never")
        // cargo sets them for the build scripts it runs, and the inner cargo would take another
        // compiler from them.
        .env_remove("RUSTC")
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    Ok(cargo)
}

/// A hundred small files: as many at a time as there are cores.
fn build_c_programs(entries: &[SourceEntry], out_dir: &Path) -> Result<()> {
    let mut sources = VecDeque::new();
    for entry in entries {
        for source in list_directory(&entry.directory)? {
            if source.to_string_lossy().ends_with(".bpf.c") {
                sources.push_back((entry, source));
            }
        }
    }
    let sources = Mutex::new(sources);
    let next_source = || match sources.lock() {
        Ok(mut sources) => Ok(sources.pop_front()),
        Err(_) => Err(anyhow!("a thread of the build script panicked")),
    };
    let work = || -> Result<()> {
        while let Some((entry, source)) = next_source()? {
            build_or_refuse_c(entry, &source, out_dir)?;
        }
        Ok(())
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let built = worker.join();
            built.map_err(|_| anyhow!("a thread of the build script panicked"))??;
        }
        Ok(())
    })
}

fn build_or_refuse_c(entry: &SourceEntry, source: &Path, out_dir: &Path) -> Result<()> {
    let file = source.file_name().unwrap_or_default().to_string_lossy();
    // `map-value-bounds-fail.bpf.o`, of `entries/map-value-bounds/fail.bpf.c`.
    let object = format!("{}-{}.o", entry.name, file.trim_end_matches(".c"));
    let built = lesson_build::clang_builder(source)
        .obj(out_dir.join(object))
        .build();
    if file != "fail.bpf.c" || !entry.must_not_build() {
        return built.with_context(|| format!("cannot build {}", source.display()));
    }
    let Err(refused) = built else {
        let source = source.display();
        bail!("{source} builds, and its entry says that it must not");
    };
    // The root cause is what clang printed; libbpf-cargo's own words are around it.
    let messages = format!("{}-fail.c.txt", entry.name);
    fs::write(out_dir.join(&messages), refused.root_cause().to_string())
        .with_context(|| format!("cannot write {messages}"))
}

fn write_table(entries: &[SourceEntry], out_dir: &Path) -> Result<()> {
    let mut table = String::from("&[\n");
    for entry in entries {
        let name = &entry.name;
        let EntryText { title, rule, .. } = &entry.text;
        let c = twins(entry, out_dir, ".bpf.o", ".c.txt");
        let rust = twins(entry, out_dir, "", ".rust.txt");
        write!(table, "    Pitfall {{ name: {name:?}, title: {title:?}, ")?;
        writeln!(table, "rule: {rule:?}, c: {c}, rust: {rust} }},")?;
    }
    table.push_str("]\n");
    fs::write(out_dir.join("entries.rs"), table).context("cannot write the table of entries")
}

/// Not every error can be made in both languages, and not every failing program has an object file.
fn twins(entry: &SourceEntry, out_dir: &Path, object: &str, messages: &str) -> String {
    const OBJECT: &str = "aya::include_bytes_aligned";
    let name = &entry.name;
    let (failing, refused) = if entry.must_not_build() {
        let refused = include(out_dir, format!("{name}-fail{messages}"), "include_str");
        ("None".to_owned(), refused)
    } else {
        let failing = include(out_dir, format!("{name}-fail{object}"), OBJECT);
        (failing, "None".to_owned())
    };
    let fixed = include(out_dir, format!("{name}-fixed{object}"), OBJECT);
    format!("TwinObjects {{ failing: {failing}, refused: {refused}, fixed: {fixed} }}")
}

fn include(out_dir: &Path, file: String, with: &str) -> String {
    if !out_dir.join(&file).exists() {
        return "None".to_owned();
    }
    // Not the path itself: the checkout may be copied, with what was built in it.
    format!("Some({with}!(concat!(env!(\"OUT_DIR\"), \"/{file}\")))")
}
