//! What the loader says about the programs of an object file, in lines of JSON:
//!
//! ```text
//!   programs   which there are, before the first is loaded
//!   begin      one of them is about to be loaded, or attached: if the guest dies, it was this one
//!   load       what became of it
//!   end        the object has no more
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A load with a log of each instruction takes so many times as long as one without.
pub const LOG_SLOWNESS: u64 = 5;

/// A line of the loader's output.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoaderLine {
    /// Those that have no [`Load`] in the end were not reached.
    Programs {
        object: String,
        programs: Vec<ProgramName>,
    },
    Begin {
        object: String,
        program: String,
        phase: Phase,
    },
    Load(Load),
    /// The object has no more programs. A loader that is ended after this line left nothing out.
    End {
        object: String,
    },
}

/// A program as its object names it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProgramName {
    /// The function's name.
    pub program: String,
    pub section: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Load,
    Attach,
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
    /// `None`: it was not loaded, or nobody asked. A program that cannot even be loaded before it
    /// is known what it attaches to failed, and has [`AttachResult::NeedsTarget`].
    #[serde(default)]
    pub attach: Option<AttachResult>,
    /// What the loader changed so that it could be loaded: a map without a size got one, a section
    /// name of another loader's was translated.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What its verification cost, if that was asked: a `ProgramCost` of `bpf-verifier-log`, which
    /// this crate does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<serde_json::Value>,
}

impl Load {
    /// A whole object that did not get as far as its programs.
    pub fn of_failed_object(object: &str, library: Option<EbpfLibrary>, why: String) -> Self {
        Self {
            object: object.to_owned(),
            program: String::new(),
            section: String::new(),
            library,
            result: LoadResult::failed(why),
            attach: None,
            notes: Vec::new(),
            cost: None,
        }
    }
}

/// What became of a loaded program when it was attached as its section says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttachResult {
    /// It was attached, and detached again.
    Attached,
    /// Nothing attaches such a program: user space runs it.
    RunsOnDemand,
    /// The kernel said no.
    Refused {
        /// What this kernel lacks, where that is the cause.
        missing: Option<Missing>,
        /// The library's or the kernel's words.
        error: String,
    },
    /// Its section does not say where to attach it, or names what this guest does not have.
    NeedsTarget { what: String },
    /// Nothing in a guest can attach such a program.
    NotTried { why: String },
}

/// Something that a kernel does not have.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Missing {
    pub kind: MissingKind,
    /// `do_unlinkat`, `sched/sched_switch`, `BPF_TRACE_KPROBE_MULTI`
    pub name: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingKind {
    /// No function of the kernel has this name.
    Function,
    /// The function is there, and may not or cannot be traced.
    TraceableFunction,
    /// `CATEGORY/NAME`
    Tracepoint,
    RawTracepoint,
    LsmHook,
    ProgramType,
    AttachType,
    /// `BPF_F_XDP_HAS_FRAGS`, `BPF_F_SLEEPABLE`: what a program asks for beside its type.
    ProgramFlag,
    MapType,
    /// What calls programs of this attach type: it has to be written for each architecture.
    Trampoline,
    /// A type of `struct_ops`, or one of its members.
    StructOps,
    /// The kernel has it as a module that is not loaded.
    Module,
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
        /// What this kernel lacks, where that is the cause.
        #[serde(default)]
        missing: Option<Missing>,
    },
}

impl LoadResult {
    /// It failed, and nothing that a kernel may lack is known to be the cause.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            missing: None,
        }
    }
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
