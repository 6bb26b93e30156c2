//! `setup`: makes this machine ready for everything, so that later commands need no network.

use anyhow::Result;
use checkout::workspace;
use course::catalog;
use kernel::Architecture;
use problem::{Exit, Problem};
use requirements::{Need, kernels};

use crate::output::reporter::ScreenReporter;
use crate::output::screen::{self, Mark};
use crate::pipeline::selection::Selection;
use crate::pipeline::{build, guest_init};

/// How to set up.
pub struct SetupOptions {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Install packages of the system's without asking.
    pub yes: bool,
    /// Move `kernels.lock` on to the newest version of each kernel, and install those.
    pub update_kernels: bool,
    /// Those to fetch.
    pub kernels: Selection,
    /// What the VMs are to be.
    pub architecture: Architecture,
}

/// Everything, with the checksums of what is there.
pub fn set_up_machine(options: SetupOptions) -> Result<Exit> {
    if let Selection::File(path) = &options.kernels {
        return Err(
            Problem::usage(format!("{} is here already", path.display()))
                .help("setup --kernel takes a series such as 6.12, several of them, all, or every")
                .into(),
        );
    }
    let architecture = options.architecture;
    let kernels = options.kernels.kernel_needs_on(architecture);
    let needs = requirements::all_needs(architecture, &kernels);
    if options.dry_run {
        show_plan(&needs)?;
        return Ok(Exit::Done);
    }
    let mut moved = Vec::new();
    if options.update_kernels {
        moved = kernels::update_lock(&ScreenReporter)?;
        report_moves(&moved);
    }
    requirements::meet_whole(&needs, options.yes, &ScreenReporter)?;
    build_everything(architecture)?;
    screen::show_marked(Mark::Good, "everything is in place: this machine is ready");
    if !moved.is_empty() {
        screen::show_note(RECORD_AGAIN);
    }
    Ok(Exit::Done)
}

fn report_moves(moved: &[String]) {
    if moved.is_empty() {
        screen::show_marked(
            Mark::Good,
            "kernels.lock has the newest version of each kernel",
        );
    }
    for line in moved {
        screen::show_marked(Mark::Note, line);
    }
}

const RECORD_AGAIN: &str = "\
kernels.lock has moved. Record the verifier's logs and the kernels' facts and names again, and look
at them:
  INSTA_UPDATE=always cargo test -p xtask --test gallery --test facts -- --ignored
  cargo xtask where --update
  git diff lessons/07-verifier-pitfalls/logs book/facts";

/// The first build fetches crates; after this one no run has to.
fn build_everything(architecture: Architecture) -> Result<()> {
    guest_init::build_guest_init(architecture)?;
    let lessons = catalog::read_lessons()?;
    screen::show_progress(&format!("building the lessons, {} in all", lessons.len()));
    for lesson in &lessons {
        build::build_lesson(lesson, architecture)?;
    }
    Ok(())
}

/// The names of what guests of this machine's architecture need are not longer.
const NAME_WIDTH: usize = 15;

fn show_plan(needs: &[Need]) -> Result<()> {
    let mut text = String::new();
    let longest = needs.iter().map(|need| need.name().len()).max();
    let width = longest.unwrap_or_default().max(NAME_WIDTH);
    for need in needs {
        let met = need.is_whole();
        let mark = if met { Mark::Good } else { Mark::Note }.symbol();
        let plan = if met {
            "in place".to_owned()
        } else {
            requirements::plan_need(*need)
        };
        text += &format!("{mark} {:<width$} {plan}\n", need.name());
    }
    let lessons = catalog::read_lessons()?.len();
    text += &format!(
        "{} then the guest's init and {lessons} lessons are built\n",
        Mark::Note.symbol()
    );
    text += &format!(
        "nothing was changed; the cache is {}\n",
        workspace::cache_directory().display()
    );
    Ok(screen::write_answer(text.as_bytes())?)
}
