//! The shared libraries a program needs, as its own loader finds them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Asks the program's loader, as `ldd` does. Only for programs of our own: the loader that the program names is run.
pub fn needed_by(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new(program)
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output()
        .with_context(|| format!("cannot run the loader of {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.ends_with("not found")) {
        bail!("{} needs a shared library that is not installed: {}", program.display(), line.trim());
    }
    Ok(text.lines().filter_map(path_in).collect())
}

/// `libelf.so.1 => /lib/libelf.so.1 (0x7f)` or `/lib64/ld-linux-x86-64.so.2 (0x7f)`; the vDSO has no path.
fn path_in(line: &str) -> Option<PathBuf> {
    let (before, _address) = line.trim().rsplit_once(" (")?;
    let path = before.rsplit_once("=> ").map_or(before, |(_, path)| path);
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_and_the_vdso_is_not_one() {
        assert_eq!(path_in("\tlinux-vdso.so.1 (0x00007ffc)"), None);
        assert_eq!(path_in("\tlibz.so.1 => /lib/libz.so.1 (0x00007f)"), Some("/lib/libz.so.1".into()));
        assert_eq!(
            path_in("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)"),
            Some("/lib64/ld-linux-x86-64.so.2".into())
        );
        assert_eq!(path_in("\tstatically linked"), None);
    }
}
