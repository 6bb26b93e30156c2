//! The learner's editor: what `VISUAL` names, or else `EDITOR`.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use anyhow::{Context as _, Result};
use problem::Problem;

use crate::pipeline::conversation::has_terminal;

const VARIABLES: [&str; 2] = ["VISUAL", "EDITOR"];

/// How a shell says that it did not find a program, or could not run it.
const NOT_STARTED: [i32; 2] = [126, 127];

pub struct Editor {
    variable: &'static str,
    command: OsString,
}

impl Editor {
    pub fn from_environment() -> Result<Self> {
        if !has_terminal() {
            return Err(Problem::usage(
                "an editor needs a terminal, and standard input or output is none",
            )
            .help("cargo xtask watch    (without --edit; open the file yourself)")
            .into());
        }
        let named = VARIABLES
            .into_iter()
            .find_map(|name| Some((name, env::var_os(name).filter(|it| !it.is_empty())?)));
        let (variable, command) = named.ok_or_else(|| {
            Problem::usage("no editor is named: neither VISUAL nor EDITOR is set").help(EXAMPLE)
        })?;
        Ok(Self { variable, command })
    }

    /// `EDITOR=nano`
    pub fn setting(&self) -> String {
        format!("{}={}", self.variable, self.command.display())
    }

    /// Opens the files with it. A shell splits the command into words, as git lets it.
    ///
    /// Ctrl-C is for an editor only if it asks for it, as those in a terminal do: an editor in its
    /// own window must not end with `watch`.
    pub fn open_files(&self, files: &[PathBuf]) -> Result<Child> {
        let mut script = OsString::from("trap '' INT\n");
        script.push(&self.command);
        script.push(" \"$@\"");
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(&self.command).args(files);
        for (name, _) in env::vars_os() {
            if is_for_builds(name.as_bytes()) {
                shell.env_remove(name);
            }
        }
        shell
            .spawn()
            .with_context(|| format!("cannot start the editor ({})", self.setting()))
    }

    /// A problem if no editor was started.
    pub fn examine_end(&self, status: ExitStatus) -> Result<(), Problem> {
        match status.code() {
            Some(code) if NOT_STARTED.contains(&code) => Err(Problem::usage(format!(
                "the editor that {} names cannot be started",
                self.setting()
            ))
            .help(EXAMPLE)),
            _ => Ok(()),
        }
    }
}

/// What cargo sets for this program, and no other should have: an editor may start builds itself,
/// also of other projects.
fn is_for_builds(name: &[u8]) -> bool {
    const OTHERS: [&[u8]; 3] = [b"RUSTC_BOOTSTRAP", b"RUSTUP_TOOLCHAIN", b"CARGO"];
    OTHERS.contains(&name) || (name.starts_with(b"CARGO_") && name != b"CARGO_HOME")
}

const EXAMPLE: &str = "EDITOR=nano cargo xtask watch --edit    (or vim, or code, ...)";

#[cfg(test)]
mod tests {
    use super::is_for_builds;

    #[test]
    fn an_editor_gets_no_settings_of_this_build() {
        for name in ["CARGO", "CARGO_BUILD_BUILD_DIR", "RUSTC_BOOTSTRAP"] {
            assert!(is_for_builds(name.as_bytes()), "{name}");
        }
        for name in ["CARGO_HOME", "PATH", "CARGOES"] {
            assert!(!is_for_builds(name.as_bytes()), "{name}");
        }
    }
}
