//! The loader in the guest: object files go in, a verdict on each program comes out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use kernel::Architecture;
use plan::load::{EbpfLibrary, Load, LoaderLine, Phase, ProgramName};
use plan::{Plan, Step};
use testvm::image::{self, Archive};
use testvm::{Failure, Guest, Happening, Programs, StepReport, Stream};

use crate::pipeline::build;
use crate::pipeline::line_buffer::LineBuffer;

/// Where object files are in the guest.
const DIRECTORY: &str = "/objects";

/// Where the modules are that the programs need.
pub const MODULES: &str = "/modules";

/// Bytes of verdicts that one step may print.
const OUTPUT_LIMIT: u64 = 64 << 20;

/// Object files that are loaded in the same way, in one step.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `None`: aya for what rustc made, libbpf for the rest.
    pub library: Option<EbpfLibrary>,
    pub without_perfmon: bool,
    /// After which the whole step is ended.
    pub seconds: u64,
    pub options: LoaderOptions,
    /// Names within the guest's directory.
    pub objects: Vec<String>,
}

/// How the loader goes about it.
#[derive(Clone, Debug, Default)]
pub struct LoaderOptions {
    /// Nothing is attached.
    pub load_only: bool,
    /// Each program is loaded once more, for what its verification costs.
    pub cost: bool,
    /// That one program may take. `None`: as long as the step lasts.
    pub program_seconds: Option<u64>,
    /// Names of programs, and where to attach them if their section does not say.
    pub targets: Vec<(String, String)>,
    /// Names of maps, and how many entries they get.
    pub map_entries: Vec<(String, u32)>,
    /// Names of programs that are left out.
    pub skipped: Vec<String>,
    /// Modules in [`MODULES`] are loaded first.
    pub has_modules: bool,
}

/// The loader, for a guest of this architecture.
pub fn pack_loader(architecture: Architecture) -> Result<Archive> {
    let mut archive = Archive::default();
    let program = build::build_tool_for("object-loader", architecture)?;
    image::add_program(&mut archive, &program)?;
    Ok(archive)
}

pub fn add_object(archive: &mut Archive, name: &str, bytes: &[u8]) -> Result<()> {
    let path = Path::new(DIRECTORY.trim_start_matches('/')).join(name);
    archive.add_file(path, 0o644, bytes)
}

/// The kernel's configuration, where libbpf looks for it.
pub fn add_kernel_config(archive: &mut Archive, release: &str, config: &Path) -> Result<()> {
    let bytes = fs::read(config).with_context(|| format!("cannot read {}", config.display()))?;
    archive.add_file(format!("boot/config-{release}"), 0o644, &bytes)
}

/// The loader and these object files, for a guest of this architecture.
pub fn pack_objects(
    objects: &BTreeMap<String, Vec<u8>>,
    architecture: Architecture,
) -> Result<Programs> {
    let mut archive = pack_loader(architecture)?;
    for (name, bytes) in objects {
        add_object(&mut archive, name, bytes)?;
    }
    archive.finish_archive()
}

/// What the loader has said so far.
#[derive(Default)]
pub struct LoaderOutput {
    pub loads: Vec<Load>,
    /// By object, those that it has; there may be none.
    pub programs: BTreeMap<String, Vec<ProgramName>>,
    /// What it does now, if the guest dies: an object, its program, and the phase.
    pub begun: Option<(String, String, Phase)>,
    /// The objects that were loaded to their last program, however the loader ended after that.
    pub finished: Vec<String>,
    /// How its step ended; `None` while it runs, and if the guest died.
    pub step: Option<StepReport>,
    lines: LineBuffer,
    errors: Vec<u8>,
}

impl LoaderOutput {
    /// What the loader said on standard error.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.errors).trim().to_owned()
    }

    /// A loader that is ended may be in the middle of a line, which is none then.
    pub fn read_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let mut lines = std::mem::take(&mut self.lines);
        let read = lines.push_bytes(bytes, |line| self.read_line(line));
        self.lines = lines;
        read
    }

    fn read_line(&mut self, line: &[u8]) -> Result<()> {
        let line = serde_json::from_slice(line)
            .context("the loader printed a line that is not a verdict")?;
        match line {
            LoaderLine::Programs { object, programs } => {
                self.programs.insert(name_of(&object), programs);
            }
            LoaderLine::Begin {
                object,
                program,
                phase,
            } => self.begun = Some((name_of(&object), program, phase)),
            LoaderLine::Load(load) => {
                self.begun = None;
                let object = name_of(&load.object);
                self.loads.push(Load { object, ..load });
            }
            LoaderLine::End { object } => {
                self.begun = None;
                self.finished.push(name_of(&object));
            }
        }
        Ok(())
    }
}

