//! A policy: processes that descend from the policy's command may not open the files under one
//! directory, and may not carry them out of there.
//!
//! What Rust costs here (`cargo xtask bench 05`): twice the instructions of the twin in C. The
//! offsets are loaded from global variables, which takes two instructions each, where CO-RE writes
//! a constant; and an array of bytes, as `comm` is, is copied byte by byte. In a run, the walk up
//! the directories outweighs both: 0.9 to 1.1 times what C executes.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "no other atomic addition")]

mod path;
mod report;
mod tree;

use aya_ebpf::{Global, macros::lsm, programs::LsmContext};

use path::{FILE_DENTRY, FILE_FLAGS, OUTSIDE, read_field, steps_to_dir};
use report::event::{ASKED_WITH_VERDICT, ASKED_WITH_ZERO, EXEC, LINK, OPEN, RENAME};
use report::{add_count, report_access};
use tree::is_covered;

const EPERM: i32 = 1;
/// In `f_flags`: the file is opened to be executed.
const FMODE_EXEC: u32 = 0x20;

/// User space sets this before it loads the programs; after that it is a constant.
#[unsafe(no_mangle)]
static AUDIT: Global<u32> = Global::new(0);

// ANCHOR: verdict
fn verdict(action: u32, dentry: u64) -> i32 {
    if !is_covered() {
        return 0;
    }
    let steps = steps_to_dir(dentry);
    if steps == OUTSIDE {
        return 0;
    }
    report_access(action, dentry, steps, 1 - AUDIT.load());
    // The verifier knows AUDIT, and so what is returned: a denial is a number from -4095 to -1.
    if AUDIT.load() != 0 { 0 } else { -EPERM }
}
// ANCHOR_END: verdict

// ANCHOR: open
/// An execution opens its file too, before the hook bprm_check_security: a file that is denied here
/// never gets there.
#[lsm(hook = "file_open")]
pub fn guard_open(ctx: LsmContext) -> i32 {
    let (file, previous): (u64, i32) = (ctx.arg(0), ctx.arg(1));
    if previous != 0 {
        return previous;
    }
    let flags: u32 = read_field(file, &FILE_FLAGS);
    let action = if flags & FMODE_EXEC != 0 { EXEC } else { OPEN };
    verdict(action, read_field(file, &FILE_DENTRY))
}
// ANCHOR_END: open

// ANCHOR: carry
// Without these two a covered process could give the file a name outside, and open it there.
#[lsm(hook = "inode_rename")]
pub fn guard_rename(ctx: LsmContext) -> i32 {
    let (dentry, previous): (u64, i32) = (ctx.arg(1), ctx.arg(4));
    if previous != 0 {
        return previous;
    }
    verdict(RENAME, dentry)
}

#[lsm(hook = "inode_link")]
pub fn guard_link(ctx: LsmContext) -> i32 {
    let (dentry, previous): (u64, i32) = (ctx.arg(0), ctx.arg(3));
    if previous != 0 {
        return previous;
    }
    verdict(LINK, dentry)
}
// ANCHOR_END: carry

// ANCHOR: witness
/// The last argument is the verdict of the programs that were asked before. A program must not
/// revoke it.
#[lsm(hook = "file_open")]
pub fn witness_open(ctx: LsmContext) -> i32 {
    let (file, previous): (u64, i32) = (ctx.arg(0), ctx.arg(1));
    if is_covered() && steps_to_dir(read_field(file, &FILE_DENTRY)) != OUTSIDE {
        add_count(match previous {
            0 => ASKED_WITH_ZERO,
            _ => ASKED_WITH_VERDICT,
        });
    }
    previous
}
// ANCHOR_END: witness

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
