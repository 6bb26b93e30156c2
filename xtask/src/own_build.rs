//! Makes sure that the program that runs is the one of the checkout that it works on.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::problem::Problem;
use crate::{build, screen, workspace};

/// Set for the program that was built, which would otherwise build itself again and again where `target` is a link to
/// another checkout's.
const BUILT: &str = "XTASK_BUILT";

/// Goes on as this checkout's own xtask if another checkout's was started: from a target directory that both share, or
/// by its path.
pub fn ensure_own_build() -> Result<()> {
    if workspace::find_root().is_none() {
        return Err(Problem::usage("this directory is in no checkout of the course")
            .help("cd CHECKOUT    (the directory of the README), then type it again")
            .into());
    }
    let program = env::current_exe().context("cannot find this program's own path")?;
    if workspace::is_own_build(&program) {
        return Ok(());
    }
    let root = workspace::root().display();
    if env::var_os(BUILT).is_some() {
        return Err(Problem::machine(format!("{root}/target holds the programs of another checkout"))
            .help(format!("rm -r {root}/target    (everything in it is built again)"))
            .into());
    }
    screen::progress(&format!("{} is of another checkout: starting that of {root}", program.display()));
    let own = build::tool("xtask")?;
    let error = Command::new(&own).args(env::args_os().skip(1)).env(BUILT, "1").exec();
    Err(error).with_context(|| format!("cannot start {}", own.display()))
}
