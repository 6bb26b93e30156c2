//! The loader in the guest: object files go in, a verdict on each program comes out.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use plan::load::{EbpfLibrary, Load, LoaderLine};
use plan::{Plan, Step};
use testvm::image::{self, Archive};
use testvm::{Failure, Guest, Happening, Programs, StepReport, Stream};

use crate::pipeline::build;

/// Where object files are in the guest.
const DIRECTORY: &str = "/objects";

/// Bytes of verdicts that one step may print.
const OUTPUT_LIMIT: u64 = 64 << 20;

/// Object files that are loaded in the same way, in one step.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `None`: aya for what rustc made, libbpf for the rest.
    pub library: Option<EbpfLibrary>,
    pub without_perfmon: bool,
    pub seconds: u64,
    /// Names within the guest's directory.
    pub objects: Vec<String>,
}

/// The loader and these object files, for a guest.
pub fn pack_objects(objects: &BTreeMap<String, Vec<u8>>) -> Result<Programs> {
    let mut archive = Archive::default();
    image::add_program(&mut archive, &build::build_tool("object-loader")?)?;
    for (name, bytes) in objects {
        archive.add_file(
            Path::new(DIRECTORY.trim_start_matches('/')).join(name),
            0o644,
            bytes,
        )?;
    }
    archive.finish_archive()
}

/// What a batch gave: the verdicts on the programs that were reached, and how the loader ended.
pub struct BatchResult {
    pub loads: Vec<Load>,
    /// The objects that were loaded to their last program, however the loader ended after that.
    pub finished: Vec<String>,
    pub step: StepReport,
    /// What the loader said on standard error.
    pub said: String,
}

/// Loads the batches one after the other in one guest.
pub fn run_batches(guest: &mut Guest, batches: &[Batch]) -> Result<Vec<BatchResult>, Failure> {
    let plan = Plan {
        steps: batches.iter().map(step).collect(),
    };
    let mut printed: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let report = guest.run_plan(&plan, |happening| {
        match (happening, printed.last_mut()) {
            (Happening::Started(_), _) => printed.push(Default::default()),
            (Happening::Output(Stream::Stdout, bytes), Some((out, _))) => {
                out.extend_from_slice(bytes)
            }
            (Happening::Output(Stream::Stderr, bytes), Some((_, err))) => {
                err.extend_from_slice(bytes)
            }
            _ => {}
        }
        Ok(())
    })?;
    let answers = printed
        .into_iter()
        .zip(report.steps)
        .map(|((out, err), step)| {
            let (loads, finished) = read_lines(&out)?;
            Ok(BatchResult {
                loads,
                finished,
                step,
                said: String::from_utf8_lossy(&err).trim().to_owned(),
            })
        });
    answers.collect::<Result<_>>().map_err(Failure::Caller)
}

fn step(batch: &Batch) -> Step {
    let library = batch.library.map_or("auto", EbpfLibrary::name);
    let mut args = vec![format!("--with={library}")];
    args.extend(
        batch
            .without_perfmon
            .then(|| "--without-perfmon".to_owned()),
    );
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
    }
}

/// The verdicts, and the objects that have no more of them. Whole lines only: a loader that was
/// ended may have been in the middle of one.
fn read_lines(printed: &[u8]) -> Result<(Vec<Load>, Vec<String>)> {
    let (mut loads, mut finished) = (Vec::new(), Vec::new());
    for line in printed.split_inclusive(|&byte| byte == b'\n') {
        if !line.ends_with(b"\n") {
            break;
        }
        match serde_json::from_slice(line)
            .context("the loader printed a line that is not a verdict")?
        {
            LoaderLine::Load(load) => loads.push(Load {
                object: name_of(&load.object),
                ..load
            }),
            LoaderLine::End { object } => finished.push(name_of(&object)),
            LoaderLine::Programs { .. } | LoaderLine::Begin { .. } => {}
        }
    }
    Ok((loads, finished))
}

/// As the batch names it, without the guest's directory.
fn name_of(path: &str) -> String {
    let name = path.strip_prefix(DIRECTORY).unwrap_or(path);
    name.trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_left_out() {
        let line = r#"{"load":{"object":"/objects/a.o","program":"p","section":"xdp",
            "library":"aya","result":{"failed":{"why":"x"}}}}"#
            .replace('\n', "");
        let end = r#"{"end":{"object":"/objects/a.o"}}"#;
        let (loads, finished) = read_lines(format!("{line}\n{}", &line[..20]).as_bytes()).unwrap();
        assert_eq!((loads.len(), loads[0].object.as_str()), (1, "a.o"));
        assert_eq!(finished, [""; 0]);
        let (loads, finished) = read_lines(format!("{line}\n{end}\n").as_bytes()).unwrap();
        assert_eq!((loads.len(), finished), (1, vec!["a.o".to_owned()]));
        assert!(read_lines(b"what\n").is_err());
    }
}
