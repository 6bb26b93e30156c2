//! Builds the programs of all entries: `entries/*/*.bpf.c` with clang, `entries/*/*.rs`, which are
//! the binaries of `ebpf/`, with rustc and bpf-linker. Keeps the compilers' words about those that
//! must not build. Writes a table of all of them, for `src/entry.rs`.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use aya_build::{Package, Toolchain};
use libbpf_cargo::SkeletonBuilder;
use serde::Deserialize;

const ENTRIES: &str = "entries";
const PACKAGE: &str = "verifier-pitfalls-ebpf";

/// What the lesson itself needs of an entry; the rest is for the gallery and the book.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct About {
    title: String,
    rule: String,
    fails_at: Option<String>,
}

impl About {
    fn read(entry: &Path) -> Result<Self> {
        let path = entry.join("entry.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("understand {}", path.display()))
    }

    fn must_not_build(&self) -> bool {
        self.fails_at.as_deref() == Some("build")
    }
}

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed={ENTRIES}");
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-env-changed=CLANG");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("find OUT_DIR: not run by cargo")?);
    let mut entries: Vec<PathBuf> = fs::read_dir(ENTRIES)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    entries.sort();
    build_rust()?;
    refuse_rust(&entries, &out)?;
    build_c(&entries, &out)?;
    write_table(&entries, &out)
}

fn build_rust() -> Result<()> {
    // Inside rustup's cargo this names the toolchain that is running; aya-build would take
    // `nightly` otherwise.
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| "1.95.0".to_owned());
    let package = Package {
        name: PACKAGE,
        root_dir: "ebpf",
        ..Default::default()
    };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
}

/// Builds the programs that must not build, one by one, as aya-build builds the others.
fn refuse_rust(entries: &[PathBuf], out: &Path) -> Result<()> {
    for entry in entries {
        if About::read(entry)?.must_not_build() && entry.join("fail.rs").exists() {
            let program = format!("{}-fail", name_of_entry(entry)?);
            let output = cargo_for(&program, out).output().context("start cargo")?;
            ensure!(
                !output.status.success(),
                "{program} builds, and its entry says that it must not"
            );
            fs::write(out.join(format!("{program}.rust.txt")), output.stderr)?;
        }
    }
    Ok(())
}

fn cargo_for(program: &str, out: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "build",
            "--package",
            PACKAGE,
            "--features",
            "does-not-build",
            "--bin",
            program,
            "--release",
        ])
        .args([
            "--target",
            "bpfel-unknown-none",
            "-Z",
            "build-std=core",
            "--quiet",
        ])
        // With aya-build's folder and flags, everything but the program itself is there already.
        .arg("--target-dir")
        .arg(out.join("aya-build/target").join(PACKAGE))
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            "--cfg=bpf_target_arch=\"x86_64\"\x1f-Cdebuginfo=2\x1f-Clink-arg=--btf",
        )
        // What it says is shown to readers.
        .env("CARGO_TERM_COLOR", "never")
        // cargo sets them for the build scripts it runs, and the inner cargo would take another
        // compiler from them.
        .env_remove("RUSTC")
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    cargo
}

/// A hundred small files: as many at a time as there are cores.
fn build_c(entries: &[PathBuf], out: &Path) -> Result<()> {
    let sources = Mutex::new(Vec::new());
    for entry in entries {
        let files = fs::read_dir(entry)?
            .map(|file| Ok(file?.path()))
            .collect::<Result<Vec<_>>>()?;
        let c = files
            .into_iter()
            .filter(|file| file.to_string_lossy().ends_with(".bpf.c"));
        sources
            .lock()
            .map_err(|_| anyhow!("a compiler thread panicked"))?
            .extend(c);
    }
    let work = || -> Result<()> {
        while let Some(source) = sources
            .lock()
            .map_err(|_| anyhow!("a compiler thread panicked"))?
            .pop()
        {
            build_or_refuse(&source, out)?;
        }
        Ok(())
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| anyhow!("a compiler thread panicked"))?
        })
    })
}

fn build_or_refuse(source: &Path, out: &Path) -> Result<()> {
    let entry = source.parent().context("an entry is a folder")?;
    let built = compile(source, &out.join(name_of(source)?));
    if !source.ends_with("fail.bpf.c") || !About::read(entry)?.must_not_build() {
        return built;
    }
    let Err(refused) = built else {
        return Err(anyhow!(
            "{} builds, and its entry says that it must not",
            source.display()
        ));
    };
    // What clang printed lies at the bottom: libbpf-cargo's own words are around it.
    let name = format!("{}-fail.c.txt", name_of_entry(entry)?);
    fs::write(out.join(&name), refused.root_cause().to_string())
        .with_context(|| format!("write {name}"))
}

fn compile(source: &Path, object: &Path) -> Result<()> {
    SkeletonBuilder::new()
        .source(source)
        .clang(env::var_os("CLANG").unwrap_or_else(|| "clang".into()))
        // Instructions that Linux 5.10 knows: clang 20 and newer take v3 without being told.
        .clang_args(["-mcpu=v2", "-Wall", "-Werror", "-Ibpf"])
        .obj(object)
        .build()
        .with_context(|| format!("build {}", source.display()))
}

/// `map-value-bounds-fail.bpf.o`, of `entries/map-value-bounds/fail.bpf.c`.
fn name_of(source: &Path) -> Result<String> {
    let entry = name_of_entry(source.parent().context("an entry is a folder")?)?;
    let file = source
        .file_name()
        .context("a source is a file")?
        .to_string_lossy();
    Ok(format!("{entry}-{}.o", file.trim_end_matches(".c")))
}

fn name_of_entry(entry: &Path) -> Result<String> {
    Ok(entry
        .file_name()
        .context("an entry is a folder")?
        .to_string_lossy()
        .into_owned())
}

fn write_table(entries: &[PathBuf], out: &Path) -> Result<()> {
    let mut table = String::from("&[\n");
    for entry in entries {
        let name = name_of_entry(entry)?;
        let about = About::read(entry)?;
        let c = twins(out, &name, &about, ".bpf.o", ".c.txt");
        let rust = twins(out, &name, &about, "", ".rust.txt");
        let About { title, rule, .. } = about;
        writeln!(
            table,
            "    Entry {{ name: {name:?}, title: {title:?}, rule: {rule:?}, c: {c}, rust: {rust} }},"
        )?;
    }
    table.push_str("]\n");
    fs::write(out.join("entries.rs"), table).context("write the table of entries")
}

/// Not every error can be made in both languages, and not every failing program has an object file.
fn twins(out: &Path, name: &str, about: &About, object: &str, words: &str) -> String {
    let include = |wanted: bool, file: String, with: &str| {
        // A file of an earlier build may be there still.
        if !wanted || !out.join(&file).exists() {
            return "None".to_owned();
        }
        // Not the path itself: the checkout may be copied, with what was built in it.
        format!("Some({with}!(concat!(env!(\"OUT_DIR\"), \"/{file}\")))")
    };
    let refused = about.must_not_build();
    format!(
        "Twins {{ failing: {}, refused: {}, fixed: {} }}",
        include(
            !refused,
            format!("{name}-fail{object}"),
            "aya::include_bytes_aligned"
        ),
        include(refused, format!("{name}-fail{words}"), "include_str"),
        include(
            true,
            format!("{name}-fixed{object}"),
            "aya::include_bytes_aligned"
        ),
    )
}
