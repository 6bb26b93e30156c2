//! What each implementation can do. `aya.rs` and `libbpf.rs` do it; everything else in this lesson
//! is common to both.

use std::mem::MaybeUninit;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use common::{Implementation, NotReady};

use crate::event::{Event, FEXIT, KRETPROBE, ROWS, Totals};
use crate::function::FUNCTION;
use crate::{aya, libbpf};

/// A pair of programs: one at the entry, one at the exit of the function.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Way {
    /// fentry and fexit
    Fentry,
    /// kprobe and kretprobe
    Kprobe,
}

impl Way {
    pub const ALL: [Self; 2] = [Self::Fentry, Self::Kprobe];

    /// The number by which the kernel side calls it.
    pub fn index(self) -> u32 {
        match self {
            Self::Fentry => FEXIT,
            Self::Kprobe => KRETPROBE,
        }
    }

    pub fn pair(self) -> &'static str {
        match self {
            Self::Fentry => "fentry and fexit",
            Self::Kprobe => "kprobe and kretprobe",
        }
    }

    /// The program that reports.
    pub fn exit(self) -> &'static str {
        match self {
            Self::Fentry => "fexit",
            Self::Kprobe => "kretprobe",
        }
    }
}

/// What the kernel side is told before it is loaded.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Those that will be attached.
    pub ways: Vec<Way>,
    /// 0: every process.
    pub pid: u32,
    /// Empty: every command.
    pub comm: [u8; 16],
    pub slower_than: Duration,
    pub failed: bool,
    /// Entries of the hash maps: calls that can be under way at the same time.
    pub in_flight: u32,
    /// Bytes.
    pub ring_buffer: u32,
    /// Offsets in `struct task_struct` of this kernel; only Rust needs them.
    pub real_parent: u32,
    pub tgid: u32,
}

impl Settings {
    pub fn slower_than_nanos(&self) -> u64 {
        self.slower_than.as_nanos().try_into().unwrap_or(u64::MAX)
    }
}

/// Time that the kernel counted for both programs of a way, and how often they ran.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunTime {
    pub time: Duration,
    pub runs: u64,
}

pub trait Tracer {
    fn attach(&mut self, way: Way) -> Result<()>;
    fn detach(&mut self, way: Way);
    /// The events that are there. Waits for the first, but not longer than this; a signal ends the
    /// wait.
    fn events(&mut self, wait: Duration) -> Result<Vec<Event>>;
    fn totals(&self, way: Way) -> Result<Totals>;
    fn run_time(&self, way: Way) -> Result<RunTime>;
}

/// Loads the programs of one implementation for as long as this work goes on.
pub fn with<T>(
    implementation: Implementation,
    settings: &Settings,
    work: impl FnOnce(&mut dyn Tracer) -> Result<T>,
) -> Result<T> {
    match implementation {
        Implementation::Aya => work(&mut allowed(aya::Tracer::load(settings))?),
        Implementation::Libbpf => work(&mut allowed(libbpf::Tracer::load(
            &mut MaybeUninit::uninit(),
            settings,
        ))?),
    }
}

/// The kernel's policy or a container may forbid tracing to root as well: EPERM, where the verifier
/// says EACCES.
pub fn allowed<T>(loaded: Result<T>) -> Result<T> {
    loaded.map_err(|error| match format!("{error:#}") {
        text if text.contains("(os error 1)") => {
            NotReady::new("load a tracing program: this machine does not let root do that (EPERM)")
                .help("cargo xtask run fentry-fexit runs the lesson in a virtual machine")
                .into()
        }
        _ => error,
    })
}

/// Fails for a function that the kernel keeps to itself (notrace), or that another tracer has
/// taken.
pub fn attach(tracer: &mut dyn Tracer, way: Way) -> Result<()> {
    tracer.attach(way).map_err(|error| {
        NotReady::new(format!("attach {} to {FUNCTION}: {error:#}", way.pair()))
            .help(format!(
                "grep -w {FUNCTION} /sys/kernel/tracing/available_filter_functions: can it be traced?"
            ))
            .into()
    })
}

// SAFETY: integers and arrays of them, without padding: any bytes are a value. A test counts them.
unsafe impl ::aya::Pod for Event {}
// SAFETY: as above.
unsafe impl ::aya::Pod for Totals {}

/// The struct that these bytes of the kernel side are.
pub fn decode<T: ::aya::Pod>(bytes: &[u8]) -> Result<T> {
    let bytes = bytes
        .get(..size_of::<T>())
        .context("decode a message of the kernel side: it is too short")?;
    // SAFETY: there are enough bytes, and `Pod` says that any will do.
    Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// Each CPU counts for itself.
pub fn sum<'a>(all: impl IntoIterator<Item = &'a Totals>) -> Totals {
    let mut sum = Totals {
        calls: 0,
        lost: 0,
        no_room: 0,
        latency: [0; ROWS],
    };
    for totals in all {
        sum.calls += totals.calls;
        sum.lost += totals.lost;
        sum.no_room += totals.no_room;
        for (row, more) in sum.latency.iter_mut().zip(totals.latency) {
            *row += more;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    /// The numbers are those of the C structs in `bpf/event.h`, counted by hand.
    #[test]
    fn structs_lie_as_in_c_and_have_no_padding() {
        assert_eq!(size_of::<Event>(), 3 * 8 + 6 * 4 + 16 + 128);
        assert_eq!(offset_of!(Event, way), 24);
        assert_eq!(offset_of!(Event, result), 44);
        assert_eq!(offset_of!(Event, comm), 48);
        assert_eq!(offset_of!(Event, file), 64);
        assert_eq!(size_of::<Totals>(), (3 + 64) * 8);
        assert_eq!(offset_of!(Totals, latency), 24);
    }

    #[test]
    fn bytes_become_an_event_and_too_few_become_an_error() {
        let mut bytes = vec![0; size_of::<Event>()];
        bytes[8..16].copy_from_slice(&1_000u64.to_ne_bytes());
        bytes[44..48].copy_from_slice(&(-2i32).to_ne_bytes());
        let event: Event = decode(&bytes).expect("there are enough");
        assert_eq!((event.took, event.result), (1_000, -2));
        assert!(decode::<Event>(&bytes[1..]).is_err());
    }

    #[test]
    fn what_is_forbidden_is_not_what_the_verifier_refuses() {
        let of = |number| allowed::<()>(Err(std::io::Error::from_raw_os_error(number).into()));
        assert!(of(1).is_err_and(|error| error.is::<NotReady>()));
        assert!(of(13).is_err_and(|error| !error.is::<NotReady>()));
    }

    #[test]
    fn the_cpus_are_added_up() {
        let one = Totals {
            calls: 1,
            lost: 2,
            no_room: 3,
            latency: [4; ROWS],
        };
        let sum = sum([&one, &one]);
        assert_eq!(
            (sum.calls, sum.lost, sum.no_room, sum.latency[63]),
            (2, 4, 6, 8)
        );
    }
}
