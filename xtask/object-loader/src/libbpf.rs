//! Loads with libbpf.

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use libbpf_rs::{Error, ObjectBuilder, OpenObject};
use plan::load::LoadResult;
use verifier_output::{LogBuffer, LogDetail, clear_messages, is_full_log_useful, take_messages};

use crate::info::read_info;
use crate::object_file::ObjectFile;
use crate::tell::Tell;

/// Loads the programs one by one: libbpf stops at the first that fails.
pub fn load_programs(object: &ObjectFile, tell: Tell<'_>) -> Result<()> {
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
    clear_messages();
    // Its maps of global variables are called after it; libbpf would take an address.
    ObjectBuilder::default()
        .name("object")?
        .open_memory(&object.bytes)
}

fn load_one(object: &ObjectFile, name: &str) -> Result<LoadResult> {
    let brief = attempt(object, name, LogDetail::Brief)?;
    let LoadResult::Rejected { log, .. } = &brief else {
        return Ok(brief);
    };
    if !is_full_log_useful(log) {
        return Ok(brief);
    }
    // Where even the buffer is too small for the full log, the error alone must do.
    Ok(match attempt(object, name, LogDetail::Full)? {
        full @ LoadResult::Rejected { .. } => full,
        _ => brief,
    })
}

fn attempt(object: &ObjectFile, name: &str, detail: LogDetail) -> Result<LoadResult> {
    let mut opened = open(object).context("open the object again")?;
    let mut buffer = None;
    for mut program in opened.progs_mut() {
        let wanted = program.name() == name;
        program.set_autoload(wanted);
        if wanted {
            program.set_log_level(detail.log_level());
            // SAFETY: the buffer is dropped after the load.
            buffer = Some(unsafe { LogBuffer::set_for(&mut program) });
        }
    }
    let loaded = opened.load();
    let text = buffer.map_or_else(String::new, |buffer| buffer.log_text());
    Ok(match loaded {
        Ok(object) => {
            let program = object.progs().find(|program| program.name() == name);
            let program = program.context("find the program that was loaded")?;
            LoadResult::Accepted(read_info(program.as_fd(), &text))
        }
        Err(error) if text.is_empty() => failed(&error),
        Err(error) => LoadResult::Rejected {
            error: error.to_string(),
            log: plan::log::shorten_log(&text),
        },
    })
}

/// libbpf's own words say more than the error number that comes with them.
fn failed(error: &Error) -> LoadResult {
    let said = take_messages();
    LoadResult::Failed {
        why: if said.is_empty() {
            error.to_string()
        } else {
            said.join("\n")
        },
    }
}
