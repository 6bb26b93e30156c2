//! Loads and attaches answers in C with libbpf. As a skeleton does, it loads all programs; it
//! attaches those that the exercise asks for.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _, IntoRawFd as _};

use anyhow::{Context as _, Result, anyhow, bail};
use aya::maps::{Map, MapData};
use aya::util::online_cpus;
use libbpf_rs::btf::types::{Func, FuncProto};
use libbpf_rs::btf::{Btf, BtfKind};
use libbpf_rs::{
    Link, MapCore as _, Object, ObjectBuilder, OpenObject, PrintLevel, ProgramInput, ProgramMut,
    TracepointCategory, libbpf_sys,
};
use verifier_output::{
    LogBuffer, LogDetail, clear_messages, keep_messages, load_with_log, take_messages,
};

use crate::answer_object::AnswerObject;
use crate::cpu_clock::open_cpu_clock;
use crate::global::Global;
use crate::hook::{Hook, Placed};
use crate::library::{LoadRefused, LoadedObject, MapShape, OpenedObject, PacketVerdict};
use crate::probed::ProbedFunction;
use crate::{cgroup, near, sections};

/// libbpf's own words say more than the error number that comes with them.
fn said(error: &libbpf_rs::Error) -> String {
    let lines: Vec<String> = take_messages()
        .iter()
        .map(|message| message.trim_start_matches("libbpf: ").to_owned())
        .collect();
    if lines.is_empty() {
        format!("{error:#}")
    } else {
        lines.join("\n")
    }
}

pub struct OpenedWithLibbpf<'a> {
    file: &'a AnswerObject,
    object: OpenObject,
}

impl<'a> OpenedWithLibbpf<'a> {
    pub fn open(file: &'a AnswerObject) -> Result<Self> {
        keep_messages(PrintLevel::Warn);
        let opened = ObjectBuilder::default()
            .name("answer")
            .and_then(|it| it.open_memory(&file.bytes));
        let object = opened
            .map_err(|error| anyhow!("libbpf cannot open the object file: {}", said(&error)))?;
        for program in object.progs() {
            let section = program.section().to_string_lossy();
            let unknown = sections_known_instead(&section);
            if let Some(known) = unknown {
                let name = program.name().to_string_lossy();
                bail!(sections::describe_unknown_section(
                    "libbpf", &name, &section, &known
                ));
            }
        }
        Ok(Self { file, object })
    }
}

/// Nothing, if libbpf knows this section; else those that it knows.
fn sections_known_instead(section: &str) -> Option<Vec<String>> {
    const LIST: &str = "supported section(type) names are:";
    let name = std::ffi::CString::new(section).ok()?;
    keep_messages(PrintLevel::Debug);
    let (mut kind, mut attach) = (0, 0);
    // SAFETY: the name ends with a zero byte, and libbpf writes to the two numbers only.
    let known =
        unsafe { libbpf_sys::libbpf_prog_type_by_name(name.as_ptr(), &mut kind, &mut attach) } == 0;
    keep_messages(PrintLevel::Warn);
    let said = take_messages();
    let list = || {
        said.iter()
            .find_map(|line| line.split_once(LIST))
            .map_or("", |(_, list)| list)
    };
    (!known).then(|| {
        list()
            .split_whitespace()
            .map(|name| name.trim_end_matches('+').to_owned())
            .collect()
    })
}

