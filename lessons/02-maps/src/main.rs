//! Maps: who changes what in one directory?

mod aya;
mod event;
mod first;
mod libbpf;
mod own_map;
mod report;
mod settings;
mod workload;

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use common::machine::{self, Need};
use common::ring_buffer::{self, RingBuffer, wait_for_record};
use common::{Implementation, Stop, kallsyms, say};

use settings::{HOOKS, Settings, parse_directory};

const LESSON: &str = env!("CARGO_PKG_NAME");

const NEEDS: [Need; 3] = [Need::Root, Need::Kprobes, Need::Btf];

/// The demo's changes arrive at once; this is for a machine that is very busy.
const DEMO_LIMIT: Duration = Duration::from_secs(10);

/// Shows each change of a name in one directory, or in a directory under it: what was done to which
/// name, and by which process.
///
/// Needs root. Runs until Ctrl-C, then sums up. A change is shown when a process asks for it, just
/// before it happens: removing a directory that is not empty is shown, and fails. Another file
/// system that is mounted in the directory is not watched.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The directory to watch, with all directories under it
    #[arg(value_parser = parse_directory, required_unless_present_any = ["demo", "first", "play"])]
    directory: Option<PathBuf>,
    /// Which of the two programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Change names in a new directory, show what was seen and what the maps hold, and stop
    #[arg(long, conflicts_with_all = ["directory", "buffer"])]
    demo: bool,
    /// The chapter's first program: how many files each process creates
    #[arg(long, conflicts_with_all = ["directory", "buffer", "demo"])]
    first: bool,
    /// Size of the ring buffer in KiB, a power of two
    #[arg(long, value_name = "KIB", default_value = "256", value_parser = ring_buffer::parse_size)]
    buffer: u32,
    /// The demo starts this program again, to have another process: it takes this name and creates
    /// this file
    #[arg(long, hide = true, num_args = 2, value_names = ["NAME", "FILE"])]
    play: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    common::exit_code(match cli.play.as_deref() {
        Some([name, file]) => workload::create_file_as(name, file),
        _ if cli.first => first::run_first(cli.implementation),
        _ => run(&cli),
    })
}

// ANCHOR: main
fn run(cli: &Cli) -> Result<()> {
    machine::check(LESSON, &NEEDS)?;
    // Missing from a kernel without CONFIG_SECURITY, like the other functions.
    kallsyms::find_function(LESSON, &["security_inode_create"])?;
    let settings = match &cli.directory {
        Some(path) => Settings::new(path, cli.buffer, 1024)?,
        // Small on purpose: the demo shows what happens when a map is full.
        None => Settings::new(&workload::create_directory()?, 4096, 2)?,
    };
    match cli.implementation {
        Implementation::Aya => {
            let mut ebpf = aya::load(&settings)?;
            let links = aya::attach(&mut ebpf, &HOOKS)?;
            let mut changes = aya::read_changes(&mut ebpf)?;
            let pause = |paused| aya::pause(&mut ebpf, paused);
            let shown = show_changes(cli, &settings, &mut changes, pause)?;
            // From here on nothing new arrives, so the numbers can match.
            drop(links);
            let received = shown + show_rest(cli, &mut changes)?;
            report::show_contents(&settings, received, aya::read_contents(&ebpf)?)?;
            own_map::show_maps(&aya::list_maps(&ebpf)?)?;
            own_map::show_watched(aya::read_watched(&ebpf)?, aya::write_watched(&mut ebpf)?)
        }
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            let mut skeleton = libbpf::load(&mut storage, &settings)?;
            let links = libbpf::attach(&mut skeleton, &HOOKS)?;
            let mut changes = libbpf::read_changes(&skeleton)?;
            let pause = |paused| libbpf::pause(&skeleton, paused);
            let shown = show_changes(cli, &settings, &mut changes, pause)?;
            drop(links);
            let received = shown + show_rest(cli, &mut changes)?;
            report::show_contents(&settings, received, libbpf::read_contents(&skeleton)?)?;
            own_map::show_maps(&libbpf::list_maps(&skeleton)?)?;
            let refused = libbpf::write_watched(&skeleton)?;
            own_map::show_watched(libbpf::read_watched(&skeleton)?, refused)
        }
    }
}
// ANCHOR_END: main

/// Returns how many changes it has shown.
fn show_changes(
    cli: &Cli,
    settings: &Settings,
    changes: &mut dyn RingBuffer,
    mut pause: impl FnMut(bool) -> Result<()>,
) -> Result<u64> {
    let stop = Stop::catch()?;
    report::show_start(settings, &HOOKS)?;
    let mut show = |limit: Option<u64>| {
        let deadline = limit.map(|_| Instant::now() + DEMO_LIMIT);
        let mut shown = 0;
        while Some(shown) != limit
            && !stop.is_set()
            && let Some(bytes) = wait_for_record(changes, &stop, deadline)?
        {
            say(&report::format_change(&bytes))?;
            shown += 1;
        }
        anyhow::Ok(shown)
    };
    if !cli.demo {
        say("\nnow change something there in another terminal; Ctrl-C ends this")?;
        return show(None);
    }
    say("\nchanges in it, one of each kind, and one outside, which is not shown:")?;
    let shown = show(Some(workload::change_one_of_each(&settings.path)?))?;
    pause(true)?;
    say("\npaused    by writing 1 to a global variable. hidden.txt is created now, unseen.")?;
    workload::create_file(&settings.path.join("hidden.txt"))?;
    pause(false)?;
    say("goes on   Two other processes create a file each:")?;
    let expected = workload::start_two_processes(&settings.path)?;
    let shown = shown + show(Some(expected))?;
    say(
        "\nstorm     1200 changes while nobody reads the ring buffer. The first that came through:",
    )?;
    workload::make_storm(&settings.path)?;
    Ok(shown)
}

/// Shows what is left in the ring buffer, or a little of the demo's storm, and returns how many
/// changes that was.
fn show_rest(cli: &Cli, changes: &mut dyn RingBuffer) -> Result<u64> {
    let mut received = 0;
    while let Some(bytes) = changes.next_record()? {
        if !cli.demo || received < 3 {
            say(&report::format_change(&bytes))?;
        }
        received += 1;
    }
    Ok(received)
}
