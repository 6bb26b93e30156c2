//! When a file is saved: as the kernel tells it, or by looking again and again.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context as _, Result};
use notify::{Config, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use problem::Problem;

use crate::commands::watch::event::WatchEvent;
use crate::commands::watch::mount::find_remote_file_system;
use crate::output::screen;
use crate::pipeline::answer_build::course_path;

/// Watches the directories of these files: many editors replace a file instead of writing to it.
/// Where the kernel does not see each save, has no watch left to give, or the file system has none,
/// the files are looked at again and again.
pub fn watch_files(
    files: &[PathBuf],
    poll: bool,
    sender: &Sender<WatchEvent>,
) -> Result<Box<dyn Watcher>, Problem> {
    let remote = files.iter().find_map(|file| find_remote_file_system(file));
    if let Some(file_system) = remote.as_ref().filter(|_| !poll) {
        show_polling(&format!(
            "the files are on a {file_system} file system, where saves may not be noticed"
        ));
    }
    if !poll && remote.is_none() {
        match watch_directories(files, false, sender.clone()) {
            Ok(watcher) => return Ok(watcher),
            Err(error) => show_polling(&format!("{error:#}")),
        }
    }
    watch_directories(files, true, sender.clone()).map_err(|error| {
        Problem::machine(format!("{error:#}")).help("cargo xtask check    (checks once)")
    })
}

fn show_polling(why: &str) {
    screen::show_note(&format!("{why}: looking at them twice a second instead"));
}

fn watch_directories(
    files: &[PathBuf],
    poll: bool,
    sender: Sender<WatchEvent>,
) -> Result<Box<dyn Watcher>> {
    let tell = move |happened: notify::Result<notify::Event>| {
        let event = match happened {
            // This program reads the files itself.
            Ok(event) if event.kind.is_access() => return,
            Ok(_) => WatchEvent::Changed,
            Err(error) => WatchEvent::Blind(error.to_string()),
        };
        // The other end is gone only when the program ends.
        let _ = sender.send(event);
    };
    let mut watcher: Box<dyn Watcher> = if poll {
        let config = Config::default()
            .with_poll_interval(Duration::from_millis(500))
            .with_compare_contents(true);
        Box::new(PollWatcher::new(tell, config).context("cannot watch the files")?)
    } else {
        Box::new(
            RecommendedWatcher::new(tell, Config::default()).context("cannot watch the files")?,
        )
    };
    for path in files {
        let directory = path.parent().unwrap_or(Path::new("."));
        watcher
            .watch(directory, RecursiveMode::NonRecursive)
            .with_context(|| format!("cannot watch the files in {}", course_path(directory)))?;
    }
    Ok(watcher)
}