impl OpenedObject for OpenedWithLibbpf<'_> {
    fn program_names(&self) -> Vec<String> {
        self.object
            .progs()
            .map(|program| program.name().to_string_lossy().into_owned())
            .collect()
    }

    fn map_shapes(&self) -> Vec<MapShape> {
        let shape = |map: libbpf_rs::OpenMap<'_>| MapShape {
            name: map.name().to_string_lossy().into_owned(),
            kind: map.map_type().into(),
            key_size: map.key_size(),
            value_size: map.value_size(),
        };
        // Those of global variables are called `answer.bss`.
        self.object
            .maps()
            .map(shape)
            .filter(|map| !map.name.contains('.'))
            .collect()
    }

    /// A program gets one argument, a pointer. libbpf's macros hide that, and take the arguments of
    /// the function from it.
    fn odd_parameters(&self, program: &Placed) -> Option<String> {
        let btf = Btf::from_raw("answer", &self.file.bytes).ok()??;
        let function: Func<'_> = btf.type_by_name(program.name)?;
        let prototype = FuncProto::try_from(function.next_type()?).ok()?;
        let is_pointer = |ty| {
            btf.type_by_id::<libbpf_rs::btf::BtfType<'_>>(ty)
                .is_some_and(|ty| points(&ty))
        };
        let is_text = |ty| {
            btf.type_by_id::<libbpf_rs::btf::BtfType<'_>>(ty)
                .is_some_and(|ty| points_to_text(&ty))
        };
        let first = prototype.iter().next()?;
        if prototype.len() == 1 && is_pointer(first.ty) && !is_text(first.ty) {
            return None;
        }
        let names: Vec<String> = prototype
            .iter()
            .filter_map(|parameter| Some(parameter.name?.to_string_lossy().into_owned()))
            .collect();
        let Placed { name, hook, .. } = program;
        let (kind, names) = (hook.kind_name(), names.join(", "));
        let has = format!(
            "{name} has the parameters ({names}), and a {kind} program gets a single pointer, to \
             its context"
        );
        Some(match hook {
            Hook::KProbe(_) => {
                format!("{has}: is BPF_KPROBE missing, as in BPF_KPROBE({name}, ...)?")
            }
            Hook::KRetProbe(_) => {
                format!("{has}: is BPF_KRETPROBE missing, as in BPF_KRETPROBE({name}, ...)?")
            }
            Hook::UProbe(_) => {
                format!("{has}: is BPF_UPROBE missing, as in BPF_UPROBE({name}, ...)?")
            }
            Hook::URetProbe(_) => {
                format!("{has}: is BPF_URETPROBE missing, as in BPF_URETPROBE({name}, ...)?")
            }
            Hook::FEntry(_) | Hook::FExit(_) | Hook::Lsm(_) | Hook::BtfTracepoint(_) => {
                format!("{has}: is BPF_PROG missing, as in BPF_PROG({name}, ...)?")
            }
            _ => has,
        })
    }

    fn load_object(
        self: Box<Self>,
        globals: &[Global],
        programs: &[Placed],
    ) -> Result<Box<dyn LoadedObject>, LoadRefused> {
        let file = self.file;
        let mut opened = Some(*self);
        // libbpf loads an object only once.
        let load = |detail| match opened.take() {
            Some(opened) => opened.load_for(detail, globals, programs),
            None => Self::open(file)
                .map_err(by_library)?
                .load_for(detail, globals, programs),
        };
        let object = load_with_log(load, LoadRefused::verifier_log)?;
        Ok(Box::new(LoadedWithLibbpf {
            object,
            links: Vec::new(),
        }))
    }
}

fn by_library(error: anyhow::Error) -> LoadRefused {
    LoadRefused::ByLibrary(format!("{error:#}"))
}

fn points(ty: &libbpf_rs::btf::BtfType<'_>) -> bool {
    match ty.kind() {
        BtfKind::Ptr => true,
        BtfKind::Typedef | BtfKind::Const | BtfKind::Volatile | BtfKind::Restrict => {
            ty.next_type().is_some_and(|inner| points(&inner))
        }
        _ => false,
    }
}

/// No context does: it is an argument of the function.
fn points_to_text(ty: &libbpf_rs::btf::BtfType<'_>) -> bool {
    let target = ty.skip_mods_and_typedefs().next_type();
    let name = target.and_then(|target| target.skip_mods_and_typedefs().name());
    name.is_some_and(|name| name == "char")
}

/// A program's name, and the buffer for what the verifier says about it.
type Log = (String, LogBuffer);

