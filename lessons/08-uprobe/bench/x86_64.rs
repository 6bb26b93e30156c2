//! Functions whose first instructions differ.

use std::arch::naked_asm;

use super::Call;

/// A row: what is watched, the function, its symbol, and whether its return is watched.
pub const CASES: [(&str, Call, &str, bool); 5] = [
    ("uprobe on nop, of 1 byte", with_nop, "with_nop", false),
    ("uprobe on push", with_push, "with_push", false),
    ("uprobe on mov", with_mov, "with_mov", false),
    (
        "uprobe on nop, of 5 bytes",
        with_long_nop,
        "with_long_nop",
        false,
    ),
    (
        "uretprobe, entered through nop of 1 byte",
        with_nop,
        "with_nop",
        true,
    ),
];

// ANCHOR: functions
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn with_mov() {
    naked_asm!("mov eax, edi", "ret")
}

#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn with_push() {
    naked_asm!("push rbp", "pop rbp", "ret")
}

#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn with_nop() {
    naked_asm!("nop", "ret")
}

#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn with_long_nop() {
    naked_asm!(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00", "ret")
}
// ANCHOR_END: functions
