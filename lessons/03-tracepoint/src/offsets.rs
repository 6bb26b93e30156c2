//! Where the kernel side finds what it reads: looked up on the running kernel, passed on as global
//! variables.

use common::NotReady;
use common::btf::Kernel;

use crate::format::Format;

/// In the record that the kernel writes for the tracepoint.
#[derive(Debug, Default)]
pub struct Payload {
    pub filename: u32,
    pub pid: u32,
    pub old_pid: u32,
}

/// In the structs that the event's arguments point at. The kernel side in C needs none of these: it
/// has CO-RE.
#[derive(Debug, Default)]
pub struct Structs {
    pub task_tgid: u32,
    pub task_real_parent: u32,
    pub task_cred: u32,
    pub task_comm: u32,
    pub cred_uid: u32,
    pub bprm_filename: u32,
}

// ANCHOR: offsets
impl Payload {
    pub fn find(format: &Format) -> Result<Self, NotReady> {
        Ok(Self {
            filename: format.field("__data_loc char[] filename")?.offset,
            pid: format.field("pid_t pid")?.offset,
            old_pid: format.field("pid_t old_pid")?.offset,
        })
    }
}

impl Structs {
    pub fn find(kernel: &Kernel) -> Result<Self, NotReady> {
        Ok(Self {
            task_tgid: kernel.offset("task_struct", "tgid")?,
            task_real_parent: kernel.offset("task_struct", "real_parent")?,
            task_cred: kernel.offset("task_struct", "cred")?,
            task_comm: kernel.offset("task_struct", "comm")?,
            cred_uid: kernel.offset("cred", "uid.val")?,
            bprm_filename: kernel.offset("linux_binprm", "filename")?,
        })
    }
}
// ANCHOR_END: offsets
