//! Loads and attaches answers in C with libbpf. As a skeleton does, it loads all programs; it
//! attaches those that the exercise asks for.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail};
use aya::maps::{Map, MapData};
use libbpf_rs::btf::types::{Func, FuncProto};
use libbpf_rs::btf::{Btf, BtfKind};
use libbpf_rs::{
    AsRawLibbpf as _, Link, MapCore as _, Object, ObjectBuilder, OpenObject, PrintLevel,
    ProgramInput, ProgramMut, TracepointCategory, libbpf_sys, set_print,
};

use crate::hook::{Hook, Placed};
use crate::kernel::Global;
use crate::library::{self, MapShape, Ran, Refused};
use crate::object_file::ObjectFile;
use crate::{near, sections};

/// What libbpf said since the last look. Its own print function gets no context.
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The longest log that a kernel of this course may write. It must not be touched before it is
/// needed.
const LOG_SIZE: usize = 16 << 20;

fn keep_messages(level: PrintLevel) {
    set_print(Some((level, |_, message| messages().push(message))));
}

fn messages() -> MutexGuard<'static, Vec<String>> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// libbpf's own words say more than the error number that comes with them.
fn said(error: &libbpf_rs::Error) -> String {
    let lines: Vec<String> = messages()
        .drain(..)
        .map(|message| message.trim_end().trim_start_matches("libbpf: ").to_owned())
        .collect();
    if lines.is_empty() {
        format!("{error:#}")
    } else {
        lines.join("\n")
    }
}

pub struct Opened<'a> {
    file: &'a ObjectFile,
    object: OpenObject,
}

impl<'a> Opened<'a> {
    pub fn open(file: &'a ObjectFile) -> Result<Self> {
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
                bail!(sections::unknown("libbpf", &name, &section, &known));
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
    let said = std::mem::take(&mut *messages());
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

impl library::Opened for Opened<'_> {
    fn programs(&self) -> Vec<String> {
        self.object
            .progs()
            .map(|program| program.name().to_string_lossy().into_owned())
            .collect()
    }

    fn maps(&self) -> Vec<MapShape> {
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
        let first = prototype.iter().next()?;
        if prototype.len() == 1 && is_pointer(first.ty) {
            return None;
        }
        let names: Vec<String> = prototype
            .iter()
            .filter_map(|parameter| Some(parameter.name?.to_string_lossy().into_owned()))
            .collect();
        let Placed { name, hook, .. } = program;
        let (kind, names) = (hook.kind(), names.join(", "));
        let has = format!(
            "{name} has the parameters ({names}), and a {kind} program gets a single pointer"
        );
        Some(match hook {
            Hook::KProbe(_) => {
                format!("{has}: is BPF_KPROBE missing, as in BPF_KPROBE({name}, ...)?")
            }
            Hook::KRetProbe(_) => {
                format!("{has}: is BPF_KRETPROBE missing, as in BPF_KRETPROBE({name}, ...)?")
            }
            Hook::FEntry(_) | Hook::FExit(_) | Hook::Lsm(_) | Hook::BtfTracepoint(_) => {
                format!("{has}: is BPF_PROG missing, as in BPF_PROG({name}, ...)?")
            }
            _ => has,
        })
    }

    fn load(
        mut self: Box<Self>,
        globals: &[Global],
        programs: &[Placed],
    ) -> Result<Box<dyn library::Loaded>, Refused> {
        let by_library = |error: anyhow::Error| Refused::ByLibrary(format!("{error:#}"));
        globals
            .iter()
            .try_for_each(|global| self.set(global))
            .map_err(by_library)?;
        self.set_targets(programs).map_err(by_library)?;
        let mut logs = self.give_buffers();
        messages().clear();
        match self.object.load() {
            Ok(object) => Ok(Box::new(Loaded {
                object,
                links: Vec::new(),
            })),
            Err(error) => Err(refused(&error, &mut logs, programs)),
        }
    }
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

/// A program's name, and the buffer for what the verifier says about it.
type Log = (String, Vec<u8>);

impl Opened<'_> {
    /// A global variable is a part of a map that has the content of the variable's section.
    fn set(&mut self, Global { name, value }: &Global) -> Result<()> {
        let bytes = value()?.to_ne_bytes();
        let variable = self
            .file
            .variable(name)
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

    /// libbpf asks the verifier for its log where a program fails, and only then.
    fn give_buffers(&mut self) -> Vec<Log> {
        let mut logs = Vec::new();
        for program in self.object.progs_mut() {
            let mut buffer = vec![0u8; LOG_SIZE];
            // SAFETY: the buffer is as long as it says, and it outlives the load, which alone
            // writes to it.
            unsafe {
                libbpf_sys::bpf_program__set_log_buf(
                    program.as_libbpf_object().as_ptr(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len() as u64,
                );
            }
            logs.push((program.name().to_string_lossy().into_owned(), buffer));
        }
        logs
    }
}

/// A log is the verifier's no, or else libbpf did not come as far as that.
fn refused(error: &libbpf_rs::Error, logs: &mut Vec<Log>, programs: &[Placed]) -> Refused {
    let said = said(error);
    for (program, buffer) in logs.drain(..) {
        let end = buffer
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(buffer.len());
        if end > 0 {
            let log = String::from_utf8_lossy(&buffer[..end]).into_owned();
            return Refused::ByVerifier {
                program,
                error: error.to_string(),
                log,
            };
        }
    }
    Refused::ByLibrary(near::with_names(said, programs))
}

struct Loaded {
    object: Object,
    links: Vec<Link>,
}

impl library::Loaded for Loaded {
    fn attach(&mut self, programs: &[Placed]) -> Result<()> {
        for placed in programs {
            let program = find(&self.object, placed.name)?;
            messages().clear();
            let link = attach(&program, placed)
                .map_err(|error| near::attach_error(placed, &said(&error)))?;
            self.links.extend(link);
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

    fn run(&mut self, name: &str, frame: &[u8]) -> Result<Ran> {
        let mut out = vec![0; frame.len() + 256];
        let input = ProgramInput {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ..ProgramInput::default()
        };
        let result = find(&self.object, name)?.test_run(input);
        let result =
            result.with_context(|| format!("run {name} on a frame of {} bytes", frame.len()))?;
        Ok(Ran {
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
        // The checks run these themselves.
        Hook::Xdp | Hook::Classifier | Hook::SocketFilter => Ok(None),
    }
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
