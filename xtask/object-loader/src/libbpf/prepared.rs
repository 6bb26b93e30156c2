//! An object whose maps are made and whose programs are relocated, each ready to be loaded.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::{io, mem, slice};

use anyhow::{Context as _, Result};
use libbpf_sys::{
    BPF_CALL, BPF_DW, BPF_IMM, BPF_JMP, BPF_LD, BPF_PSEUDO_KFUNC_CALL, BPF_PSEUDO_MAP_FD,
    BPF_PSEUDO_MAP_VALUE, bpf_func_info, bpf_insn, bpf_line_info, bpf_map, bpf_prog_load_opts,
    bpf_program,
};
use plan::load::{LoadResult, Missing, MissingKind};
use verifier_output::{LogBuffer, LogDetail, clear_messages};

use super::loaded::Loaded;
use super::messages::libbpf_said;
use super::opened::{Opened, ProgramFacts, map_name};
use super::struct_ops;
use crate::attempt::Refusal;
use crate::failure::explain_failure;
use crate::log_stream::measure_load;
use crate::measured_cost::MeasuredCost;
use crate::missing::{describe_missing, find_missing_map};
use crate::object_file::ObjectFile;
use crate::program_kind::{ProgramCode, ProgramKind};
use crate::session::Session;

/// What libbpf made of an object as a whole, before any program is loaded.
pub struct Preparation {
    prepared: Result<Prepared, LoadResult>,
    /// Programs that kept the object from being prepared.
    excluded: HashMap<String, LoadResult>,
    /// `struct_ops` maps that were left out, and why.
    refused_tables: HashMap<String, LoadResult>,
}

impl Preparation {
    /// Leaves out one program after the other that libbpf cannot relocate: the others are to be
    /// judged.
    pub fn run(object: &ObjectFile, opened: Opened, session: &Session) -> Result<Self> {
        let mut preparation = Self {
            prepared: Err(LoadResult::failed("nothing was tried")),
            excluded: HashMap::new(),
            refused_tables: HashMap::new(),
        };
        let mut next = Some(opened);
        while let Some(opened) = next.take() {
            preparation.leave_out(&opened);
            match prepare(&opened) {
                Ok(()) => {
                    preparation.prepared = Ok(Prepared {
                        opened,
                        license: object.license().to_owned(),
                    });
                }
                Err(said) => {
                    if preparation.exclude(object, &opened, &said, session) {
                        // libbpf prepares an object once.
                        let again = Opened::open(object, &session.options);
                        next = Some(again.map_err(anyhow::Error::msg)?);
                    } else {
                        preparation.prepared = Err(whole_failure(&opened, said));
                    }
                }
            }
        }
        Ok(preparation)
    }

    pub fn prepared(&self) -> Option<&Prepared> {
        self.prepared.as_ref().ok()
    }

