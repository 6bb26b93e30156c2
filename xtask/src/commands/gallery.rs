//! `gallery`: programs that the verifier rejects, each beside a twin that it accepts.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use checkout::workspace;
use course::entry::{self, Entry, EntryAbout, FailureStage, Language, Twin};
use kernel::{Architecture, Kernel, MATRIX};
use plan::load::{EbpfLibrary, Load, LoadResult};
use problem::Exit;
use testvm::{Failure, Guest, Programs};

use crate::commands::verify;
use crate::output::screen::{self, Mark};
use crate::pipeline::loader::{self, Batch, LoaderOptions};
use crate::pipeline::selection::Selection;
use crate::pipeline::{build, demo, needs, parallel};

/// What to show, and where it is loaded.
pub struct GalleryOptions {
    /// `None`: all of them are listed.
    pub entry: Option<String>,
    pub kernels: Selection,
    /// What the VMs are, and what the programs are compiled for.
    pub architectures: Vec<Architecture>,
    pub languages: Vec<Language>,
    /// The verifier's whole log.
    pub log: bool,
}

pub fn show_gallery(options: &GalleryOptions) -> Result<Exit> {
    let entries = entry::read_entries()?;
    let Some(name) = &options.entry else {
        return list(&entries);
    };
    let entry = entry::find_entry(&entries, name)?;
    let kernels = needs::ensure_kernels(&options.kernels, &options.architectures)?;
    let mut programs = BTreeMap::new();
    for &architecture in &options.architectures {
        programs.insert(architecture, pack_entry(entry, architecture)?);
    }
    let load = |_, kernel: &Kernel| on(kernel, &programs[&kernel.architecture], entry);
    let found = parallel::run_on_each(&kernels, None, load)?;
    screen::write_answer(about(entry).as_bytes())?;
    let mut surprises = Vec::new();
    for (kernel, shown) in kernels.iter().zip(&found) {
        let wanted: Vec<&Shown> = shown
            .iter()
            .filter(|shown| options.languages.contains(&shown.language))
            .collect();
        screen::write_text(&on_kernel(kernel, &wanted, options.log))?;
        // Of other kernels nobody has said what they should do.
        if MATRIX.contains(&kernel.name.as_str()) {
            let (name, architecture) = (&kernel.name, kernel.architecture);
            let found = wanted.iter();
            surprises.extend(found.filter_map(|shown| shown.find_surprise(name, architecture)));
        }
    }
    surprises
        .iter()
        .for_each(|surprise| screen::show_marked(Mark::Bad, surprise));
    Ok(if surprises.is_empty() {
        Exit::Done
    } else {
        Exit::NotYet
    })
}

fn list(entries: &[Entry]) -> Result<Exit> {
    let width = entries
        .iter()
        .map(|entry| entry.name.len())
        .max()
        .unwrap_or(0);
    let text: String = entries
        .iter()
        .map(|entry| format!("{:<width$}  {}\n", entry.name, entry.about.title))
        .collect();
    screen::write_answer(text.as_bytes())?;
    if let Some(entry) = entries.first() {
        screen::show_note(&format!("next: cargo xtask gallery {}", entry.name));
    }
    Ok(Exit::Done)
}

/// The loader and the entry's object files, for guests of this architecture.
fn pack_entry(entry: &Entry, architecture: Architecture) -> Result<Programs> {
    let objects = build_objects_of(std::slice::from_ref(entry), architecture)?;
    loader::pack_objects(&objects, architecture)
}

fn on<'a>(kernel: &Kernel, programs: &Programs, entry: &'a Entry) -> Result<Vec<Shown<'a>>> {
    let mut started = testvm::start_guest(&demo::describe_machine(kernel)?, programs)
        .map_err(Failure::into_error)?;
    load_all(&mut started.guest, &[entry]).map_err(Failure::into_error)
}

fn about(entry: &Entry) -> String {
    let EntryAbout {
        title,
        knew,
        missing,
        rule,
        c,
        rust,
        note,
        ..
    } = &entry.about;
    let parts = [
        ("knew", knew),
        ("missing", missing),
        ("rule", rule),
        ("in C", c),
        ("in Rust", rust),
    ];
    let mut text = format!("{}: {title}\n", entry.name);
    let directory = entry
        .directory
        .strip_prefix(workspace::workspace_root())
        .unwrap_or(&entry.directory);
    text += &paragraph("in", &directory.display().to_string());
    for (name, part) in parts
        .into_iter()
        .chain(note.as_ref().map(|note| ("note", note)))
    {
        text += &paragraph(name, part);
    }
    for language in Language::ALL {
        if let Some(why) = entry.none_in(language) {
            text += &paragraph(&format!("no {}", language.name()), why);
        }
    }
    text
}

