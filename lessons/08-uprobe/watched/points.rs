//! The probe points of the watched program.

use std::arch::asm;
use std::ffi::CStr;
use std::sync::atomic::AtomicU16;

// ANCHOR: semaphore
/// Not 0 while somebody watches `reply`: the kernel adds 1 with the breakpoint. A writable section
/// named `.probes` is what other tools use for this, too.
#[unsafe(link_section = ".probes")]
pub static REPLY_SEMAPHORE: AtomicU16 = AtomicU16::new(0);
// ANCHOR_END: semaphore

// ANCHOR: usdt
/// A note in the section `.note.stapsdt`, and the `nop` that it is about: all that is left of a
/// probe point that nobody watches.
macro_rules! probe_point {
    ($name:literal, $semaphore:literal, $arguments:expr, $($operands:tt)*) => {
        asm!(
            "990: nop",
            ".pushsection .note.stapsdt, \"?\", \"note\"",
            ".balign 4",
            ".4byte 992f - 991f, 994f - 993f, 3", // the lengths of name and contents, and the type
            "991: .asciz \"stapsdt\"",
            "992: .balign 4",
            "993: .8byte 990b",                   // the address of the nop
            ".8byte _.stapsdt.base",
            concat!(".8byte ", $semaphore),       // the address of the semaphore, or 0
            ".asciz \"lesson\"",                  // the provider
            concat!(".asciz \"", $name, "\""),
            concat!(".asciz \"", $arguments, "\""),
            "994: .balign 4",
            ".popsection",
            // One byte that tells how far the file's addresses have moved since.
            ".ifndef _.stapsdt.base",
            ".pushsection .stapsdt.base, \"aGR\", \"progbits\", .stapsdt.base, comdat",
            ".weak _.stapsdt.base",
            ".hidden _.stapsdt.base",
            "_.stapsdt.base: .space 1",
            ".size _.stapsdt.base, 1",
            ".popsection",
            ".endif",
            $($operands)*
            // Registers in the note are written as `%rdi`.
            #[cfg(target_arch = "x86_64")]
            options(att_syntax),
            options(readonly, nostack, preserves_flags)
        )
    };
}
// ANCHOR_END: usdt

/// The register of a number of 32 bits: `%esi` on x86-64. On arm64 notes name the whole register,
/// `x1`.
#[cfg(target_arch = "x86_64")]
macro_rules! status_register {
    () => {
        "{status:e}"
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! status_register {
    () => {
        "{status:x}"
    };
}

// ANCHOR: reach
#[inline(never)]
pub fn reach_request(id: u64, path: &CStr) {
    // SAFETY: a nop. `{id}` becomes the register that the compiler chose, as in `8@%rdi`.
    unsafe {
        probe_point!("request", "0", "8@{id} 8@{path}",
            id = in(reg) id, path = in(reg) path.as_ptr(),);
    }
}

#[inline(never)]
pub fn reach_reply(id: u64, status: i32) {
    // SAFETY: a nop, and the address of a static.
    unsafe {
        probe_point!("reply", "{semaphore}", concat!("8@{id} -4@", status_register!()),
            id = in(reg) id, status = in(reg) status, semaphore = sym REPLY_SEMAPHORE,);
    }
}
// ANCHOR_END: reach
