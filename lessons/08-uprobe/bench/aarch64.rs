//! Functions whose first instructions differ. All instructions of arm64 have the same length.

use std::arch::naked_asm;

use super::Call;

/// A row: what is watched, the function, its symbol, and whether its return is watched.
pub const CASES: [(&str, Call, &str, bool); 4] = [
    ("uprobe on nop", with_nop, "with_nop", false),
    ("uprobe on stp, a push", with_push, "with_push", false),
    ("uprobe on mov", with_mov, "with_mov", false),
    ("uretprobe, entered through nop", with_nop, "with_nop", true),
];

#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn with_mov() {
    naked_asm!("mov w0, w1", "ret")
}

#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn with_push() {
    naked_asm!("stp x29, x30, [sp, -16]!", "ldp x29, x30, [sp], 16", "ret")
}

#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn with_nop() {
    naked_asm!("nop", "ret")
}
