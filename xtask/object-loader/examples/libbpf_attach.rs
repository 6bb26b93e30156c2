//! Attaches each program of an object with libbpf's own function for that: what the loader says
//! is compared with it. A line for each program that libbpf attaches by itself and that this
//! kernel loads: its name, and `attached` or an error.

use std::ffi::OsStr;
use std::path::Path;
use std::{env, io};

use anyhow::{Context as _, Result};
use libbpf_rs::libbpf_sys::{bpf_link__destroy, bpf_program, bpf_program__attach};
use libbpf_rs::{AsRawLibbpf as _, ObjectBuilder, OpenObject, PrintLevel, set_print};

fn main() -> Result<()> {
    set_print(Some((PrintLevel::Warn, |_, _| {})));
    let path = env::args_os().nth(1).context("which object?")?;
    let open = || ObjectBuilder::default().open_file(Path::new(&path));
    let opened = open()?;
    let programs = opened.progs();
    let names: Vec<_> = programs
        .filter(|program| is_attachable(program.as_libbpf_object().as_ptr()))
        .map(|program| program.name().to_owned())
        .collect();
    for name in names {
        if let Some(result) = load_and_attach(open()?, &name) {
            println!("{} {result}", name.to_string_lossy());
        }
    }
    Ok(())
}

/// libbpf refuses all programs that are not loaded, but first those that it cannot attach by
/// itself, with an error of their own.
fn is_attachable(program: *mut bpf_program) -> bool {
    const EOPNOTSUPP: i32 = 95;
    attach(program).is_err_and(|error| error.raw_os_error() != Some(EOPNOTSUPP))
}

/// `None`: this kernel does not load it.
fn load_and_attach(mut opened: OpenObject, name: &OsStr) -> Option<String> {
    for mut program in opened.progs_mut() {
        let is_wanted = program.name() == name;
        program.set_autoload(is_wanted);
    }
    let loaded = opened.load().ok()?;
    let program = loaded.progs().find(|program| program.name() == name)?;
    Some(match attach(program.as_libbpf_object().as_ptr()) {
        Ok(()) => "attached".to_owned(),
        Err(error) => error.to_string(),
    })
}

fn attach(program: *mut bpf_program) -> io::Result<()> {
    // SAFETY: the caller's program is alive.
    let link = unsafe { bpf_program__attach(program) };
    if link.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the link was just made, and nobody else has it.
    unsafe { bpf_link__destroy(link) };
    Ok(())
}