impl OpenedWithLibbpf<'_> {
    /// Loads maps and programs, for a log with this detail.
    fn load_for(
        mut self,
        detail: LogDetail,
        globals: &[Global],
        programs: &[Placed],
    ) -> Result<Object, LoadRefused> {
        globals
            .iter()
            .try_for_each(|global| self.set(global))
            .map_err(by_library)?;
        self.set_targets(programs).map_err(by_library)?;
        let logs = self.give_buffers(detail);
        clear_messages();
        let loaded = self.object.load();
        loaded.map_err(|error| refused(&error, &logs, programs))
    }

    /// A global variable is a part of a map that has the content of the variable's section.
    fn set(&mut self, Global { name, value }: &Global) -> Result<()> {
        let bytes = value()?.to_ne_bytes();
        let variable = self
            .file
            .find_variable(name)
            .with_context(|| format!("find the variable {name}"))?;
        let mut maps = self.object.maps_mut();
        let map = maps.find(|map| map.name().to_string_lossy().ends_with(&variable.section));
        let mut map = map.with_context(|| format!("find the map of {}", variable.section))?;
        let content = map
            .initial_value_mut()
            .with_context(|| format!("find the content of {name}"))?;
        let place = variable.address..variable.address + bytes.len();
        content
            .get_mut(place)
            .with_context(|| format!("find {name} in its section"))?
            .copy_from_slice(&bytes);
        Ok(())
    }

    /// What must be known before the verifier looks at a program, where the section does not tell
    /// it.
    fn set_targets(&mut self, programs: &[Placed]) -> Result<()> {
        for mut program in self.object.progs_mut() {
            let placed = programs.iter().find(|placed| program.name() == placed.name);
            let Some(placed) = placed.filter(|placed| placed.named_target().is_none()) else {
                continue;
            };
            if let Hook::FEntry(target)
            | Hook::FExit(target)
            | Hook::BtfTracepoint(target)
            | Hook::Lsm(target) = placed.hook
            {
                let set = program.set_attach_target(0, Some(target.to_owned()));
                set.map_err(|error| anyhow!("{}: {}", placed.name, said(&error)))?;
            }
        }
        Ok(())
    }

    /// libbpf by itself asks the verifier for a full log where a program fails, and only then.
    fn give_buffers(&mut self, detail: LogDetail) -> Vec<Log> {
        let mut logs = Vec::new();
        for mut program in self.object.progs_mut() {
            if detail == LogDetail::Brief {
                program.set_log_level(detail.log_level());
            }
            // SAFETY: the buffers are dropped after the load.
            let buffer = unsafe { LogBuffer::set_for(&mut program) };
            logs.push((program.name().to_string_lossy().into_owned(), buffer));
        }
        logs
    }
}

/// A log is the verifier's no, or else libbpf did not come as far as that. A brief log is written
/// for each program, and the last one is that of the program that failed.
fn refused(error: &libbpf_rs::Error, logs: &[Log], programs: &[Placed]) -> LoadRefused {
    let said = said(error);
    for (program, buffer) in logs.iter().rev() {
        let log = buffer.log_text();
        if !log.is_empty() {
            return LoadRefused::ByVerifier {
                program: program.clone(),
                error: error.to_string(),
                log,
            };
        }
    }
    LoadRefused::ByLibrary(near::with_names(said, programs))
}

struct LoadedWithLibbpf {
    object: Object,
    links: Vec<Link>,
}

impl LoadedObject for LoadedWithLibbpf {
    fn attach_programs(&mut self, programs: &[Placed]) -> Result<()> {
        for placed in programs {
            let program = find(&self.object, placed.name)?;
            clear_messages();
            let links = match placed.hook {
                Hook::PerfEvent => attach_to_clock(&program),
                _ => attach(&program, placed).map(Vec::from_iter),
            };
            let links = links.map_err(|error| near::attach_error(placed, &said(&error)))?;
            self.links.extend(links);
        }
        Ok(())
    }

