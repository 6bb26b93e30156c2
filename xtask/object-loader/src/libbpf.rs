//! Loads with libbpf.

use std::os::fd::AsFd as _;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use libbpf_rs::{
    AsRawLibbpf as _, Error, ObjectBuilder, OpenObject, PrintLevel, libbpf_sys, set_print,
};
use plan::load::LoadResult;

use crate::object_file::ObjectFile;
use crate::{Tell, info};

/// What libbpf said since the last look. Its own print function gets no context.
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Errors and statistics, but no instructions: short, whatever the program.
const BRIEF: u32 = 4;

/// What libbpf itself asks for when a program was rejected.
const FULL: u32 = 1;

/// The most that a kernel of this course may need. It must not be written to before it is needed.
const BUFFER: usize = 16 << 20;

/// How the kernel says that a program is too large to be followed to its end. Its full log is of no
/// use to anyone.
const TOO_LARGE: &str = "BPF program is too large";

/// Takes what libbpf says, in place of its print to standard error.
pub fn keep_messages() {
    set_print(Some((PrintLevel::Warn, |_, message| {
        messages().push(message)
    })));
}

fn messages() -> std::sync::MutexGuard<'static, Vec<String>> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Loads the programs one by one: libbpf stops at the first that fails.
pub fn load(object: &ObjectFile, tell: Tell<'_>) -> Result<()> {
    let opened = match open(object) {
        Ok(opened) => opened,
        Err(error) => return tell("", "", failed(&error)),
    };
    let programs: Vec<(String, String)> = opened
        .progs()
        .map(|program| {
            (
                program.name().to_string_lossy().into_owned(),
                program.section().to_string_lossy().into_owned(),
            )
        })
        .collect();
    drop(opened);
    for (name, section) in programs {
        tell(&name, &section, load_one(object, &name)?)?;
    }
    Ok(())
}

fn open(object: &ObjectFile) -> Result<OpenObject, Error> {
    messages().clear();
    // Its maps of global variables are called after it; libbpf would take an address.
    ObjectBuilder::default()
        .name("object")?
        .open_memory(&object.bytes)
}

fn load_one(object: &ObjectFile, name: &str) -> Result<LoadResult> {
    let brief = attempt(object, name, BRIEF)?;
    let LoadResult::Rejected { log, .. } = &brief else {
        return Ok(brief);
    };
    if log.contains(TOO_LARGE) {
        return Ok(brief);
    }
    // Where even the buffer is too small for the full log, the error alone must do.
    Ok(match attempt(object, name, FULL)? {
        full @ LoadResult::Rejected { .. } => full,
        _ => brief,
    })
}

fn attempt(object: &ObjectFile, name: &str, level: u32) -> Result<LoadResult> {
    let mut opened = open(object).context("open the object again")?;
    let mut buffer = vec![0u8; BUFFER];
    for mut program in opened.progs_mut() {
        let wanted = program.name() == name;
        program.set_autoload(wanted);
        if wanted {
            program.set_log_level(level);
            // SAFETY: the program lives as long as `opened`, and `buffer` outlives that.
            unsafe {
                libbpf_sys::bpf_program__set_log_buf(
                    program.as_libbpf_object().as_ptr(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len() as u64,
                );
            }
        }
    }
    let loaded = opened.load();
    let end = buffer
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(buffer.len());
    let text = String::from_utf8_lossy(&buffer[..end]).into_owned();
    Ok(match loaded {
        Ok(object) => {
            let program = object.progs().find(|program| program.name() == name);
            let program = program.context("find the program that was loaded")?;
            LoadResult::Accepted(info::of(program.as_fd(), &text))
        }
        Err(error) if text.is_empty() => failed(&error),
        Err(error) => LoadResult::Rejected {
            error: error.to_string(),
            log: plan::log::shortened(&text),
        },
    })
}

/// libbpf's own words say more than the error number that comes with them.
fn failed(error: &Error) -> LoadResult {
    let said: Vec<String> = messages()
        .drain(..)
        .map(|message| message.trim_end().to_owned())
        .collect();
    LoadResult::Failed {
        why: if said.is_empty() {
            error.to_string()
        } else {
            said.join("\n")
        },
    }
}
