//! Asks kernels about all objects.

use anyhow::Result;
use kernel::Kernel;
use kernel_names::AllNames;
use plan::load::AttachResult;

use super::advice::Advice;
use super::input_files::InputFiles;
use super::kernel_result::KernelResult;
use super::kernel_run::KernelRun;
use super::kernel_verdict::KernelVerdict;
use super::options::VerifyOptions;
use super::status_line::StatusLine;
use crate::output::screen::{self, Mark};
use crate::pipeline::selection::Selection;
use crate::pipeline::{needs, parallel};

/// Fetches what is missing of these kernels, and asks each.
pub fn ask_kernels(
    options: &VerifyOptions,
    files: &InputFiles,
    selection: &Selection,
) -> Result<Vec<KernelResult>> {
    let kernels = needs::ensure_kernels(selection, &options.architectures)?;
    let what = count_noun(files.objects.len(), "object");
    screen::show_progress(&format!(
        "{what} on {}",
        count_noun(kernels.len(), "kernel")
    ));
    let status = StatusLine::new();
    let verify = |_, kernel: &Kernel| {
        let mut result = KernelRun::new(options, kernel, &status)?.verify_all(&files.objects)?;
        result.loads.extend(files.unusable.iter().cloned());
        Ok(result)
    };
    // A third of the time a guest only waits: for the kernel to see that nobody runs a program that
    // was detached.
    let one_more = usize::from(!options.load_only);
    let fitting = || parallel::as_many_as_fit_beside(options.memory_mib, one_more);
    let jobs = options.jobs.unwrap_or_else(fitting);
    let results = parallel::run_on_each(&kernels, Some(jobs), verify);
    status.clear_line();
    results
}

/// The loads move over: the logs of hundreds of objects take much memory.
pub fn take_verdicts(results: &mut [KernelResult], names: &AllNames) -> Result<Vec<KernelVerdict>> {
    let mut verdicts = Vec::new();
    for result in results {
        for load in std::mem::take(&mut result.loads) {
            let mut verdict = KernelVerdict {
                kernel: result.kernel.clone(),
                release: result.release.clone(),
                load,
                advice: None,
            };
            if let Some(missing) = verdict.missing() {
                verdict.advice = Advice::advise_on(missing, &result.kernel, names)?;
            }
            if !result.has_modules && verdict.may_be_in_module() {
                let why = NOT_BUILT_IN.to_owned();
                verdict.load.attach = Some(AttachResult::NotTried { why });
                verdict.advice = None;
            }
            verdicts.push(verdict);
        }
    }
    Ok(verdicts)
}

/// Why a program was not attached to what may be in a module.
const NOT_BUILT_IN: &str = "no kernel has it built in, and this one came without modules";

pub fn show_notes(results: &[KernelResult]) {
    for result in results {
        for note in &result.notes {
            screen::show_marked(Mark::Note, note);
        }
        if let Some(why) = &result.machine_failed {
            let kernel = &result.kernel;
            screen::show_marked(Mark::Bad, &format!("no answer from {kernel}: {why}"));
        }
    }
}

pub fn count_noun(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Of what is as the user wants it.
pub fn good_word(options: &VerifyOptions) -> &'static str {
    if options.load_only {
        "accepted"
    } else {
        "works"
    }
}