    /// The map of this name, if the object has one and it could be made.
    pub fn map(&self, name: &str) -> Option<BorrowedFd<'_>> {
        let map = self.prepared()?.opened.find_map(name)?;
        // SAFETY: the map belongs to an object that is open as long as this is.
        let descriptor = unsafe { libbpf_sys::bpf_map__fd(map.as_ptr()) };
        // SAFETY: the object keeps the descriptor open.
        (descriptor >= 0).then(|| unsafe { BorrowedFd::borrow_raw(descriptor) })
    }

    /// Why a program cannot be loaded, if that is known.
    pub fn failure_of(&self, program: &ProgramFacts) -> Option<LoadResult> {
        let own = self.excluded.get(&program.name);
        let of_its_map = program
            .struct_ops
            .as_ref()
            .and_then(|name| self.refused_tables.get(name));
        let of_all = self.prepared.as_ref().err();
        own.or(of_its_map).or(of_all).cloned()
    }

    /// What was changed for a program.
    pub fn notes_on(&self, program: &ProgramFacts) -> Vec<String> {
        match &self.prepared {
            Ok(prepared) => prepared.notes_on(program),
            Err(_) => Vec::new(),
        }
    }

    fn leave_out(&self, opened: &Opened) {
        for program in opened.programs() {
            if let Some(found) = opened.find_program(&program.name) {
                opened.set_autoload(found, !self.excluded.contains_key(&program.name));
            }
        }
        for table in tables_of(opened) {
            if self.refused_tables.contains_key(&table.name) {
                struct_ops::leave_out(table.map);
            }
        }
    }

    /// Whether another try, with less, could go better.
    fn exclude(
        &mut self,
        object: &ObjectFile,
        opened: &Opened,
        said: &str,
        session: &Session,
    ) -> bool {
        let blamed = opened.programs().iter().find(|program| {
            !self.excluded.contains_key(&program.name)
                && said.contains(&format!("prog '{}': ", program.name))
        });
        if let Some(program) = blamed {
            let failed = LoadResult::failed(explain_failure(said.to_owned()));
            self.excluded.insert(program.name.clone(), failed);
            return true;
        }
        if !blames_struct_ops(opened, said) {
            return false;
        }
        let missing = missing_struct(said)
            .or_else(|| missing_member(opened, said))
            .or_else(|| self.missing_links(object, said, session));
        let why = match &missing {
            Some(missing) => format!("{said}\n{}", describe_missing(missing)),
            None => said.to_owned(),
        };
        let failed = LoadResult::Failed {
            why,
            missing: missing.clone(),
        };
        self.refuse_tables(opened, said, missing.as_ref(), &failed)
    }

    /// Refuses the tables that are blamed, or all where none of them is. Says whether there was
    /// one.
    fn refuse_tables(
        &mut self,
        opened: &Opened,
        said: &str,
        missing: Option<&Missing>,
        failed: &LoadResult,
    ) -> bool {
        let mut left = tables_of(opened);
        left.retain(|table| !self.refused_tables.contains_key(&table.name));
        if left.iter().any(|table| table.is_blamed(said, missing)) {
            left.retain(|table| table.is_blamed(said, missing));
        }
        let is_less = !left.is_empty();
        let refused = left.into_iter().map(|table| (table.name, failed.clone()));
        self.refused_tables.extend(refused);
        is_less
    }

    /// `SEC(".struct_ops.link")`: whether the kernel would take the maps without that.
    fn missing_links(&self, object: &ObjectFile, said: &str, session: &Session) -> Option<Missing> {
        if !said.contains("failed to create: -EINVAL") {
            return None;
        }
        let opened = Opened::open(object, &session.options).ok()?;
        self.leave_out(&opened);
        if !struct_ops::refuse_links(&opened.maps()) || prepare(&opened).is_err() {
            return None;
        }
        Some(Missing {
            kind: MissingKind::StructOps,
            name: "BPF_F_LINK".to_owned(),
        })
    }
}

fn prepare(opened: &Opened) -> Result<(), String> {
    clear_messages();
    // SAFETY: the object is open.
    match unsafe { libbpf_sys::bpf_object__prepare(opened.as_ptr()) } {
        0 => Ok(()),
        error => {
            Err(libbpf_said().unwrap_or_else(|| io::Error::from_raw_os_error(-error).to_string()))
        }
    }
}

/// A `struct_ops` map.
struct Table {
    map: NonNull<bpf_map>,
    name: String,
    /// The kernel's.
    type_name: Option<String>,
}

impl Table {
    fn is_blamed(&self, said: &str, missing: Option<&Missing>) -> bool {
        let is_its_type =
            missing.is_some_and(|missing| self.type_name.as_ref() == Some(&missing.name));
        is_its_type
            || said.contains(&format!("init_kern {}:", self.name))
            || said.contains(&format!("'{}'", self.name))
    }
}

fn tables_of(opened: &Opened) -> Vec<Table> {
    let maps = opened.maps().into_iter();
    maps.filter(|&map| struct_ops::is_struct_ops(map))
        .map(|map| Table {
            map,
            name: map_name(map),
            type_name: struct_ops::find_type(opened.as_ptr(), map),
        })
        .collect()
}

fn blames_struct_ops(opened: &Opened, said: &str) -> bool {
    let mut maps = opened.maps().into_iter();
    maps.any(|map| {
        struct_ops::is_struct_ops(map)
            && (said.contains("struct_ops") || said.contains(&format!("'{}'", map_name(map))))
    })
}

/// `struct_ops init_kern: struct bpf_struct_ops_sched_ext_ops is not found in kernel BTF`
fn missing_struct(said: &str) -> Option<Missing> {
    let (before, _) = said.split_once(" is not found in kernel BTF")?;
    let name = before.rsplit(' ').next()?;
    let name = name.strip_prefix("bpf_struct_ops_").unwrap_or(name);
    Some(Missing {
        kind: MissingKind::StructOps,
        name: name.to_owned(),
    })
}

