//! Programs of control groups. They are attached to one that no process is in.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use plan::load::AttachResult;

use super::bpf::{create_link, link_options};
use super::refusal::not_tried;
use super::request::AttachRequest;
use super::running_kernel::RunningKernel;

const PATH: &str = "/sys/fs/cgroup/object-loader";

/// Made when it is first needed, and removed at the end.
#[derive(Default)]
pub struct ControlGroup(Option<File>);

impl ControlGroup {
    pub fn descriptor(&mut self) -> Result<BorrowedFd<'_>, AttachResult> {
        let directory = match self.0.take() {
            Some(directory) => directory,
            None => create_directory()?,
        };
        let directory: &File = self.0.insert(directory);
        Ok(directory.as_fd())
    }
}

fn create_directory() -> Result<File, AttachResult> {
    let cannot = |error| not_tried(format!("cannot create the control group {PATH}: {error}"));
    // Where no control groups are mounted, sysfs has an empty directory.
    if !Path::new("/sys/fs/cgroup/cgroup.procs").exists() {
        return Err(not_tried("no control groups (cgroup2) are mounted here"));
    }
    fs::create_dir(PATH).map_err(cannot)?;
    File::open(PATH).map_err(cannot)
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        if self.0.take().is_some() {
            // Whatever cannot be removed is named by the guest when it looks for what was left.
            let _ = fs::remove_dir(PATH);
        }
    }
}

pub fn attach_to_control_group(
    kernel: &RunningKernel,
    control_group: &mut ControlGroup,
    request: &AttachRequest<'_>,
    attach_type: u32,
) -> Result<(), AttachResult> {
    let target = control_group.descriptor()?.as_raw_fd();
    create_link(request.program, target, attach_type, &link_options()).map_err(|error| {
        kernel.refuse_attach_type(attach_type, "cannot attach to a control group", &error)
    })?;
    Ok(())
}
