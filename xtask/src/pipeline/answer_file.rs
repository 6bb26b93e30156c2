//! The files of an answer: read, and written without losing what was there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use checkout::workspace;
use course::Implementation;
use course::exercises::{Exercise, Variant};

use crate::output::screen;
use crate::pipeline::answer_build::course_path;

/// Writes the files of a starter or a solution over the answer's, after it kept copies of those
/// that are there. A file that is the same already stays as it is.
pub fn write_answer(
    exercise: &Exercise,
    implementation: Implementation,
    from: Variant,
) -> Result<()> {
    let paths = |variant| exercise.source_paths(variant, implementation);
    for (path, source) in paths(Variant::Answer).iter().zip(paths(from)) {
        let text = read_program(&source)?;
        if fs::read(path).ok().as_deref() != Some(text.as_bytes()) {
            write_file(exercise, path, &text)?;
        }
    }
    Ok(())
}

fn write_file(exercise: &Exercise, path: &Path, text: &str) -> Result<()> {
    if path.exists() {
        let copy = copy_of(exercise, path)?;
        screen::show_note(&format!("your answer is kept: {}", course_path(&copy)));
    }
    let directory = path.parent().context("an answer is in a directory")?;
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let work = tempfile::NamedTempFile::new_in(directory)
        .with_context(|| format!("cannot write in {}", directory.display()))?;
    fs::write(work.path(), text).with_context(|| format!("cannot write {}", path.display()))?;
    work.persist(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    screen::show_note(&format!("written: {}", course_path(path)));
    Ok(())
}

fn copy_of(exercise: &Exercise, path: &Path) -> Result<PathBuf> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let name = path
        .file_name()
        .context("an answer is a file")?
        .to_string_lossy();
    let directory = workspace::workspace_root()
        .join(".kept")
        .join(exercise.base_name());
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    // Two in one second must not take each other's place.
    let names = (0..).map(|number| directory.join(format!("{seconds}-{number}-{name}")));
    let copy = names
        .into_iter()
        .find(|path| !path.exists())
        .context("cannot find a name for a copy")?;
    fs::copy(path, &copy).with_context(|| format!("cannot keep a copy of {}", path.display()))?;
    Ok(copy)
}

/// What such a file holds; bytes that are no text are replaced.
pub fn read_program(path: &Path) -> Result<String> {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .with_context(|| format!("cannot read {}", path.display()))
}
