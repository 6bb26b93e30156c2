//! Builds the programs of all entries: `entries/*/*.bpf.c` with clang, `entries/*/*.rs`, which are the binaries of
//! `ebpf/`, with rustc and bpf-linker. Writes a table of them, for `src/entry.rs`.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use aya_build::{Package, Toolchain};
use libbpf_cargo::SkeletonBuilder;
use serde::Deserialize;

const ENTRIES: &str = "entries";

/// What the lesson itself shows of an entry; the rest is for the gallery and the book.
#[derive(Deserialize)]
struct About {
    title: String,
    rule: String,
}

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed={ENTRIES}");
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-env-changed=CLANG");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("find OUT_DIR: not run by cargo")?);
    let mut entries: Vec<PathBuf> =
        fs::read_dir(ENTRIES)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    entries.sort();
    build_rust()?;
    build_c(&entries, &out)?;
    write_table(&entries, &out)
}

fn build_rust() -> Result<()> {
    // Inside rustup's cargo this names the toolchain that is running; aya-build would take `nightly` otherwise.
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| "1.95.0".to_owned());
    let package = Package {
        name: "verifier-pitfalls-ebpf",
        root_dir: concat!(env!("CARGO_MANIFEST_DIR"), "/ebpf"),
        ..Default::default()
    };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
}

/// A hundred small files: as many at a time as there are cores.
fn build_c(entries: &[PathBuf], out: &Path) -> Result<()> {
    let sources = Mutex::new(Vec::new());
    for entry in entries {
        let files = fs::read_dir(entry)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
        let c = files.into_iter().filter(|file| file.to_string_lossy().ends_with(".bpf.c"));
        sources.lock().map_err(|_| anyhow!("a compiler thread panicked"))?.extend(c);
    }
    let work = || -> Result<()> {
        while let Some(source) = sources.lock().map_err(|_| anyhow!("a compiler thread panicked"))?.pop() {
            compile(&source, &out.join(name_of(&source)?))?;
        }
        Ok(())
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| anyhow!("a compiler thread panicked"))?)
    })
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
    let entry = source.parent().and_then(Path::file_name).context("an entry is a folder")?;
    let file = source.file_name().context("a source is a file")?.to_string_lossy();
    Ok(format!("{}-{}.o", entry.to_string_lossy(), file.trim_end_matches(".c")))
}

fn write_table(entries: &[PathBuf], out: &Path) -> Result<()> {
    let mut table = String::from("&[\n");
    for entry in entries {
        let name = entry.file_name().context("an entry is a folder")?.to_string_lossy();
        let text = fs::read_to_string(entry.join("entry.toml"))
            .with_context(|| format!("read {name}'s entry.toml"))?;
        let About { title, rule } =
            toml::from_str(&text).with_context(|| format!("understand {name}'s entry.toml"))?;
        let c = twins(out, &format!("{name}-fail.bpf.o"), &format!("{name}-fixed.bpf.o"));
        let rust = twins(out, &format!("{name}-fail"), &format!("{name}-fixed"));
        writeln!(
            table,
            "    Entry {{ name: {name:?}, title: {title:?}, rule: {rule:?}, c: {c}, rust: {rust} }},"
        )?;
    }
    table.push_str("]\n");
    fs::write(out.join("entries.rs"), table).context("write the table of entries")
}

/// Not every error can be made in both languages.
fn twins(out: &Path, failing: &str, fixed: &str) -> String {
    let include = |name: &str| {
        let path = out.join(name);
        let text = format!("Some(aya::include_bytes_aligned!({path:?}))");
        if path.exists() { text } else { "None".to_owned() }
    };
    format!("Twins {{ failing: {}, fixed: {} }}", include(failing), include(fixed))
}