/// `struct_ops init_kern table: Cannot find member later in kernel BTF`
fn missing_member(opened: &Opened, said: &str) -> Option<Missing> {
    let (before, after) = said.split_once(": Cannot find member ")?;
    let table_name = before.rsplit(' ').next()?;
    let member = after.split(' ').next()?;
    let table = tables_of(opened)
        .into_iter()
        .find(|table| table.name == table_name)?;
    Some(Missing {
        kind: MissingKind::StructOps,
        name: format!("{}.{member}", table.type_name?),
    })
}

/// A verdict on all programs.
fn whole_failure(opened: &Opened, said: String) -> LoadResult {
    let missing = missing_map(opened, &said);
    let why = match &missing {
        Some(missing) => format!("{said}\n{}", describe_missing(missing)),
        None => explain_failure(said),
    };
    LoadResult::Failed { why, missing }
}

/// `map 'ring': failed to create: -EINVAL`
fn missing_map(opened: &Opened, said: &str) -> Option<Missing> {
    let (before, _) = said.split_once("': failed to create: -EINVAL")?;
    let map = opened.find_map(before.rsplit('\'').next()?)?;
    // SAFETY: the map belongs to this object.
    find_missing_map(unsafe { libbpf_sys::bpf_map__type(map.as_ptr()) })
}

pub struct Prepared {
    opened: Opened,
    license: CString,
}

/// How a load of one program ended.
pub enum Attempt {
    Loaded(Loaded),
    Refused(Refusal, ProgramKind),
    /// libbpf does more for such a program than this does.
    NotHere,
}

impl Prepared {
    pub fn load(
        &self,
        program: &ProgramFacts,
        session: &mut Session,
        detail: LogDetail,
    ) -> Result<Attempt> {
        let found = self
            .opened
            .find_program(&program.name)
            .context("a program is gone")?;
        let Some(kind) = self.kind_of(program, found, session) else {
            return Ok(Attempt::NotHere);
        };
        let mut log = LogBuffer::default();
        let (loaded, late) =
            session.time(|| self.load_kind(program, found, &kind, &mut log, detail))?;
        let log = log.log_text();
        Ok(match loaded {
            Ok(descriptor) => Attempt::Loaded(Loaded {
                descriptor,
                log,
                kind,
            }),
            Err(error) => Attempt::Refused(Refusal { error, log, late }, kind),
        })
    }

    /// What libbpf would ask the kernel for; `None` where it does more than can be done here.
    fn kind_of(
        &self,
        program: &ProgramFacts,
        found: NonNull<bpf_program>,
        session: &Session,
    ) -> Option<ProgramKind> {
        let section = &program.section;
        let name = section.name();
        // libbpf asks the kernel how to attach these, or loads another program before.
        if name.starts_with("usdt") || section.is_freplace() {
            return None;
        }
        // Its functions come from a module: libbpf hands over a table of descriptors.
        if instructions(found).iter().any(calls_module) {
            return None;
        }
        let (prog_type, _) = section.types()?;
        // SAFETY: the program belongs to an object that is open.
        let (expected_attach_type, own_flags) = unsafe {
            (
                libbpf_sys::bpf_program__expected_attach_type(found.as_ptr()),
                libbpf_sys::bpf_program__flags(found.as_ptr()),
            )
        };
        let attach_btf_id =
            match prog_type {
                libbpf_sys::BPF_PROG_TYPE_STRUCT_OPS => {
                    session.types()?.find_struct(program.struct_ops.as_ref()?)?
                }
                libbpf_sys::BPF_PROG_TYPE_TRACING | libbpf_sys::BPF_PROG_TYPE_LSM => session
                    .types()?
                    .find_target(expected_attach_type, section.target()?)?,
                _ => 0,
            };
        Some(ProgramKind {
            prog_type,
            expected_attach_type,
            prog_flags: own_flags | section.program_flags(),
            attach_btf_id,
        })
    }

    fn load_kind(
        &self,
        program: &ProgramFacts,
        found: NonNull<bpf_program>,
        kind: &ProgramKind,
        log: &mut LogBuffer,
        detail: LogDetail,
    ) -> io::Result<OwnedFd> {
        let name = CString::new(program.name.as_str())?;
        kind.load_code(self.code_of(&name, found), log, detail)
    }

    fn code_of<'a>(&'a self, name: &'a CStr, found: NonNull<bpf_program>) -> ProgramCode<'a> {
        ProgramCode {
            name,
            license: &self.license,
            instructions: instructions(found),
            options: self.options_of(found),
        }
    }

