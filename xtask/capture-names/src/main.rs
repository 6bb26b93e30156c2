//! Prints all names of a kernel for `cargo xtask where --update`, a line for each, its parts
//! separated by tabs.
//!
//! ```text
//!   image FILE    on this machine, what the BTF of a kernel's image describes:
//!     functions     functions, which of them are kfuncs or hooks of LSMs, raw tracepoints
//!     structs       structs and unions, field by field
//!     kernel_image  where it keeps its BTF
//!     declaration   types and functions as C declares them
//!     enumerators   numbers that the bpf system call and programs use
//!     id_sets       `.BTF_ids`, where the kernel lists the functions that it allows for something
//!   messages KNOWN SERIES=FILE...
//!                 which messages of the verifier are in which kernel's image: messages
//!   running       as root in a guest, what only the running kernel tells:
//!     symbols       which functions can be traced, and under which names they are there
//!     events        tracepoints, with the fields of their records
//! ```

mod declaration;
mod enumerators;
mod events;
mod functions;
mod id_sets;
mod kernel_image;
mod messages;
mod structs;
mod symbols;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::kernel_image::KernelImage;

fn main() -> ExitCode {
    match print_names(env::args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_names(arguments: Vec<OsString>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.as_slice() {
        [mode, path] if mode == "image" => print_image(&mut out, path)?,
        [mode, known, images @ ..] if mode == "messages" => {
            let known = fs::read_to_string(known).context("cannot read the known messages")?;
            let images: Vec<_> = images.iter().map(|image| image.to_string_lossy()).collect();
            messages::print_messages(&mut out, &known, &images)?;
        }
        [mode] if mode == "running" => {
            symbols::print_symbols(&mut out)?;
            events::print_events(&mut out)?;
        }
        _ => bail!("this takes `image FILE`, `messages KNOWN SERIES=FILE...` or `running`"),
    }
    Ok(out.flush()?)
}

fn print_image(out: &mut impl Write, path: &OsString) -> Result<()> {
    let image = fs::read(path).context("cannot read the kernel's image")?;
    let KernelImage { btf, sets } = KernelImage::parse_bytes(&image)?;
    functions::print_functions(out, &btf, &sets)?;
    functions::print_raw_tracepoints(out, &btf)?;
    structs::print_structs(out, &btf)?;
    enumerators::print_enumerators(out, &btf)?;
    Ok(())
}
