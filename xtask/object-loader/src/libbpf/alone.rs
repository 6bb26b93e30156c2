//! Loads one program with an object and maps of its own, wholly by libbpf.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use anyhow::{Context as _, Result};
use libbpf_sys::bpf_program;
use plan::load::{Accepted, LoadResult, Missing};
use verifier_output::{LogBuffer, LogDetail, clear_messages};

use super::loaded::Loaded;
use super::messages::{libbpf_said, missing_target};
use super::opened::{Opened, ProgramFacts};
use super::struct_ops;
use crate::attempt::Refusal;
use crate::failure::explain_failure;
use crate::log::{has_error, read_processed};
use crate::missing::missing_by_name;
use crate::object_file::ObjectFile;
use crate::program_kind::ProgramKind;
use crate::session::Session;

/// The program that a program of the type `freplace` changes.
pub struct Replaced<'a> {
    pub program: BorrowedFd<'a>,
    pub function: &'a str,
}

/// It was not loaded.
pub struct Refused {
    pub refusal: Refusal,
    /// libbpf's.
    said: Option<String>,
    /// What it attaches to, where this kernel does not have it.
    missing: Option<Missing>,
    kind: ProgramKind,
}

impl Refused {
    /// libbpf's words say more than the error number that comes with them.
    pub fn why(self) -> String {
        match self.said {
            Some(said) => explain_failure(said),
            None => self.refusal.error.to_string(),
        }
    }

    pub fn into_result(self, seconds: Option<u64>) -> LoadResult {
        if self.is_accepted() {
            return LoadResult::Accepted(Accepted {
                processed: read_processed(&self.refusal.log),
                ..Accepted::default()
            });
        }
        // The kernel was asked: what it and the verifier say counts.
        if self.refusal.is_rejection() || self.refusal.is_late() || self.is_refused_by_kernel() {
            return self.refusal.into_result(seconds, &self.kind);
        }
        LoadResult::Failed {
            missing: self.missing.clone(),
            why: self.why(),
        }
    }

    /// The kernel took the program, and after it libbpf could not fill an array of programs with
    /// those that are not loaded here.
    fn is_accepted(&self) -> bool {
        !self.refusal.log.is_empty()
            && !has_error(&self.refusal.log)
            && self.has_said("failed to initialize slot")
    }

    fn is_refused_by_kernel(&self) -> bool {
        self.has_said("BPF program load failed")
    }

    fn has_said(&self, words: &str) -> bool {
        self.said.as_ref().is_some_and(|said| said.contains(words))
    }
}

pub fn load(
    object: &ObjectFile,
    program: &ProgramFacts,
    session: &mut Session,
    replaced: Option<&Replaced<'_>>,
    detail: LogDetail,
) -> Result<Result<Loaded, Refused>> {
    let opened = Opened::open(object, &session.options).map_err(anyhow::Error::msg)?;
    let found = opened
        .find_program(&program.name)
        .context("a program is gone")?;
    let others = opened.programs().iter();
    let mut others: Vec<_> = others
        .filter_map(|other| opened.find_program(&other.name))
        .collect();
    others.retain(|&other| other != found);
    for &other in &others {
        opened.set_autoload(other, false);
    }
    opened.set_autoload(found, true);
    struct_ops::isolate_program(&opened.maps(), found, &others);
    let kind = kind_of(program, found, session);
    clear_messages();
    if let Err(refused) = set_target(program, found, session, replaced, kind) {
        return Ok(Err(refused));
    }
    let mut log = LogBuffer::default();
    set_log(found, &mut log, detail);
    // SAFETY: the object is open, and the buffer for the log outlives the load.
    let load = || check(unsafe { libbpf_sys::bpf_object__load(opened.as_ptr()) });
    let (loaded, late) = session.time(load)?;
    let log = log.log_text();
    Ok(match loaded {
        Ok(()) => Ok(Loaded {
            descriptor: descriptor_of(found)?,
            log,
            kind,
        }),
        Err(error) => {
            let said = libbpf_said();
            Err(Refused {
                refusal: Refusal { error, log, late },
                missing: said.as_ref().and_then(|said| missing_target(said, &kind)),
                said,
                kind,
            })
        }
    })
}

fn kind_of(program: &ProgramFacts, found: NonNull<bpf_program>, session: &Session) -> ProgramKind {
    let section = &program.section;
    // SAFETY: the program belongs to an open object.
    let expected_attach_type =
        unsafe { libbpf_sys::bpf_program__expected_attach_type(found.as_ptr()) };
    let asked = session.options.target_of(&program.name);
    let target = asked.or(section.target());
    let attach_btf_id = target
        .filter(|_| section.is_checked_against_target())
        .zip(session.types())
        .and_then(|(target, types)| types.find_target(expected_attach_type, target));
    ProgramKind {
        prog_type: section.types().map_or(0, |(prog_type, _)| prog_type),
        expected_attach_type,
        prog_flags: section.program_flags(),
        attach_btf_id: attach_btf_id.unwrap_or_default(),
    }
}

/// Says what a program attaches to, where it must know that before it is loaded. A user's word
/// counts more than the section's: a user-space program may change that too.
fn set_target(
    program: &ProgramFacts,
    found: NonNull<bpf_program>,
    session: &Session,
    replaced: Option<&Replaced<'_>>,
    kind: ProgramKind,
) -> Result<(), Refused> {
    let (descriptor, target) = match replaced {
        Some(replaced) => (replaced.program.as_raw_fd(), replaced.function),
        None if !program.section.is_checked_against_target() => return Ok(()),
        None => match session.options.target_of(&program.name) {
            Some(target) => (0, target),
            // The section names it.
            None => return Ok(()),
        },
    };
    let refuse = |error: io::Error| Refused {
        said: Some(match libbpf_said() {
            Some(said) => said,
            None => format!("its target {target} is not in this kernel's BTF: {error}"),
        }),
        missing: replaced
            .is_none()
            .then(|| missing_by_name(kind.expected_attach_type, target))
            .flatten(),
        refusal: Refusal {
            error,
            log: String::new(),
            late: false,
        },
        kind,
    };
    let name = CString::new(target).map_err(|error| refuse(error.into()))?;
    // SAFETY: the program's object is not loaded yet, and the name ends with a zero byte.
    let failed = unsafe {
        libbpf_sys::bpf_program__set_attach_target(found.as_ptr(), descriptor, name.as_ptr())
    };
    check(failed).map_err(refuse)
}

fn set_log(found: NonNull<bpf_program>, log: &mut LogBuffer, detail: LogDetail) {
    let bytes = log.as_mut_bytes();
    // SAFETY: the program's object is not loaded yet; whoever loads it keeps the buffer until then.
    unsafe {
        libbpf_sys::bpf_program__set_log_level(found.as_ptr(), detail.log_level());
        libbpf_sys::bpf_program__set_log_buf(
            found.as_ptr(),
            bytes.as_mut_ptr().cast(),
            bytes.len() as u64,
        );
    }
}

fn descriptor_of(found: NonNull<bpf_program>) -> Result<OwnedFd> {
    // SAFETY: the program belongs to an object that is open.
    let descriptor = unsafe { libbpf_sys::bpf_program__fd(found.as_ptr()) };
    check(descriptor.min(0)).context("the program was loaded and is gone")?;
    // SAFETY: the object keeps the descriptor open until the copy is made.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(descriptor.try_clone_to_owned()?)
}

/// libbpf returns negative error numbers.
fn check(returned: i32) -> io::Result<()> {
    match returned {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}