    /// Loads it for what its verification costs. `None` where that cannot be told here.
    pub fn measure(
        &self,
        program: &ProgramFacts,
        session: &mut Session,
    ) -> Result<Option<MeasuredCost>> {
        let found = self
            .opened
            .find_program(&program.name)
            .context("a program is gone")?;
        let Some(kind) = self.kind_of(program, found, session) else {
            return Ok(None);
        };
        let name = CString::new(program.name.as_str())?;
        let load = |target| kind.load_with_target(self.code_of(&name, found), target);
        measure_load(session, load).map(Some)
    }

    /// The kernel's version, which old programs name, and types of functions and lines of source,
    /// if the kernel took the object's BTF.
    fn options_of(&self, found: NonNull<bpf_program>) -> bpf_prog_load_opts {
        let (object, found) = (self.opened.as_ptr(), found.as_ptr());
        let mut options = bpf_prog_load_opts::default();
        // SAFETY: the object is open, and keeps what its programs point to.
        unsafe {
            options.kern_version = libbpf_sys::bpf_object__kversion(object);
            let Ok(types) = u32::try_from(libbpf_sys::bpf_object__btf_fd(object)) else {
                return options;
            };
            options.prog_btf_fd = types;
            options.func_info = libbpf_sys::bpf_program__func_info(found).cast();
            options.func_info_cnt = libbpf_sys::bpf_program__func_info_cnt(found);
            options.line_info = libbpf_sys::bpf_program__line_info(found).cast();
            options.line_info_cnt = libbpf_sys::bpf_program__line_info_cnt(found);
        }
        if !options.func_info.is_null() {
            options.func_info_rec_size = mem::size_of::<bpf_func_info>() as u32;
        }
        if !options.line_info.is_null() {
            options.line_info_rec_size = mem::size_of::<bpf_line_info>() as u32;
        }
        options
    }

    fn notes_on(&self, program: &ProgramFacts) -> Vec<String> {
        let Some(found) = self.opened.find_program(&program.name) else {
            return Vec::new();
        };
        let notes = self.opened.map_notes.iter();
        let mut notes: Vec<String> = notes
            .filter(|(map, _)| self.uses_map(found, map))
            .map(|(_, note)| note.clone())
            .collect();
        if self.has_refused_types() {
            notes.push(
                "the kernel refused this object's BTF; libbpf goes on without it, aya does not"
                    .to_owned(),
            );
        }
        notes
    }

    fn has_refused_types(&self) -> bool {
        let object = self.opened.as_ptr();
        // SAFETY: the object is open.
        unsafe {
            !libbpf_sys::bpf_object__btf(object).is_null()
                && libbpf_sys::bpf_object__btf_fd(object) < 0
        }
    }

    fn uses_map(&self, found: NonNull<bpf_program>, map: &str) -> bool {
        let Some(map) = self.opened.find_map(map) else {
            return false;
        };
        // SAFETY: the map belongs to an object that is open.
        let descriptor = unsafe { libbpf_sys::bpf_map__fd(map.as_ptr()) };
        let names_it = |instruction: &bpf_insn| names_map(instruction, descriptor);
        instructions(found).iter().any(names_it)
    }
}

/// The instructions of a program and of what it calls, relocated.
fn instructions<'a>(program: NonNull<bpf_program>) -> &'a [bpf_insn] {
    // SAFETY: the program belongs to an object that stays open and as it is.
    unsafe {
        let first = libbpf_sys::bpf_program__insns(program.as_ptr());
        if first.is_null() {
            return &[];
        }
        let count = libbpf_sys::bpf_program__insn_cnt(program.as_ptr());
        slice::from_raw_parts(first, count as usize)
    }
}

/// A call of a kernel function that is not in the kernel itself.
fn calls_module(instruction: &bpf_insn) -> bool {
    u32::from(instruction.code) == BPF_JMP | BPF_CALL
        && u32::from(instruction.src_reg()) == BPF_PSEUDO_KFUNC_CALL
        && instruction.off != 0
}

fn names_map(instruction: &bpf_insn, descriptor: i32) -> bool {
    let source = u32::from(instruction.src_reg());
    u32::from(instruction.code) == BPF_LD | BPF_IMM | BPF_DW
        && (source == BPF_PSEUDO_MAP_FD || source == BPF_PSEUDO_MAP_VALUE)
        && instruction.imm == descriptor
}
