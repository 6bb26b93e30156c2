//! Maps: who changes what below one directory?

mod aya;
mod change;
mod demo;
mod directory;
mod hook;
mod libbpf;
mod monitor;
mod own_map;
#[path = "../ebpf/src/records.rs"]
mod records;
mod screen;
mod session;
mod settings;
mod summary;

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::Result;
use clap::Parser;
use common::machine::{self, Need};
use common::{Implementation, Stop};

use demo::Demo;
use directory::Directory;
use hook::Change;
use screen::Screen;
use session::Session;
use settings::Settings;

const NEEDS: [Need; 3] = [Need::Root, Need::Kprobes, Need::Btf];

/// Shows every change of a name below one directory: what was done to which name, and by which
/// process.
///
/// Needs root. Runs until Ctrl-C, then sums up. A change is shown when a process asks for it, which
/// is a moment before it happens: removing a folder that is not empty is shown, and fails. Another
/// file system that is mounted below the directory is not seen.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The directory to watch, with all folders below it
    #[arg(value_parser = directory::existing, required_unless_present_any = ["demo", "play"])]
    directory: Option<PathBuf>,
    /// Which of the two programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Change names in a folder of its own, show what was seen and what the maps hold, and stop
    #[arg(long, conflicts_with_all = ["directory", "kinds", "process"])]
    demo: bool,
    /// Show one kind of change; may be given several times
    #[arg(long = "kind", value_enum, value_name = "KIND")]
    kinds: Vec<Change>,
    /// Show changes by processes of this name
    #[arg(long, value_name = "NAME", value_parser = settings::process_name)]
    process: Option<[u64; 2]>,
    /// Size of the ring buffer, in KiB: a power of two, from 4 on
    #[arg(long, value_name = "KIB", default_value = "256", value_parser = settings::buffer)]
    buffer: u32,
    /// How many processes the table of processes has room for
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    processes: u32,
    /// List the maps of the program at the end, as --demo does
    #[arg(long)]
    maps: bool,
    /// Print one JSON object a line: one for each change, and one that sums up
    #[arg(long)]
    json: bool,
    /// How many changes the last part of the demo makes at once
    #[arg(long, value_name = "N", default_value_t = 1200, requires = "demo")]
    storm: u32,
    /// The demo starts this program again, to have another process: it takes this name and makes
    /// this file
    #[arg(long, hide = true, num_args = 2, value_names = ["NAME", "FILE"])]
    play: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    common::exit_code(match cli.play.as_deref() {
        Some([name, file]) => demo::play(name, file),
        _ => run(cli),
    })
}

fn run(cli: Cli) -> Result<()> {
    machine::check(env!("CARGO_PKG_NAME"), &NEEDS)?;
    let stop = Stop::catch()?;
    let demo = if cli.demo {
        Some(Demo::new(cli.storm)?)
    } else {
        None
    };
    let path = demo
        .as_ref()
        .map(Demo::folder)
        .or(cli.directory)
        .unwrap_or_default();
    let directory = Directory::open(path)?;
    let settings = Settings {
        watched: directory.watched()?,
        only_process: cli.process.unwrap_or_default(),
        buffer: cli.buffer,
        processes: cli.processes,
        hooks: hook::of(&cli.kinds),
    };
    let (sender, changes) = mpsc::channel();
    let session = Session {
        changes,
        stop,
        screen: Screen::new(cli.json),
        maps: cli.maps || cli.demo,
    };
    match cli.implementation {
        Implementation::Aya => session.run(&settings, aya::start(&settings, sender)?, demo),
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            session.run(
                &settings,
                libbpf::start(&mut storage, &settings, sender)?,
                demo,
            )
        }
    }
}
