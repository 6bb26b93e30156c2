//! A guest for a test: a kernel of the matrix, and what the test puts into it.

use std::path::Path;

use course::catalog;
use kernel::Architecture;
use problem::Problem;
use requirements::{GuestTools, kernels, require_kernel};
use testvm::image::{self, Archive};
use testvm::{Machine, Programs, Started};
use xtask::pipeline::{build, demo, needs};

pub struct TestVm {
    machine: Machine,
    archive: Archive,
}

impl TestVm {
    pub fn on(kernel: &str) -> Self {
        Self::of_architecture(kernel, Architecture::HOST)
    }

    pub fn of_architecture(kernel: &str, architecture: Architecture) -> Self {
        let mut needs = needs::vm_needs(architecture);
        needs.push(require_kernel(kernel, architecture).unwrap());
        needs::ensure_needs(&needs).unwrap();
        let kernel = kernels::find_kernel(kernel, architecture).unwrap();
        Self {
            machine: demo::describe_machine(&kernel).unwrap(),
            archive: Archive::default(),
        }
    }

    /// busybox and bpftool.
    pub fn with_tools(mut self) -> Self {
        needs::ensure_needs(&[&GuestTools::HOST]).unwrap();
        image::add_tools(&mut self.archive, &GuestTools::HOST.find_root().unwrap()).unwrap();
        self
    }

    /// The program of a lesson, by its number.
    pub fn with_lesson(self, number: &str) -> Self {
        needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
        let lessons = catalog::read_lessons().unwrap();
        let lesson = catalog::find_lesson(&lessons, number).unwrap();
        self.with_program(&build::build_lesson(lesson, Architecture::HOST).unwrap())
    }

    /// As `/bin/NAME`.
    pub fn with_program(mut self, path: &Path) -> Self {
        image::add_program(&mut self.archive, path).unwrap();
        self
    }

    /// The path begins below the guest's root.
    pub fn with_file(mut self, path: &str, bytes: &[u8]) -> Self {
        self.archive.add_file(path, 0o644, bytes).unwrap();
        self
    }

    /// With the machine changed.
    pub fn with_machine(self, change: impl FnOnce(Machine) -> Machine) -> Self {
        Self {
            machine: change(self.machine),
            ..self
        }
    }

    pub fn start(self) -> Started {
        start(&self.machine, &self.archive.finish_archive().unwrap())
    }

    /// Only with these programs, which a part of xtask has put together.
    pub fn start_with(self, programs: &Programs) -> Started {
        start(&self.machine, programs)
    }
}

fn start(machine: &Machine, programs: &Programs) -> Started {
    testvm::start_guest(machine, programs).unwrap_or_else(|failure| {
        let error = failure.into_error();
        let problem = error.downcast_ref::<Problem>();
        panic!("{error:#}: {:?}", problem.map(Problem::help_lines))
    })
}
