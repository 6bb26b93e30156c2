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
    let name = kept_name(&exercise.directory, path);
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

/// `ebpf-main.rs` for `ebpf/src/main.rs`: the files of an answer may have the same name.
fn kept_name(directory: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(directory).unwrap_or(path);
    let parts = [inside.iter().next(), inside.file_name()];
    let parts = parts
        .into_iter()
        .flatten()
        .map(|part| part.to_string_lossy());
    parts.collect::<Vec<_>>().join("-")
}

/// What such a file holds; bytes that are no text are replaced.
pub fn read_program(path: &Path) -> Result<String> {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_an_answers_files_have_different_names() {
        let directory = Path::new("/course/exercises/own-tool");
        let name = |file: &str| kept_name(directory, &directory.join(file));
        assert_eq!(name("aya/src/main.rs"), "aya-main.rs");
        assert_eq!(name("ebpf/src/main.rs"), "ebpf-main.rs");
        assert_eq!(name("bpf/main.bpf.c"), "bpf-main.bpf.c");
    }
}
