//! When a run got where: a file with a line for each moment, which `bench run` asks for, and for
//! each thing that was tried again, which the soak test counts.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names the file. Without it, nothing is noted.
pub const TIMELINE: &str = "XTASK_TIMELINE";

static FILE: LazyLock<Option<File>> = LazyLock::new(|| {
    let path = std::env::var_os(TIMELINE)?;
    File::options().append(true).open(path).ok()
});

/// Notes that this moment has come.
pub fn note_moment(moment: impl Display) {
    if let Some(mut file) = FILE.as_ref() {
        let line = format!("{} {moment}\n", now().as_nanos());
        // A moment that cannot be noted is missing in the table.
        let _ = file.write_all(line.as_bytes());
    }
}

/// How the moment begins at which something did not work, and is tried again or in another way.
/// What follows, up to a colon, names the cause.
pub const RETRY: &str = "tried again: ";

/// Notes that something did not work and is tried again, or in another way: the cause, in words
/// that stay the same, then after a colon what happened this time.
pub fn note_retry(why: &str) {
    // A moment is one line.
    note_moment(format_args!(
        "{RETRY}{}",
        why.lines().next().unwrap_or_default()
    ));
}

/// Notes the first word of each line that a lesson has printed.
pub fn note_output(bytes: &[u8]) {
    if FILE.is_some() {
        for line in String::from_utf8_lossy(bytes).lines() {
            let word = line.split_whitespace().next();
            word.into_iter()
                .for_each(|word| note_moment(format_args!("printed {word}")));
        }
    }
}

/// The moments of a file in their order, as times since 1970 and what has come.
pub fn parse_timeline(text: &str) -> Vec<(Duration, &str)> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(Duration, &str)> {
    let (time, moment) = line.split_once(' ')?;
    Some((Duration::from_nanos(time.parse().ok()?), moment))
}

/// The time of day, since 1970.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
