//! `new project`: a small, whole project, outside of the checkout.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use checkout::workspace;
use course::Implementation;
use problem::Exit;
use requirements::{BpfLinker, Clang, LibbpfBuild, Need, RustSrc, bpf_linker, clang};

use crate::commands::new::files::{MachinePaths, ProjectKind};
use crate::commands::new::hook::Hook;
use crate::commands::new::place::ProjectPlace;
use crate::output::screen::{self, Mark};
use crate::pipeline::needs;

/// What to make, and where.
pub struct ProjectOptions {
    pub path: PathBuf,
    pub hook: Hook,
    pub implementations: Vec<Implementation>,
}

pub fn make_project(options: &ProjectOptions) -> Result<Exit> {
    let place = ProjectPlace::check_path(&options.path)?;
    needs::ensure_needs(&build_needs(&options.implementations))?;
    let kind = ProjectKind {
        name: &place.name,
        hook: options.hook,
        implementations: &options.implementations,
    };
    let lock = workspace::workspace_root().join("Cargo.lock");
    let lock =
        fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    place.write_files(&kind.make_files(&find_programs()?, &lock)?)?;
    let path = place.path();
    screen::show_marked(Mark::Good, &format!("made: {}", path.display()));
    screen::show_note(&format!(
        "next: cd {} && cargo run    (its README.md says more)",
        path.display()
    ));
    Ok(Exit::Done)
}

/// So that the project builds at once.
fn build_needs(implementations: &[Implementation]) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    if implementations.contains(&Implementation::Aya) {
        needs.extend([&RustSrc as Need, &BpfLinker]);
    }
    if implementations.contains(&Implementation::Libbpf) {
        needs.extend([&Clang as Need, &LibbpfBuild]);
    }
    needs
}

/// Where they really are. What set-up has not installed, because the project does not need it, has
/// the name that is looked for in PATH.
fn find_programs() -> Result<MachinePaths> {
    Ok(MachinePaths {
        bpf_linker: bpf_linker::linker_for_cargo().unwrap_or("bpf-linker".into()),
        clang: clang::clang_in_use().unwrap_or("clang".into()),
        xtask: env::current_exe().context("cannot find this program's own path")?,
    })
}
