//! Which of the chosen kernels a lesson can run on.

use course::catalog::Lesson;
use kernel::Kernel;
use problem::Problem;

use crate::output::screen;

/// Those of the kernels that are not too old for the lesson, if there is one.
pub fn choose_kernels(
    command: &str,
    lesson: &Lesson,
    kernels: Vec<Kernel>,
) -> Result<Vec<Kernel>, Problem> {
    let why_too_old = |kernel: &Kernel| lesson.about.why_too_old(&kernel.name, kernel.architecture);
    let (too_old, chosen): (Vec<_>, Vec<_>) = kernels
        .into_iter()
        .partition(|kernel| why_too_old(kernel).is_some());
    for kernel in &too_old {
        let (name, why) = (lesson.full_name(), why_too_old(kernel).unwrap_or_default());
        if chosen.is_empty() {
            let what = format!("{name} cannot run on {}: {why}", kernel.name);
            let architecture = kernel.architecture;
            let help = format!(
                "cargo xtask {command} {} --arch {architecture}",
                lesson.number
            );
            return Err(Problem::machine(what).help(help));
        }
        screen::show_note(&format!("{name} is left out on {}: {why}", kernel.name));
    }
    Ok(chosen)
}
