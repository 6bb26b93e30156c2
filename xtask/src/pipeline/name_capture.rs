//! All names of a kernel: what its image describes, and what it tells when it runs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use kernel::{Architecture, Kernel};
use kernel_names::{CapturedNames, KernelVersion};
use plan::{Outcome, Plan, Step};
use problem::Problem;
use requirements::{LibbpfBuild, Need, kernels};
use testvm::{Failure, Happening, Programs, Stream};

use crate::pipeline::{build, demo, needs};

/// The program that prints names, here and in a guest of an architecture.
pub struct NameCapture {
    program: PathBuf,
    packed: Programs,
}

const PROGRAM: &str = "capture-names";

/// Bytes that it may print: on Linux 7.3, two megabytes.
const OUTPUT_LIMIT: u64 = 32 << 20;

impl NameCapture {
    pub fn build_program(architecture: Architecture) -> Result<Self> {
        let cross = requirements::cross_build_needs(architecture);
        needs::ensure_needs(&[&[&LibbpfBuild as Need], &cross[..]].concat())?;
        let program = build::build_tool(PROGRAM)?;
        let of_guest = match architecture {
            Architecture::HOST => program.clone(),
            other => build::build_tool_for(PROGRAM, other)?,
        };
        Ok(Self {
            packed: demo::pack_programs(&[&of_guest])?,
            program,
        })
    }

    /// Of a kernel of a series, in the version that `kernels.lock` names.
    pub fn capture_kernel(&self, kernel: &Kernel) -> Result<(KernelVersion, CapturedNames)> {
        if let Some(deviation) = kernels::deviation_from_lock(&kernel.name, kernel.architecture) {
            let option = kernel.architecture.option();
            let help = format!("to fetch the locked one: cargo xtask setup --kernel every{option}");
            return Err(Problem::machine(deviation).help(help).into());
        }
        let image = self.describe_image(kernel)?;
        let (release, running) = self.ask_running(kernel)?;
        let capture = CapturedNames::parse_lines(&image, &running)
            .with_context(|| format!("cannot read the names of Linux {release}"))?;
        let version = KernelVersion {
            series: kernel.name.clone(),
            release,
            version: kernels::locked_version(&kernel.name, kernel.architecture)?,
        };
        Ok((version, capture))
    }

    fn describe_image(&self, kernel: &Kernel) -> Result<String> {
        let mut command = Command::new(&self.program);
        let output = command.arg("image").arg(&kernel.image).output();
        let output = output.context("cannot start capture-names")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", said.trim());
        String::from_utf8(output.stdout).context("BTF has names that are no text")
    }

    /// The release of the kernel that ran, and what it told.
    fn ask_running(&self, kernel: &Kernel) -> Result<(String, String)> {
        let machine = demo::describe_machine(kernel)?;
        let mut started =
            testvm::start_guest(&machine, &self.packed).map_err(Failure::into_error)?;
        let step = Step {
            program: "/bin/capture-names".into(),
            args: vec!["running".into()],
            env: Vec::new(),
            seconds: Some(120),
            output_limit: Some(OUTPUT_LIMIT),
            terminal: None,
            observe: false,
            surroundings: None,
        };
        let (mut printed, mut said) = (Vec::new(), Vec::new());
        let report = started
            .guest
            .run_plan(&Plan { steps: vec![step] }, |happening| {
                match happening {
                    Happening::Output(Stream::Stdout, bytes) => printed.extend_from_slice(bytes),
                    Happening::Output(Stream::Stderr, bytes) => said.extend_from_slice(bytes),
                    Happening::Started(_) | Happening::Ended(..) => {}
                }
                Ok(())
            });
        let report = report.map_err(Failure::into_error)?;
        let (outcome, release) = (&report.steps[0].outcome, started.release.clone());
        ensure!(
            *outcome == Outcome::Exited(0),
            "Linux {release} did not tell its names: {outcome:?}: {}",
            String::from_utf8_lossy(&said).trim()
        );
        let printed = String::from_utf8(printed).context("the kernel's names are no text")?;
        Ok((release, printed))
    }
}
