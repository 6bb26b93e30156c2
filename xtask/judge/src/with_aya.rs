//! Loads and attaches answers in Rust with aya, each program by the hook that its macro names.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;

use anyhow::{Context as _, Result, bail};
use aya::maps::Map;
use aya::programs::perf_event::{
    PerfEvent, PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent,
};
use aya::programs::uprobe::UProbeScope;
use aya::programs::{
    CgroupAttachMode, KProbe, Program, ProgramError, TestRun as _, TestRunOptions, UProbe,
};
use aya::util::online_cpus;
use aya::{Btf, BtfError, Ebpf, EbpfLoader, VerifierLogLevel};
use aya_obj::{Object, ParseError};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use verifier_output::{LogDetail, describe_error, load_with_log};

use crate::answer_object::AnswerObject;
use crate::cgroup;
use crate::cpu_clock::HERTZ;
use crate::global::Global;
use crate::hook::{Hook, Placed};
use crate::library::{LoadRefused, LoadedObject, MapShape, OpenedObject, PacketVerdict};
use crate::near;
use crate::sections;

/// What aya 0.14 makes programs of.
const SECTIONS: &[&str] = &[
    "kprobe",
    "kretprobe",
    "uprobe",
    "uprobe.s",
    "uretprobe",
    "uretprobe.s",
    "tracepoint",
    "tp",
    "raw_tracepoint",
    "raw_tp",
    "tp_btf",
    "fentry",
    "fentry.s",
    "fexit",
    "fexit.s",
    "freplace",
    "lsm",
    "lsm.s",
    "lsm_cgroup",
    "iter",
    "iter.s",
    "xdp",
    "xdp.frags",
    "xdp/cpumap",
    "xdp/devmap",
    "classifier",
    "socket",
    "sk_msg",
    "sk_skb/stream_parser",
    "sk_skb/stream_verdict",
    "sk_lookup",
    "sk_reuseport",
    "sk_reuseport/migrate",
    "sockops",
    "cgroup_skb/ingress",
    "cgroup_skb/egress",
    "cgroup/skb",
    "cgroup/dev",
    "cgroup/sysctl",
    "cgroup/sock",
    "cgroup/sock_create",
    "cgroup/sock_release",
    "cgroup/post_bind4",
    "cgroup/post_bind6",
    "cgroup/bind4",
    "cgroup/bind6",
    "cgroup/connect4",
    "cgroup/connect6",
    "cgroup/getpeername4",
    "cgroup/getpeername6",
    "cgroup/getsockname4",
    "cgroup/getsockname6",
    "cgroup/sendmsg4",
    "cgroup/sendmsg6",
    "cgroup/recvmsg4",
    "cgroup/recvmsg6",
    "cgroup/getsockopt",
    "cgroup/setsockopt",
    "perf_event",
    "flow_dissector",
    "lirc_mode2",
];

/// Where aya reads the kernel's BTF.
const KERNEL_TYPES: &str = "/sys/kernel/btf/vmlinux";

/// A file that everybody has.
const EMPTY: &str = "/dev/null";

pub struct OpenedWithAya<'a> {
    file: &'a AnswerObject,
    object: Object,
}

impl<'a> OpenedWithAya<'a> {
    pub fn open(file: &'a AnswerObject) -> Result<Self> {
        match Object::parse(&file.bytes) {
            Ok(object) => Ok(Self { file, object }),
            Err(ParseError::InvalidProgramSection { section }) => {
                let here = |symbol: &&crate::answer_object::Symbol| symbol.section == section;
                let program = file
                    .symbols
                    .iter()
                    .find(here)
                    .map_or("a program", |symbol| &symbol.name);
                let known: Vec<String> = SECTIONS.iter().map(|&name| name.to_owned()).collect();
                bail!(sections::describe_unknown_section(
                    "aya", program, &section, &known
                ))
            }
            Err(error) => bail!(
                "aya cannot open the object file: {}",
                describe_error(&error)
            ),
        }
    }
}