/// Loads the batches one after the other in one guest, and adds to `outputs` what became of each:
/// also of those before the guest died. `progress` is told whenever there is news.
pub fn run_batches(
    guest: &mut Guest,
    batches: &[Batch],
    outputs: &mut Vec<LoaderOutput>,
    progress: impl Fn(&[LoaderOutput]),
) -> Result<(), Failure> {
    let plan = Plan {
        steps: batches.iter().map(step).collect(),
    };
    guest.run_plan(&plan, |happening| {
        match (happening, outputs.last_mut()) {
            (Happening::Started(_), _) => outputs.push(LoaderOutput::default()),
            (Happening::Output(Stream::Stdout, bytes), Some(output)) => output.read_bytes(bytes)?,
            (Happening::Output(Stream::Stderr, bytes), Some(output)) => {
                output.errors.extend_from_slice(bytes)
            }
            (Happening::Ended(_, report), Some(output)) => output.step = Some(report.clone()),
            _ => {}
        }
        progress(outputs);
        Ok(())
    })?;
    Ok(())
}

fn step(batch: &Batch) -> Step {
    let library = batch.library.map_or("auto", EbpfLibrary::name);
    let mut args = vec![format!("--with={library}")];
    args.extend(
        batch
            .without_perfmon
            .then(|| "--without-perfmon".to_owned()),
    );
    args.extend(loader_arguments(&batch.options));
    args.extend(
        batch
            .objects
            .iter()
            .map(|name| format!("{DIRECTORY}/{name}")),
    );
    Step {
        program: "/bin/object-loader".into(),
        args,
        env: Vec::new(),
        seconds: Some(batch.seconds),
        output_limit: Some(OUTPUT_LIMIT),
        terminal: None,
        observe: false,
        surroundings: None,
    }
}

fn loader_arguments(options: &LoaderOptions) -> Vec<String> {
    let mut arguments = Vec::new();
    if options.load_only {
        arguments.push("--load-only".to_owned());
    }
    if options.cost {
        arguments.push("--cost".to_owned());
    }
    if let Some(seconds) = options.program_seconds {
        arguments.push(format!("--seconds={seconds}"));
    }
    for (program, target) in &options.targets {
        arguments.push(format!("--target={program}={target}"));
    }
    for (map, entries) in &options.map_entries {
        arguments.push(format!("--map={map}={entries}"));
    }
    for program in &options.skipped {
        arguments.push(format!("--skip={program}"));
    }
    if options.has_modules {
        arguments.push(format!("--modules={MODULES}"));
    }
    arguments
}

/// As the batch names it, without the guest's directory.
fn name_of(path: &str) -> String {
    let name = path.strip_prefix(DIRECTORY).unwrap_or(path);
    name.trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output_of(printed: &[&str]) -> LoaderOutput {
        let mut output = LoaderOutput::default();
        for piece in printed {
            output.read_bytes(piece.as_bytes()).unwrap();
        }
        output
    }

    #[test]
    fn lines_come_in_pieces_and_half_a_line_is_left_out() {
        let line = r#"{"load":{"object":"/objects/a.o","program":"p","section":"xdp",
            "library":"aya","result":{"failed":{"why":"x"}}}}"#
            .replace('\n', "");
        let end = "\n{\"end\":{\"object\":\"/objects/a.o\"}}\n";
        let output = output_of(&[&line[..20], &line[20..], "\n", &line[..20]]);
        assert_eq!(output.loads.len(), 1);
        assert_eq!(output.loads[0].object, "a.o");
        assert_eq!(output.finished, [""; 0]);
        let output = output_of(&[&line, end]);
        assert_eq!(
            (output.loads.len(), output.finished),
            (1, vec!["a.o".to_owned()])
        );
        assert!(LoaderOutput::default().read_bytes(b"what\n").is_err());
    }

    #[test]
    fn what_is_under_way_is_known_until_it_has_ended() {
        let begin = r#"{"begin":{"object":"/objects/a.o","program":"p","phase":"attach"}}"#;
        let begin = format!("{begin}\n");
        let output = output_of(&[&begin]);
        let expected = ("a.o".to_owned(), "p".to_owned(), Phase::Attach);
        assert_eq!(output.begun, Some(expected));
        let end = "{\"end\":{\"object\":\"/objects/a.o\"}}\n";
        assert_eq!(output_of(&[&begin, end]).begun, None);
    }
}
