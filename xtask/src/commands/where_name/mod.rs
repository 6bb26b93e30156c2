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
use kernel_names::{Names, write_captures};
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
        series: Vec<&'static str>,
        json: bool,
    },
    /// CapturedNames the names of every kernel again.
    Update,
}

pub fn answer_where(options: &WhereOptions) -> Result<Exit> {
    let (question, series, json) = match options {
        WhereOptions::Update => return update_names(),
        WhereOptions::Ask {
            question,
            series,
            json,
        } => (question, series, *json),
    };
    let names = Names::read()?;
    let answer = Answer::find(&names, question, series)?;
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

fn update_names() -> Result<Exit> {
    let every = Selection::parse("every")?;
    needs::ensure_needs(&[&needs::VM_NEEDS[..], &every.kernel_needs()].concat())?;
    let kernels = every.find_kernels()?;
    let capture = NameCapture::build_program()?;
    let captures = parallel::run_on_each(&kernels, None, |_, kernel| {
        let captured = capture.capture_kernel(kernel)?;
        screen::show_progress(&format!(
            "captured the names of Linux {}",
            captured.0.release
        ));
        Ok(captured)
    })?;
    let sizes = write_captures(&captures)?;
    for ((kernel, _), size) in captures.iter().zip(&sizes) {
        screen::show_note(&format!("{:>9} bytes for {}", size, kernel.release));
    }
    let total: u64 = sizes.iter().sum();
    let done = format!("wrote xtask/kernel-names/data: {total} bytes");
    screen::show_marked(Mark::Good, &done);
    Ok(Exit::Done)
}

/// All forms of JSON that the command prints.
#[cfg(test)]
pub fn json_sample() -> Result<String> {
    let names = Names::read()?;
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
        let answer = Answer::find(&names, &Question::parse(name)?, &kernel::SERIES)?;
        text += &serde_json::to_string(&answer)?;
    }
    Ok(text)
}
