//! `class`

use std::path::PathBuf;

use clap::Parser;

use crate::commands::class::ClassOptions;

pub const CLASS_HELP: &str = "\
Each learner makes a file, in the course's directory, or CI makes it in each repository:
  cargo xtask check --all --json > alice.json
The teacher collects the files:
  cargo xtask class *.json
  cargo xtask class */score.json

A learner has the name of the file, without .json; if all files have the same name, that of its
directory. An exercise is done if its answer is right on each kernel that it was checked on. An
answer that fails as the starter does may not have been begun: it is counted, but a check that
stops only such answers comes last.

Exit code 0: all files were read. 1: some were not; the rest is shown, with the reasons. 2: none.

JSON (fields may be added):
  version          1
  learners         a row of the table each, with
    learner        the name
    file           where the score came from
    done           how many exercises are done
    of             how many there are
    lessons        each with
      lesson       03
      done         how many of its exercises are done
      of           how many there are
    not_checked    exercises that others have, and this file has not
  exercises        each with
    exercise       03/count-by-comm
    done_by        the names of those who are done with it
    pending        the names of the others
  checks           at which answers stop, that which stops most people first; each with
    exercise       03/count-by-comm
    check          its name
    learners       the names of those whose answers stop there
    as_starter     how many of these answers fail as the starter does
    example        one of them, with
      learner      whose it is
      why          the reason, in a line
  broken           files that could not be read, each with
    file           its path
    why            the reason";

#[derive(Debug, Parser)]
pub struct ClassArguments {
    /// What cargo xtask check --all --json printed, a file for each learner
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl From<ClassArguments> for ClassOptions {
    fn from(arguments: ClassArguments) -> Self {
        Self {
            files: arguments.files,
            json: arguments.json,
        }
    }
}
