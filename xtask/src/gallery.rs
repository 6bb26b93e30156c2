//! `gallery`: programs that the verifier rejects, each beside a twin that it accepts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use plan::load::{Load, LoadResult};

use crate::entry::{self, Entry, Language, Stage, Twin};
use crate::loader::{self, Batch, Library};
use crate::vm::{Failure, Guest};
use crate::{build, workspace};

/// Under emulation the slowest entries, those that make the verifier follow a million instructions, take half a minute
/// each.
const SECONDS: u64 = 300;

/// The object files of all entries, by name.
pub fn objects() -> Result<BTreeMap<String, Vec<u8>>> {
    let program = build::lesson(&entry::lesson()?)?;
    let folder = workspace::own_cache().join(format!("gallery-{}", std::process::id()));
    let objects = written_by(&program, &folder);
    // Also after a failure; if it stays, the next run of the same number makes it anew.
    let _ = fs::remove_dir_all(&folder);
    objects
}

/// The lesson's own program knows where the build put them.
fn written_by(program: &Path, folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let status = Command::new(program).arg("--objects").arg(folder).status();
    let status = status.with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(status.success(), "{} did not write its object files", program.display());
    let files = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    files
        .map(|file| {
            let file = file?;
            Ok((file.file_name().to_string_lossy().into_owned(), fs::read(file.path())?))
        })
        .collect()
}

/// What a compiler or linker said of a program that does not build.
#[derive(Debug)]
pub struct Refused<'a> {
    pub entry: &'a Entry,
    pub language: Language,
    pub said: &'a str,
}

/// The failing programs that do not build: what was said of them lies among the objects.
pub fn refused<'a>(entries: &'a [Entry], objects: &'a BTreeMap<String, Vec<u8>>) -> Result<Vec<Refused<'a>>> {
    let mut refused = Vec::new();
    for entry in entries.iter().filter(|entry| entry.about.fails_at == Stage::Build) {
        for language in Language::ALL.into_iter().filter(|language| entry.none_in(*language).is_none()) {
            let name = entry.words(language);
            let said = objects.get(&name).with_context(|| format!("the build kept no {name}"))?;
            let said = str::from_utf8(said).with_context(|| format!("{name} is not text"))?;
            refused.push(Refused { entry, language, said });
        }
    }
    Ok(refused)
}

/// What became of one program of one entry.
#[derive(Debug)]
pub struct Shown<'a> {
    pub entry: &'a Entry,
    pub twin: Twin,
    pub language: Language,
    pub load: Load,
}

/// Loads all programs of these entries that a kernel can be asked about.
pub fn load_all<'a>(guest: &mut Guest, entries: &'a [&'a Entry]) -> Result<Vec<Shown<'a>>, Failure> {
    let mut wanted = BTreeMap::new();
    for entry in entries {
        for language in Language::ALL.into_iter().filter(|language| entry.none_in(*language).is_none()) {
            for twin in Twin::ALL {
                if twin == Twin::Fixed || entry.about.fails_at != Stage::Build {
                    wanted.insert(entry.object(twin, language), (*entry, twin, language));
                }
            }
        }
    }
    let batches =
        [(Language::C, false), (Language::C, true), (Language::Rust, false), (Language::Rust, true)];
    let batches: Vec<Batch> = batches
        .into_iter()
        .map(|(language, without_perfmon)| Batch {
            library: if language == Language::C { Library::Libbpf } else { Library::Aya },
            without_perfmon,
            seconds: SECONDS,
            objects: wanted
                .iter()
                .filter(|(_, (entry, _, other))| {
                    *other == language && entry.about.without_perfmon == without_perfmon
                })
                .map(|(name, _)| name.clone())
                .collect(),
        })
        .filter(|batch| !batch.objects.is_empty())
        .collect();
    let mut shown = Vec::new();
    for (answer, batch) in loader::run(guest, &batches)?.into_iter().zip(&batches) {
        for load in answer.loads {
            if let Some((entry, twin, language)) = wanted.remove(&load.object) {
                shown.push(Shown { entry, twin, language, load });
            }
        }
        // Whatever the loader did not come to.
        for name in &batch.objects {
            if let Some((entry, twin, language)) = wanted.remove(name) {
                let why = format!("the loader ended before it: {:?} {}", answer.step.outcome, answer.said);
                let (program, section) = (String::new(), String::new());
                let load =
                    Load { object: name.clone(), program, section, result: LoadResult::Failed { why } };
                shown.push(Shown { entry, twin, language, load });
            }
        }
    }
    shown.sort_by_key(|shown| {
        (shown.entry.about.rank.unwrap_or(u32::MAX), &shown.entry.name, shown.language, shown.twin)
    });
    Ok(shown)
}