impl OpenedObject for OpenedWithAya<'_> {
    fn program_names(&self) -> Vec<String> {
        self.object.programs.keys().cloned().collect()
    }

    fn map_shapes(&self) -> Vec<MapShape> {
        let shape = |(name, map): (&String, &aya_obj::Map)| MapShape {
            name: name.clone(),
            kind: map.map_type(),
            key_size: map.key_size(),
            value_size: map.value_size(),
        };
        // Those of global variables are called `.bss` and the like.
        self.object
            .maps
            .iter()
            .map(shape)
            .filter(|map| !map.name.contains('.'))
            .collect()
    }

    /// The compiler and aya's macros see to that.
    fn odd_parameters(&self, _: &Placed) -> Option<String> {
        None
    }

    fn load_object(
        self: Box<Self>,
        globals: &[Global],
        programs: &[Placed],
    ) -> Result<Box<dyn LoadedObject>, LoadRefused> {
        let values = globals
            .iter()
            .map(|global| (global.value)())
            .collect::<Result<Vec<u32>>>();
        let values = values.map_err(|error| LoadRefused::ByLibrary(format!("{error:#}")))?;
        // To free the kernel's types one by one takes half as long as reading them, and the judge
        // ends soon.
        let btf = ManuallyDrop::new(self.kernel_types(programs)?);
        let mut loader = without_kernel_types(EbpfLoader::new);
        loader.btf(btf.as_ref());
        for (Global { name, .. }, value) in globals.iter().zip(&values) {
            loader.override_global(name, value, true);
        }
        let load = |detail| self.load_for(detail, &mut loader, programs, btf.as_ref());
        let ebpf = load_with_log(load, LoadRefused::verifier_log);
        Ok(Box::new(LoadedWithAya { ebpf: ebpf? }))
    }
}

impl OpenedWithAya<'_> {
    /// Loads maps and programs, for a log with this detail.
    fn load_for(
        &self,
        detail: LogDetail,
        loader: &mut EbpfLoader<'_>,
        programs: &[Placed],
        btf: Option<&Btf>,
    ) -> Result<Ebpf, LoadRefused> {
        loader.verifier_log_level(match detail {
            LogDetail::Brief => VerifierLogLevel::STATS,
            LogDetail::Full => VerifierLogLevel::default(),
        });
        let mut ebpf = loader
            .load(&self.file.bytes)
            .map_err(|error| LoadRefused::ByLibrary(describe_error(&error)))?;
        for placed in programs {
            let program = ebpf.program_mut(placed.name);
            let program = program.ok_or_else(|| {
                LoadRefused::ByLibrary(format!("find {}: it is gone", placed.name))
            })?;
            load(placed, program, btf).map_err(|error| refused(placed, &error))?;
        }
        Ok(ebpf)
    }

    /// Reading them takes a third of a second in an emulated guest: only where they are needed.
    fn kernel_types(&self, programs: &[Placed]) -> Result<Option<Btf>, LoadRefused> {
        let has_types = |placed: &Placed| {
            matches!(
                placed.hook,
                Hook::BtfTracepoint(_) | Hook::FEntry(_) | Hook::FExit(_) | Hook::Lsm(_)
            )
        };
        let needed = self.object.has_btf_relocations() || programs.iter().any(has_types);
        let btf = needed.then(Btf::from_sys_fs).transpose();
        btf.map_err(|error| {
            LoadRefused::ByLibrary(format!("read the kernel's BTF: {}", describe_error(&error)))
        })
    }
}

/// Does this while the kernel's BTF looks empty: aya 0.14 reads all of it for a new loader, whether
/// or not an object needs it. Where it cannot be covered, it is read.
fn without_kernel_types<T>(make: impl FnOnce() -> T) -> T {
    let covered = mount(
        Some(EMPTY),
        KERNEL_TYPES,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    );
    let made = make();
    if covered.is_ok() {
        // Nobody else has mounted anything there since.
        let _ = umount2(KERNEL_TYPES, MntFlags::MNT_DETACH);
    }
    made
}

