//! `test`

use clap::Parser;

use crate::commands::test::{TestOptions, TestStep};

#[derive(Debug, Parser)]
pub struct TestArguments {
    /// Steps to run, in this order; without any, all of them
    #[arg(value_name = "STEP")]
    steps: Vec<TestStep>,
    /// Fail if a test, or a part of one, was skipped
    #[arg(long)]
    no_skips: bool,
}

impl From<TestArguments> for TestOptions {
    fn from(arguments: TestArguments) -> Self {
        Self {
            steps: arguments.steps,
            no_skips: arguments.no_skips,
        }
    }
}
