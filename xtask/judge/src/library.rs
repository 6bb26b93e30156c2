//! The two libraries that load answers. Each loads the answers that are written for it, as the
//! learner's own program would.

use std::collections::BTreeMap;

use anyhow::Result;
use aya::maps::Map;

use crate::global::Global;
use crate::hook::Placed;

/// An object file as a library sees it. Nothing of it is in the kernel yet.
pub trait OpenedObject {
    /// The names of its programs.
    fn program_names(&self) -> Vec<String>;

    /// The maps that it defines; not those of global variables.
    fn map_shapes(&self) -> Vec<MapShape>;

    /// Why a program's function cannot be what it seems to be, if the library can tell.
    fn odd_parameters(&self, program: &Placed) -> Option<String>;

    /// Makes the maps and gives the programs to the verifier.
    fn load_object(
        self: Box<Self>,
        globals: &[Global],
        programs: &[Placed],
    ) -> Result<Box<dyn LoadedObject>, LoadRefused>;
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
pub enum LoadRefused {
    /// It did not get as far as the verifier.
    ByLibrary(String),
    ByVerifier {
        program: String,
        error: String,
        log: String,
    },
}

impl LoadRefused {
    /// The verifier's log, if it was the verifier.
    pub fn verifier_log(&self) -> Option<&str> {
        match self {
            Self::ByLibrary(_) => None,
            Self::ByVerifier { log, .. } => Some(log),
        }
    }
}

/// Programs and maps in the kernel.
pub trait LoadedObject {
    fn attach_programs(&mut self, programs: &[Placed]) -> Result<()>;

    /// Both libraries' maps are read through aya: a map in the kernel is the same, whoever made it.
    fn take_maps(&mut self) -> Result<BTreeMap<String, Map>>;

    /// Runs an XDP, tc or socket program on a frame.
    fn run_on_frame(&mut self, name: &str, frame: &[u8]) -> Result<PacketVerdict>;
}

/// What a packet program did with a frame.
pub struct PacketVerdict {
    pub verdict: u32,
    pub frame: Vec<u8>,
}
