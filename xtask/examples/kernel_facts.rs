//! Prints the facts of `xtask/facts` about any kernel, as `book/facts` keeps them:
//! `cargo run -p xtask --example kernel_facts -- /boot/vmlinuz-6.16 > book/facts/6.16.snap`

use std::env;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use kernel::Kernel;
use plan::{Outcome, Plan, Step};
use requirements::{LibbpfBuild, Qemu};
use testvm::{Failure, Happening, Stream};
use xtask::pipeline::{build, demo, needs};

fn main() -> Result<()> {
    let file = env::args_os()
        .nth(1)
        .context("the file of a kernel is needed")?;
    let kernel = Kernel::from_file(Path::new(&file))?;
    needs::ensure_needs(&[&LibbpfBuild, &Qemu::HOST])?;
    let programs = demo::pack_programs(&[&build::build_tool("facts")?])?;
    let mut started = testvm::start_guest(&demo::describe_machine(&kernel)?, &programs)
        .map_err(Failure::into_error)?;
    let step = Step {
        program: "/bin/facts".into(),
        args: Vec::new(),
        env: Vec::new(),
        seconds: Some(120),
        output_limit: Some(1 << 20),
        terminal: None,
        observe: false,
        surroundings: None,
    };
    let mut printed = Vec::new();
    let report = started
        .guest
        .run_plan(&Plan { steps: vec![step] }, |happening| {
            if let Happening::Output(Stream::Stdout, bytes) = happening {
                printed.extend_from_slice(bytes);
            }
            Ok(())
        });
    let report = report.map_err(Failure::into_error)?;
    ensure!(
        report.steps[0].outcome == Outcome::Exited(0),
        "{:?}",
        report.steps[0].outcome
    );
    let mut out = std::io::stdout();
    writeln!(
        out,
        "---\nsource: xtask/examples/kernel_facts.rs\ndescription: Linux {}\n---",
        started.release
    )?;
    Ok(out.write_all(&printed)?)
}
