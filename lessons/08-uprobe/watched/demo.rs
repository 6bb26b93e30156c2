//! What the demos watch: functions and probe points of this program in child processes, and a
//! function of the C library.

use std::env;
use std::path::Path;

use anyhow::{Context as _, Result};
use common::ring_buffer::RingBuffer;
use common::{elf, record, say};

use crate::options::{Kind, Watch};
use crate::program::Target;

const TEXT: &[Kind] = &[Kind::String];
const TEXT_AND_NUMBER: &[Kind] = &[Kind::String, Kind::Int];

/// `watch` attaches, calls what it is given, and detaches.
pub fn show_functions(
    watch: impl Fn(&Watch, &mut dyn FnMut(&mut dyn RingBuffer) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let mut targets = [Target::start()?, Target::start()?];
    say("watched    this program again, in two child processes; both do the same")?;
    let own = env::current_exe().context("cannot find this program")?;
    let libc = elf::find_library(Path::new("libc.so.6"))?;
    let pid = Some(targets[0].child.id());
    let in_both = Watch::new(&own, "greet", None, TEXT_AND_NUMBER);
    let in_one = Watch {
        pid,
        ..in_both.clone()
    };
    let rust = Watch::new(&own, "uprobe::program::count_letters", pid, TEXT_AND_NUMBER);
    let library = Watch::new(&libc, "getenv", pid, TEXT);
    let sleepable = Watch {
        sleepable: true,
        ..in_one.clone()
    };
    let mut show = |word: &str, watched: &Watch| {
        watch(watched, &mut |events| {
            for target in &mut targets {
                target.ask(word)?;
            }
            show_events(events, watched)
        })
    };
    show("greet", &in_one)?;
    show("greet", &in_both)?;
    show("count", &rust)?;
    show("getenv", &library)?;
    show("greet-late", &in_one)?;
    // Where the kernel refuses the program, libbpf would show the verifier's log.
    libbpf_rs::set_print(None);
    if show("greet-late", &sleepable).is_err() {
        say("  refused: this kernel does not load a sleepable uprobe")?;
    }
    Ok(())
}

pub fn show_points(
    watch: impl Fn(&Watch, &mut dyn FnMut(&mut dyn RingBuffer) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let own = env::current_exe().context("cannot find this program")?;
    let mut target = Target::start()?;
    let pid = Some(target.child.id());
    for watched in [
        Watch::new(&own, "lesson:request", pid, &[Kind::Int, Kind::String]),
        Watch::new(&own, "lesson:reply", pid, &[Kind::Int, Kind::Int]),
    ] {
        watch(&watched, &mut |events| {
            target.ask("serve")?;
            show_events(events, &watched)?;
            let semaphore = target.ask("semaphore")?;
            say(&format!("  the semaphore of lesson:reply is {semaphore}"))
        })?;
    }
    let semaphore = target.ask("semaphore")?;
    say(&format!(
        "\nthe semaphore of lesson:reply is {semaphore} in the end"
    ))
}

/// The targets have answered, so every program has run: all events are in the ring buffer.
fn show_events(events: &mut dyn RingBuffer, watched: &Watch) -> Result<()> {
    while let Some(bytes) = events.next_record()? {
        say(&watched.format_event(&record::from_bytes(&bytes)?))?;
    }
    Ok(())
}
