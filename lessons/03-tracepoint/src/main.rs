//! Who executes what: one event, watched in three ways.

mod aya;
mod demo;
mod event;
mod explanation;
mod format;
mod libbpf;
mod offsets;
mod row;
mod session;
mod settings;
mod way;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use common::Implementation;
use common::machine::{self, Need};

use session::{Session, View};
use settings::{Settings, USUAL_BUFFER};
use way::Choice;

/// Shows every program that is executed on this machine: when, by whom, and from which file.
///
/// Needs root. Goes on until Ctrl-C, which detaches and prints a summary. The time is in seconds
/// since the kernel booted, without the time it slept.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which of the two programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// How to watch the event; btf if not given, and all in the demo
    #[arg(long, value_enum, value_name = "WAY")]
    way: Option<Choice>,
    /// Show only programs of this name, as the kernel has it: the file's name, cut to 15 bytes
    #[arg(long, value_name = "NAME", conflicts_with = "demo")]
    comm: Option<String>,
    /// Show only what this user executes, as a number
    #[arg(long, value_name = "UID", conflicts_with = "demo")]
    uid: Option<u32>,
    /// Print a JSON object a line: one for each event, and one at the end
    #[arg(long)]
    json: bool,
    /// Size of the ring buffer in bytes: a power of two from 4096 on
    #[arg(long, value_name = "BYTES", default_value_t = USUAL_BUFFER, value_parser = buffer)]
    buffer: u32,
    /// Execute a few programs, show what each of the three ways saw of them, and stop
    #[arg(long)]
    demo: bool,
    /// Go on after the demo, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// One of the demo's programs: executes the file from a second thread
    #[arg(long, hide = true, value_name = "FILE")]
    from_thread: Option<PathBuf>,
}

fn main() -> ExitCode {
    common::exit_code(run(Cli::parse()))
}

fn run(cli: Cli) -> Result<()> {
    if let Some(file) = cli.from_thread {
        return demo::execute_from_thread(file);
    }
    machine::check(env!("CARGO_PKG_NAME"), &[Need::Root])?;
    let usual = if cli.demo { Choice::All } else { Choice::Btf };
    let settings = Settings::find(cli.way.unwrap_or(usual), cli.implementation, cli.buffer)?;
    let view = View {
        json: cli.json,
        comm: cli.comm,
        uid: cli.uid,
    };
    let mut session = Session::start(&settings, view, cli.demo, cli.follow || !cli.demo)?;
    match cli.implementation {
        Implementation::Aya => aya::run(&settings, &mut session),
        Implementation::Libbpf => libbpf::run(&settings, &mut session),
    }
}

/// The kernel wants whole pages, and a power of two.
fn buffer(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(bytes @ 4096u32..) if bytes.is_power_of_two() => Ok(bytes),
        _ => Err("it must be a power of two from 4096 on".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_buffer_is_a_power_of_two_of_whole_pages() {
        for text in ["4096", "8192", "2147483648"] {
            assert_eq!(
                buffer(text).map(|bytes| bytes.to_string()).as_deref(),
                Ok(text)
            );
        }
        for text in [
            "",
            "0",
            "2048",
            "4097",
            "12288",
            "-4096",
            "4294967296",
            "4k",
        ] {
            assert!(buffer(text).is_err(), "{text}");
        }
    }
}
