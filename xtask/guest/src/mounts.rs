//! The file systems that lessons and tools expect to find.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

struct Mount {
    kind: &'static str,
    target: &'static str,
    /// Not every kernel has it; a lesson that needs it says so itself.
    optional: bool,
}

const fn needed(kind: &'static str, target: &'static str) -> Mount {
    Mount {
        kind,
        target,
        optional: false,
    }
}

const fn optional(kind: &'static str, target: &'static str) -> Mount {
    Mount {
        kind,
        target,
        optional: true,
    }
}

/// In this order: some lie inside others.
const MOUNTS: [Mount; 10] = [
    needed("proc", "/proc"),
    needed("sysfs", "/sys"),
    needed("devtmpfs", "/dev"),
    needed("devpts", "/dev/pts"),
    needed("tmpfs", "/tmp"),
    needed("tmpfs", "/run"),
    optional("bpf", "/sys/fs/bpf"),
    optional("cgroup2", "/sys/fs/cgroup"),
    optional("tracefs", "/sys/kernel/tracing"),
    optional("securityfs", "/sys/kernel/security"),
];

pub fn mount_all() -> Result<()> {
    for Mount {
        kind,
        target,
        optional,
    } in MOUNTS
    {
        // The directories inside /sys are the kernel's; creating them fails, and they exist where
        // they can be used.
        if let Err(error) = std::fs::create_dir_all(target)
            && !optional
        {
            return Err(error).with_context(|| format!("cannot create {target}"));
        }
        match mount(
            Some(kind),
            target,
            Some(kind),
            MsFlags::empty(),
            None::<&str>,
        ) {
            // The kernel may have mounted devtmpfs itself.
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(_) if optional => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot mount {kind} on {target}"));
            }
        }
    }
    Ok(())
}