/// Gives the program to the verifier.
fn load(placed: &Placed, program: &mut Program, btf: Option<&Btf>) -> Result<(), ProgramError> {
    let btf = || btf.ok_or(ProgramError::Btf(BtfError::InvalidHeader));
    let target = placed.attach_targets().first().copied().unwrap_or_default();
    match program {
        Program::KProbe(program) => program.load(),
        Program::TracePoint(program) => program.load(),
        Program::RawTracePoint(program) => program.load(),
        Program::BtfTracePoint(program) => program.load(target, btf()?),
        Program::FEntry(program) => program.load(target, btf()?),
        Program::FExit(program) => program.load(target, btf()?),
        Program::Lsm(program) => program.load(target, btf()?),
        Program::Xdp(program) => program.load(),
        Program::SchedClassifier(program) => program.load(),
        Program::SocketFilter(program) => program.load(),
        Program::CgroupSockAddr(program) => program.load(),
        Program::UProbe(program) => program.load(),
        Program::PerfEvent(program) => program.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

fn refused(placed: &Placed, error: &ProgramError) -> LoadRefused {
    let by_library = |said: String| {
        let said = format!("{}: {said}", placed.name);
        LoadRefused::ByLibrary(near::with_names(said, std::slice::from_ref(placed)))
    };
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return by_library(describe_error(error));
    };
    let (error, log) = (io_error.to_string(), verifier_log.to_string());
    if log.is_empty() {
        return by_library(format!("the kernel did not take it: {error}"));
    }
    LoadRefused::ByVerifier {
        program: placed.name.to_owned(),
        error,
        log,
    }
}

struct LoadedWithAya {
    ebpf: Ebpf,
}

impl LoadedObject for LoadedWithAya {
    fn attach_programs(&mut self, programs: &[Placed]) -> Result<()> {
        for placed in programs {
            let program = self.ebpf.program_mut(placed.name);
            let program = program.with_context(|| format!("find {}", placed.name))?;
            attach(program, placed)
                .map_err(|error| near::attach_error(placed, &describe_error(&error)))?;
        }
        Ok(())
    }

    fn take_maps(&mut self) -> Result<BTreeMap<String, Map>> {
        let names: Vec<String> = self.ebpf.maps().map(|(name, _)| name.to_owned()).collect();
        Ok(names
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.ebpf.take_map(&name)?)))
            .collect())
    }

    fn run_on_frame(&mut self, name: &str, frame: &[u8]) -> Result<PacketVerdict> {
        let mut out = vec![0; frame.len() + 256];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ..TestRunOptions::new()
        };
        let program = self
            .ebpf
            .program_mut(name)
            .with_context(|| format!("find {name}"))?;
        let result = match program {
            Program::Xdp(program) => program.test_run(options),
            Program::SchedClassifier(program) => program.test_run(options),
            Program::SocketFilter(program) => program.test_run(options),
            _ => bail!("{name} is no program for packets"),
        };
        let result =
            result.with_context(|| format!("run {name} on a frame of {} bytes", frame.len()))?;
        let length = result.data_size_out as usize;
        Ok(PacketVerdict {
            verdict: result.return_value,
            frame: out[..length.min(out.len())].to_vec(),
        })
    }
}

fn attach(program: &mut Program, placed: &Placed) -> Result<(), ProgramError> {
    let target = placed
        .attach_targets()
        .first()
        .copied()
        .unwrap_or_default()
        .to_owned();
    match program {
        Program::KProbe(program) => attach_to_first(program, &placed.attach_targets()),
        Program::TracePoint(program) => {
            let (category, name) = target.split_once('/').unwrap_or(("", &target));
            program.attach(category, name).map(drop)
        }
        Program::RawTracePoint(program) => program.attach(&target).map(drop),
        Program::BtfTracePoint(program) => program.attach().map(drop),
        Program::FEntry(program) => program.attach().map(drop),
        Program::FExit(program) => program.attach().map(drop),
        Program::Lsm(program) => program.attach().map(drop),
        Program::CgroupSockAddr(program) => {
            let directory = cgroup::make_directory().map_err(ProgramError::IOError)?;
            program
                .attach(directory, CgroupAttachMode::Single)
                .map(drop)
        }
        Program::UProbe(program) => attach_to_judge(program, placed.hook),
        Program::PerfEvent(program) => attach_to_clock(program),
        // The checks run the others themselves.
        _ => Ok(()),
    }
}

/// A target is a function, or a place in it: `vfs_read+5`.
fn attach_to_first(program: &mut KProbe, targets: &[&str]) -> Result<(), ProgramError> {
    let mut attached = Ok(());
    for target in targets {
        let (function, offset) = target.split_once('+').unwrap_or((target, "0"));
        attached = program
            .attach(function, offset.parse().unwrap_or(0))
            .map(drop);
        if attached.is_ok() {
            break;
        }
    }
    attached
}

fn attach_to_judge(program: &mut UProbe, hook: Hook) -> Result<(), ProgramError> {
    let (Hook::UProbe(function) | Hook::URetProbe(function)) = hook else {
        return Err(ProgramError::UnexpectedProgramType);
    };
    let place = function.find_place()?;
    let attached = program.attach(place.offset, &place.path, UProbeScope::AllProcesses);
    attached.map(drop)
}

fn attach_to_clock(program: &mut PerfEvent) -> Result<(), ProgramError> {
    let event = PerfEventConfig::Software(SoftwareEvent::CpuClock);
    for cpu in online_cpus().map_err(|(_, error)| error)? {
        let scope = PerfEventScope::AllProcessesOneCpu { cpu };
        program.attach(event, scope, SamplePolicy::Frequency(HERTZ), false)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aya_knows_all_sections_that_are_listed() {
        for section in SECTIONS {
            assert!(
                section.parse::<aya_obj::ProgramSection>().is_ok(),
                "{section}"
            );
        }
    }
}
