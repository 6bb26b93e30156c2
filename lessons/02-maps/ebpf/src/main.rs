//! Reports each change of a name in one directory and in the directories under it.
//!
//! The hooks are the kernel's security checks: every change of a directory passes one of them,
//! whatever the system call and the file system, and those arguments that we use are the same from
//! Linux 5.10 to 7.3. They come before the change, which can still fail.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic_xadd in count.rs is one")]

mod count;
#[path = "../../src/event.rs"]
mod event;
mod path;
mod state;

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, generated::bpf_get_current_comm},
    macros::kprobe,
    programs::ProbeContext,
};

use event::{Comm, Kind};
use state::{PAUSED, SCRATCH, WATCHED};

// ANCHOR: scratch
fn report(kind: Kind, dentry: Option<*const u8>) -> Option<()> {
    let dentry = dentry?;
    if PAUSED.load() != 0 || u64::from(path::read_device(dentry)?) != WATCHED.load().device {
        return None;
    }
    // A `Change` has 4 KiB. As a local variable it does not even compile, because the stack has 512
    // bytes: "Looks like the BPF stack limit is exceeded. Please move large on stack variables into
    // BPF per-cpu array map."
    // SAFETY: the pointer leads to a whole `Change`, and nobody else uses it: each CPU has its own,
    // and a kprobe program runs to its end before the next begins on that CPU.
    let change = unsafe { &mut *SCRATCH.get_ptr_mut(0)? };
    let length = path::collect_names(dentry, &mut change.names)?;
    change.kind = kind as u32;
    change.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: the helper fills as many bytes as it is told.
    unsafe { bpf_get_current_comm((&raw mut change.comm).cast(), size_of::<Comm>() as u32) };
    count::send_change(change, length);
    count::count_process(change);
    count::remember_name(change)
}
// ANCHOR_END: scratch

#[kprobe]
pub fn on_create(ctx: ProbeContext) -> Option<()> {
    report(Kind::Create, ctx.arg(1))
}

#[kprobe]
pub fn on_mkdir(ctx: ProbeContext) -> Option<()> {
    report(Kind::Mkdir, ctx.arg(1))
}

#[kprobe]
pub fn on_mknod(ctx: ProbeContext) -> Option<()> {
    report(Kind::Mknod, ctx.arg(1))
}

#[kprobe]
pub fn on_symlink(ctx: ProbeContext) -> Option<()> {
    report(Kind::Symlink, ctx.arg(1))
}

#[kprobe]
pub fn on_unlink(ctx: ProbeContext) -> Option<()> {
    report(Kind::Unlink, ctx.arg(1))
}

#[kprobe]
pub fn on_rmdir(ctx: ProbeContext) -> Option<()> {
    report(Kind::Rmdir, ctx.arg(1))
}

// ANCHOR: hooks
#[kprobe]
pub fn on_link(ctx: ProbeContext) -> Option<()> {
    report(Kind::Link, ctx.arg(2))
}

#[kprobe]
pub fn on_rename(ctx: ProbeContext) -> Option<()> {
    // Two changes: perhaps only one of the two names is in the directory.
    report(Kind::RenameFrom, ctx.arg(1));
    report(Kind::RenameTo, ctx.arg(3))
}
// ANCHOR_END: hooks

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