    fn take_maps(&mut self) -> Result<BTreeMap<String, Map>> {
        let mut maps = BTreeMap::new();
        for map in self.object.maps() {
            let name = map.name().to_string_lossy().into_owned();
            let descriptor = map
                .as_fd()
                .try_clone_to_owned()
                .context("duplicate a map's descriptor")?;
            // One of a type that aya does not know is none that a judge looks into.
            if let Ok(map) = MapData::from_fd(descriptor).and_then(Map::from_map_data) {
                maps.insert(name, map);
            }
        }
        Ok(maps)
    }

    fn run_on_frame(&mut self, name: &str, frame: &[u8]) -> Result<PacketVerdict> {
        let mut out = vec![0; frame.len() + 256];
        let input = ProgramInput {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ..ProgramInput::default()
        };
        let result = find(&self.object, name)?.test_run(input);
        let result =
            result.with_context(|| format!("run {name} on a frame of {} bytes", frame.len()))?;
        Ok(PacketVerdict {
            verdict: result.return_value,
            frame: result.data.unwrap_or_default().to_vec(),
        })
    }
}

fn find<'a>(object: &'a Object, name: &str) -> Result<ProgramMut<'a>> {
    object
        .progs_mut()
        .find(|program| program.name() == name)
        .with_context(|| format!("find {name}"))
}

/// By the section's name, where that names a hook.
fn attach(program: &ProgramMut<'_>, placed: &Placed) -> libbpf_rs::Result<Option<Link>> {
    if let Hook::Cgroup(_) = placed.hook {
        let directory = cgroup::make_directory()?;
        return program.attach_cgroup(directory.as_raw_fd()).map(Some);
    }
    if placed.named_target().is_some() {
        return program.attach().map(Some);
    }
    match placed.hook {
        Hook::KProbe(names) => attach_to_first(names, |name| program.attach_kprobe(false, name)),
        Hook::KRetProbe(names) => attach_to_first(names, |name| program.attach_kprobe(true, name)),
        Hook::Tracepoint(name) => {
            let (category, name) = name.split_once('/').unwrap_or(("", name));
            program
                .attach_tracepoint(TracepointCategory::Custom(category.to_owned()), name)
                .map(Some)
        }
        Hook::RawTracepoint(name) => program.attach_raw_tracepoint(name).map(Some),
        Hook::BtfTracepoint(_) | Hook::FEntry(_) | Hook::FExit(_) => {
            program.attach_trace().map(Some)
        }
        Hook::Lsm(_) => program.attach_lsm().map(Some),
        Hook::UProbe(function) => attach_to_judge(program, false, function).map(Some),
        Hook::URetProbe(function) => attach_to_judge(program, true, function).map(Some),
        // The checks run these themselves.
        Hook::Xdp | Hook::Classifier | Hook::SocketFilter | Hook::Cgroup(_) => Ok(None),
        // It has a link for each CPU.
        Hook::PerfEvent => Ok(None),
    }
}

fn attach_to_judge(
    program: &ProgramMut<'_>,
    at_return: bool,
    function: ProbedFunction,
) -> libbpf_rs::Result<Link> {
    const ALL_PROCESSES: i32 = -1;
    let place = function.find_place()?;
    program.attach_uprobe(at_return, ALL_PROCESSES, place.path, place.offset as usize)
}

fn attach_to_clock(program: &ProgramMut<'_>) -> libbpf_rs::Result<Vec<Link>> {
    let cpus = online_cpus().map_err(|(_, error)| error)?;
    let attach = |&cpu| {
        let event = open_cpu_clock(cpu)?;
        let link = program.attach_perf_event(event.as_raw_fd())?;
        // From here on, the link closes it.
        let _ = event.into_raw_fd();
        Ok(link)
    };
    cpus.iter().map(attach).collect()
}

fn attach_to_first(
    names: &[&str],
    attach: impl Fn(&str) -> libbpf_rs::Result<Link>,
) -> libbpf_rs::Result<Option<Link>> {
    let mut attached = Ok(None);
    for name in names {
        attached = attach(name).map(Some);
        if attached.is_ok() {
            break;
        }
    }
    attached
}
