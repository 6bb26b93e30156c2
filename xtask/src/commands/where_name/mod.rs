//! `where`: on which kernels a name is, and what it is like there.
//!
//! ```text
//!   question     what was asked for: a name, or a name of a certain kind
//!   answer       what the kernels have by that name, in ranges of series
//!   field_path   a field of a struct, also of one that it embeds or points to
//!   section      what the name of a section tells about its programs
//!   changes      what became of the fields from one range to the next
//!   text         the answer for a person
//! ```

mod answer;
mod changes;
mod field_path;
mod question;
mod section;
mod text;

use anyhow::Result;
use kernel::Architecture;
use kernel_names::{AllNames, write_captures};
use problem::Exit;

use crate::output::screen::{self, Mark};
use crate::pipeline::name_capture::NameCapture;
use crate::pipeline::selection::Selection;
use crate::pipeline::{needs, parallel};

use self::answer::Answer;
pub use self::question::Question;
use self::text::format_text;

/// What to do.
#[derive(Debug)]
pub enum WhereOptions {
    Ask {
        question: Question,
        /// The kernels that matter.
        architectures: Vec<Architecture>,
        series: Vec<&'static str>,
        json: bool,
    },
    /// Capture the names of every kernel of these again.
    Update { architectures: Vec<Architecture> },
}

pub fn answer_where(options: &WhereOptions) -> Result<Exit> {
    let (question, architectures, series, json) = match options {
        WhereOptions::Update { architectures } => {
            for &architecture in architectures {
                update_names(architecture)?;
            }
            return Ok(Exit::Done);
        }
        WhereOptions::Ask {
            question,
            architectures,
            series,
            json,
        } => (question, architectures, series, *json),
    };
    let answer = Answer::find(&AllNames::default(), question, architectures, series)?;
    let text = if json {
        serde_json::to_string_pretty(&answer)? + "\n"
    } else {
        format_text(&answer)
    };
    screen::write_answer(text.as_bytes())?;
    Ok(if answer.is_there() {
        Exit::Done
    } else {
        Exit::NotYet
    })
}

fn update_names(architecture: Architecture) -> Result<()> {
    let every = Selection::parse("every")?;
    let vm = needs::vm_needs(architecture);
    needs::ensure_needs(&[vm, every.kernel_needs_on(architecture)].concat())?;
    let kernels = every.find_kernels_on(architecture)?;
    let capture = NameCapture::build_program(architecture)?;
    let captures = parallel::run_on_each(&kernels, None, |_, kernel| {
        let captured = capture.capture_kernel(kernel)?;
        screen::show_progress(&format!(
            "captured the names of Linux {}",
            captured.0.release
        ));
        Ok(captured)
    })?;
    let sizes = write_captures(&captures, architecture)?;
    for ((kernel, _), size) in captures.iter().zip(&sizes) {
        screen::show_note(&format!("{:>9} bytes for {}", size, kernel.release));
    }
    let total: u64 = sizes.iter().sum();
    let done = format!("wrote xtask/kernel-names/data/{architecture}: {total} bytes");
    screen::show_marked(Mark::Good, &done);
    Ok(())
}

/// All forms of JSON that the command prints.
#[cfg(test)]
pub fn json_sample() -> Result<String> {
    let names = AllNames::default();
    let mut text = String::new();
    for name in [
        "do_unlinkat",
        "sched_switch",
        "task_struct.state",
        "list_head",
        "file_open",
        "bpf_strncmp",
        "vfs_unlnk",
    ] {
        let question = Question::parse(name)?;
        let answer = Answer::find(&names, &question, &[Architecture::Amd64], &kernel::SERIES)?;
        text += &serde_json::to_string(&answer)?;
    }
    Ok(text)
}