/// A text beside its name, in lines that fit a terminal.
fn paragraph(name: &str, text: &str) -> String {
    let options = textwrap::Options::new(100)
        .initial_indent("")
        .subsequent_indent("            ");
    format!("  {name:<9} {}\n", textwrap::fill(text, options))
}

fn on_kernel(kernel: &Kernel, shown: &[&Shown], with_log: bool) -> String {
    let mut text = format!("\nLinux {}\n", kernel.release);
    for shown in shown {
        let Shown {
            twin,
            language,
            load,
            ..
        } = shown;
        let (mark, what) = match &load.result {
            LoadResult::Accepted(_) => (Mark::Good, "accepted".to_owned()),
            LoadResult::Rejected { error, log } => (
                Mark::Bad,
                format!("rejected  {}", verify::find_reason(error, log).0),
            ),
            LoadResult::Failed { why, .. } => (Mark::Bad, format!("failed    {why}")),
        };
        text += &format!(
            "  {} {:<5} {:<6} {what}\n",
            mark.symbol(),
            language.name(),
            twin.name()
        );
        if let (LoadResult::Rejected { log, .. }, true) = (&load.result, with_log) {
            log.lines()
                .for_each(|line| text += &format!("      | {line}\n"));
        } else if let LoadResult::Rejected { log, .. } = &load.result {
            report(log)
                .for_each(|line| text += &(format!("      | {line}").trim_end().to_owned() + "\n"));
        }
        if let Some(why) = shown.why_expected(kernel) {
            text += &format!("      as expected: {why}\n");
        }
    }
    text
}

/// What Linux has to say since 7.3, below the line that older kernels stop at.
fn report(log: &str) -> impl Iterator<Item = &str> {
    let lines = log
        .lines()
        .skip_while(|line| !line.starts_with("Verification failed:"));
    lines.take_while(|line| {
        !["verification time ", "processed "]
            .iter()
            .any(|end| line.starts_with(end))
    })
}

/// Under emulation the slowest entries, those that make the verifier follow a million instructions,
/// take half a minute each.
const SECONDS: u64 = 300;

/// The object files of all entries for kernels of this architecture, and what compilers said of the
/// programs that do not build; by name.
pub fn build_objects(architecture: Architecture) -> Result<BTreeMap<String, Vec<u8>>> {
    build_objects_of(&entry::read_entries()?, architecture)
}

/// The same of these entries alone.
fn build_objects_of(
    entries: &[Entry],
    architecture: Architecture,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let directory = build::build_ebpf_of_lesson(&entry::find_gallery_lesson()?, architecture)?;
    let mut objects = BTreeMap::new();
    for entry in entries {
        for (built, name) in entry.list_built_files() {
            let path = directory.join(built);
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            objects.insert(name, bytes);
        }
    }
    Ok(objects)
}

/// What a compiler or linker said of a program that does not build.
#[derive(Debug)]
pub struct UnbuiltProgram<'a> {
    pub entry: &'a Entry,
    pub language: Language,
    pub said: &'a str,
}

