//! What the loader says about the programs of an object file: a line of JSON for each, and
//! one at the end of the object.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A line of the loader's output.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoaderLine {
    Load(Load),
    /// The object has no more programs. A loader that is ended after this line left nothing out.
    End {
        object: String,
    },
}

/// What became of one program.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Load {
    /// The file's name, as the loader was given it.
    pub object: String,
    /// The function's name; empty when the whole object failed.
    pub program: String,
    /// Where it is in the object; it tells what the program attaches to.
    pub section: String,
    /// `None`: no library got as far as the object.
    pub library: Option<EbpfLibrary>,
    pub result: LoadResult,
}

/// What loads objects. The two do not agree on every object: they read other section names and map
/// definitions, and aya takes a missing licence for the GPL.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EbpfLibrary {
    Libbpf,
    Aya,
}

impl EbpfLibrary {
    pub fn name(self) -> &'static str {
        match self {
            Self::Libbpf => "libbpf",
            Self::Aya => "aya",
        }
    }
}

impl fmt::Display for EbpfLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EbpfLibrary {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "libbpf" => Ok(Self::Libbpf),
            "aya" => Ok(Self::Aya),
            _ => Err(format!("there is no library {name}: it is aya or libbpf")),
        }
    }
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadResult {
    Accepted(Accepted),
    /// The verifier said no.
    Rejected {
        /// The kernel's error number, as text.
        error: String,
        log: String,
    },
    /// It did not get as far as the verifier, or the verifier said nothing.
    Failed {
        why: String,
    },
}

/// What the kernel tells about a program that it loaded. `None`: this kernel does not tell.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Accepted {
    /// Instructions after the verifier rewrote it.
    pub instructions: Option<u32>,
    /// Bytes of machine code.
    pub machine_code: Option<u32>,
    /// Instructions that the verifier followed.
    pub processed: Option<u32>,
}
