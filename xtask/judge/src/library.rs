//! The two libraries that load answers. Each loads the answers that are written for it, as the
//! learner's own program would.

use std::collections::BTreeMap;

use anyhow::Result;
use aya::maps::Map;

use crate::hook::Placed;
use crate::kernel::Global;
use crate::object_file::ObjectFile;
use crate::{Library, with_aya, with_libbpf};

impl Library {
    /// The error is what the library has to say about the file.
    pub fn open(self, file: &ObjectFile) -> Result<Box<dyn Opened + '_>> {
        Ok(match self {
            Self::Aya => Box::new(with_aya::Opened::open(file)?),
            Self::Libbpf => Box::new(with_libbpf::Opened::open(file)?),
        })
    }
}

/// An object file as a library sees it. Nothing of it is in the kernel yet.
pub trait Opened {
    /// The names of its programs.
    fn programs(&self) -> Vec<String>;

    /// The maps that it defines; not those of global variables.
    fn maps(&self) -> Vec<MapShape>;

    /// Why a program's function cannot be what it seems to be, if the library can tell.
    fn odd_parameters(&self, program: &Placed) -> Option<String>;

    /// Makes the maps and gives the programs to the verifier.
    fn load(
        self: Box<Self>,
        globals: &[Global],
        programs: &[Placed],
    ) -> Result<Box<dyn Loaded>, Refused>;
}

/// What the definition of a map says.
#[derive(Clone, Debug)]
pub struct MapShape {
    pub name: String,
    /// `BPF_MAP_TYPE_*`
    pub kind: u32,
    pub key_size: u32,
    pub value_size: u32,
}

/// Why an object was not loaded.
pub enum Refused {
    /// It did not get as far as the verifier.
    ByLibrary(String),
    ByVerifier {
        program: String,
        error: String,
        log: String,
    },
}

/// Programs and maps in the kernel.
pub trait Loaded {
    fn attach(&mut self, programs: &[Placed]) -> Result<()>;

    /// Both libraries' maps are read through aya: a map in the kernel is the same, whoever made it.
    fn take_maps(&mut self) -> Result<BTreeMap<String, Map>>;

    /// Runs an XDP, tc or socket program on a frame.
    fn run(&mut self, name: &str, frame: &[u8]) -> Result<Ran>;
}

/// What a packet program did with a frame.
pub struct Ran {
    pub verdict: u32,
    pub frame: Vec<u8>,
}