/// The failing programs that do not build: what the compiler said is among the objects.
pub fn list_refused<'a>(
    entries: &'a [Entry],
    objects: &'a BTreeMap<String, Vec<u8>>,
) -> Result<Vec<UnbuiltProgram<'a>>> {
    let mut refused = Vec::new();
    for entry in entries
        .iter()
        .filter(|entry| entry.about.fails_at == FailureStage::Build)
    {
        for language in Language::ALL
            .into_iter()
            .filter(|language| entry.none_in(*language).is_none())
        {
            let name = entry.messages_name(language);
            let said = objects
                .get(&name)
                .with_context(|| format!("the build kept no {name}"))?;
            let said = str::from_utf8(said).with_context(|| format!("{name} is not text"))?;
            refused.push(UnbuiltProgram {
                entry,
                language,
                said,
            });
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

impl Shown<'_> {
    /// Why the twin was rejected, or the failing program accepted, if its entry says so.
    fn why_expected(&self, kernel: &Kernel) -> Option<&str> {
        let (name, architecture) = (&kernel.name, kernel.architecture);
        let should = self
            .entry
            .should_load(self.twin, self.language, name, architecture);
        match (&self.load.result, should) {
            (LoadResult::Accepted(_), (true, why)) => why,
            (LoadResult::Rejected { .. } | LoadResult::Failed { .. }, (false, why)) => why,
            _ => None,
        }
    }

    /// Where the program did not do what its entry says.
    pub fn find_surprise(&self, kernel: &str, architecture: Architecture) -> Option<String> {
        let Self {
            entry,
            twin,
            language,
            load,
        } = self;
        let (should, why) = entry.should_load(*twin, *language, kernel, architecture);
        let what = format!(
            "{} on {}: the {} program in {}",
            entry.name,
            architecture.label(kernel),
            twin.name(),
            language.name()
        );
        match &load.result {
            LoadResult::Accepted(_) if should => None,
            LoadResult::Accepted(_) => Some(format!("{what} was accepted")),
            LoadResult::Rejected { .. } if should => {
                let why = why
                    .map(|why| format!(", although {why}"))
                    .unwrap_or_default();
                Some(format!("{what} was rejected{why}"))
            }
            // A kernel without what the entry is about may give any reason.
            _ if !should && entry.missing_feature(kernel).is_some() => None,
            LoadResult::Rejected { error, log } if *twin == Twin::Failing => {
                let (text, class) = verify::find_reason(error, log);
                let class = class.map_or("no known class", |class| class.slug());
                (class != entry.class_on(kernel))
                    .then(|| format!("{what} was rejected for {class}: {text}"))
            }
            LoadResult::Rejected { .. } => None,
            LoadResult::Failed { .. } if !should && entry.about.fails_at == FailureStage::Open => {
                None
            }
            LoadResult::Failed { why, .. } => {
                Some(format!("{what} did not reach the verifier: {why}"))
            }
        }
    }
}

/// Loads all programs of these entries that a kernel can be asked about.
pub fn load_all<'a>(guest: &mut Guest, entries: &[&'a Entry]) -> Result<Vec<Shown<'a>>, Failure> {
    let mut wanted = BTreeMap::new();
    for entry in entries {
        for language in Language::ALL
            .into_iter()
            .filter(|language| entry.none_in(*language).is_none())
        {
            for twin in Twin::ALL {
                if twin == Twin::Fixed || entry.about.fails_at != FailureStage::Build {
                    wanted.insert(entry.object_name(twin, language), (*entry, twin, language));
                }
            }
        }
    }
    let batches = [
        (Language::C, false),
        (Language::C, true),
        (Language::Rust, false),
        (Language::Rust, true),
    ];
    let batches: Vec<Batch> = batches
        .into_iter()
        .map(|(language, without_perfmon)| Batch {
            library: Some(if language == Language::C {
                EbpfLibrary::Libbpf
            } else {
                EbpfLibrary::Aya
            }),
            without_perfmon,
            seconds: SECONDS,
            options: LoaderOptions {
                load_only: true,
                ..LoaderOptions::default()
            },
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
    let (mut shown, mut outputs) = (Vec::new(), Vec::new());
    loader::run_batches(guest, &batches, &mut outputs, |_| {})?;
    for (output, batch) in outputs.into_iter().zip(&batches) {
        let said = output.said();
        for load in output.loads {
            if let Some((entry, twin, language)) = wanted.remove(&load.object) {
                shown.push(Shown {
                    entry,
                    twin,
                    language,
                    load,
                });
            }
        }
        // Whatever the loader did not come to.
        for name in &batch.objects {
            if let Some((entry, twin, language)) = wanted.remove(name) {
                let outcome = output.step.as_ref().map(|step| &step.outcome);
                let why = format!("the loader ended before it: {outcome:?} {said}");
                let load = Load::of_failed_object(name, batch.library, why);
                shown.push(Shown {
                    entry,
                    twin,
                    language,
                    load,
                });
            }
        }
    }
    shown.sort_by_key(|shown| {
        (
            shown.entry.about.rank.unwrap_or(u32::MAX),
            &shown.entry.name,
            shown.language,
            shown.twin,
        )
    });
    Ok(shown)
}
