//! `test`

use clap::Parser;

use crate::commands::test::Step;

#[derive(Debug, Parser)]
pub struct TestArguments {
    /// Steps to run, in this order; without any, all of them
    #[arg(value_name = "STEP")]
    pub steps: Vec<Step>,
}
