//! Reads what verification cost: from a log, or from what `explain --cost --json` or
//! `verify --cost --json` printed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use bpf_verifier_log::{CostReader, ProgramCost, clean_text};
use kernel::Architecture;
use problem::Problem;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::output::screen;

/// JSON that is larger has a log in it that does not fit into the memory.
const LARGEST_JSON: u64 = 512 << 20;
const BUFFER: usize = 256 << 10;

/// What `explain --cost --json` prints; `explain --help` tells the fields.
#[derive(Deserialize, Serialize)]
pub struct CostsJson {
    pub version: u32,
    pub programs: Vec<ProgramCost>,
}

/// The version of the JSON that is written and read.
pub const COSTS_VERSION: u32 = 1;

pub fn read_costs(file: &Path) -> Result<Vec<ProgramCost>, Problem> {
    let name = name_of(file);
    let read = if file == Path::new("-") {
        if io::stdin().is_terminal() {
            screen::show_note("paste the log, then press Ctrl-D on an empty line");
        }
        read_from(&mut io::stdin().lock())
    } else {
        File::open(file).and_then(|opened| read_from(&mut BufReader::with_capacity(BUFFER, opened)))
    };
    let costs = read.map_err(|error| {
        Problem::usage(format!("cannot read {name}: {error}"))
            .help("a log of level 2 comes from a file, or with `-` from standard input")
    })?;
    match costs {
        Costs::Programs(programs) => Ok(programs),
        Costs::OtherVersion(version) => Err(Problem::usage(format!(
            "{name} is JSON of version {version}, and version {COSTS_VERSION} is what is read here"
        ))
        .help("write it again: cargo xtask explain --cost --json LOG")),
    }
}

/// For errors.
pub fn name_of(file: &Path) -> String {
    if file == Path::new("-") {
        return "standard input".to_owned();
    }
    let name = clean_text(file.as_os_str().as_encoded_bytes(), false);
    format!("'{name}'")
}

/// What a file has.
enum Costs {
    Programs(Vec<ProgramCost>),
    OtherVersion(u64),
}

fn read_from(input: &mut impl BufRead) -> io::Result<Costs> {
    let first = input.fill_buf()?.first().copied();
    if first == Some(b'{') {
        return read_json_or_log(input);
    }
    read_log(input).map(Costs::Programs)
}

/// A log goes through piece by piece: it may be larger than the memory.
fn read_log(input: &mut impl BufRead) -> io::Result<Vec<ProgramCost>> {
    let mut reader = CostReader::new();
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() {
            return Ok(reader.finish());
        }
        reader.push(piece);
        let length = piece.len();
        input.consume(length);
    }
}

/// Loaders print logs within JSON too.
fn read_json_or_log(input: &mut impl BufRead) -> io::Result<Costs> {
    let mut text = Vec::new();
    input.take(LARGEST_JSON).read_to_end(&mut text)?;
    if let Some(version) = other_version(&text) {
        return Ok(Costs::OtherVersion(version));
    }
    if let Ok(costs) = serde_json::from_slice::<CostsJson>(&text) {
        return Ok(Costs::Programs(costs.programs));
    }
    let verdicts = read_verdicts(&text);
    if verdicts.is_empty() {
        return read_log(&mut text.as_slice()).map(Costs::Programs);
    }
    let costs = verdicts.into_iter();
    Ok(Costs::Programs(
        costs.map(VerdictCost::into_program).collect(),
    ))
}

/// Of what looks like [`CostsJson`], and is not of the version that is read here.
fn other_version(text: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct AnyCosts {
        version: u64,
        #[serde(rename = "programs")]
        _programs: Vec<serde::de::IgnoredAny>,
    }
    let costs: AnyCosts = serde_json::from_slice(text).ok()?;
    Some(costs.version).filter(|version| *version != u64::from(COSTS_VERSION))
}

/// A line of `verify --cost --json`.
#[derive(Deserialize)]
pub struct VerdictCost {
    pub object: String,
    pub program: String,
    pub kernel: String,
    /// What was written before there was another has none.
    #[serde(default = "amd64", deserialize_with = "parse_architecture")]
    pub architecture: Architecture,
    pub cost: ProgramCost,
}

fn amd64() -> Architecture {
    Architecture::Amd64
}

fn parse_architecture<'de, D: Deserializer<'de>>(text: D) -> Result<Architecture, D::Error> {
    let name = String::deserialize(text)?;
    name.parse().map_err(D::Error::custom)
}

impl VerdictCost {
    pub fn into_program(self) -> ProgramCost {
        let kernel = self.architecture.label(&self.kernel);
        let name = format!("{} of {} on {kernel}", self.program, self.object);
        let mut cost = self.cost;
        cost.name = Some(name);
        cost
    }
}

/// Those verdicts that have a cost.
pub fn read_verdicts(text: &[u8]) -> Vec<VerdictCost> {
    let mut verdicts = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        verdicts.extend(serde_json::from_slice(line));
    }
    verdicts
}
