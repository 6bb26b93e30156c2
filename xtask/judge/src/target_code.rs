//! The code of [`TargetFile`](crate::target_file::TargetFile), for the architecture of the judge.
//!
//! For each byte that it reads it calls one of two functions, and then writes the byte. Nothing in
//! it depends on where it is.

use std::arch::global_asm;
use std::ops::Range;
use std::slice;

use object::elf;

#[cfg(target_arch = "x86_64")]
pub const ELF_MACHINE: u16 = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
pub const ELF_MACHINE: u16 = elf::EM_AARCH64;

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".pushsection .text.judge_target, \"ax\", @progbits",
    "judge_target_begin:",
    "sub rsp, 64",
    "2: xor eax, eax", // read(0, rsp, 1)
    "xor edi, edi",
    "mov rsi, rsp",
    "mov edx, 1",
    "syscall",
    "cmp eax, 1",
    "jne 5f",
    "cmp byte ptr [rsp], 0",
    "je 3f",
    "call judge_target_first",
    "jmp 4f",
    "3: call judge_target_second",
    "4: mov eax, 1", // write(1, rsp, 1)
    "mov edi, 1",
    "mov rsi, rsp",
    "mov edx, 1",
    "syscall",
    "jmp 2b",
    "5: mov eax, 60", // exit(0)
    "xor edi, edi",
    "syscall",
    "judge_target_first:",
    "push rbp",
    "mov rbp, rsp",
    "pop rbp",
    "ret",
    "judge_target_second:",
    "push rbp",
    "mov rbp, rsp",
    "pop rbp",
    "ret",
    "judge_target_end:",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".pushsection .text.judge_target, \"ax\", %progbits",
    ".balign 4",
    "judge_target_begin:",
    "sub sp, sp, #64",
    "2: mov x0, #0", // read(0, sp, 1)
    "mov x1, sp",
    "mov x2, #1",
    "mov x8, #63",
    "svc #0",
    "cmp x0, #1",
    "b.ne 5f",
    "ldrb w9, [sp]",
    "cbz w9, 3f",
    "bl judge_target_first",
    "b 4f",
    "3: bl judge_target_second",
    "4: mov x0, #1", // write(1, sp, 1)
    "mov x1, sp",
    "mov x2, #1",
    "mov x8, #64",
    "svc #0",
    "b 2b",
    "5: mov x0, #0", // exit(0)
    "mov x8, #93",
    "svc #0",
    "judge_target_first:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "ldp x29, x30, [sp], #16",
    "ret",
    "judge_target_second:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "ldp x29, x30, [sp], #16",
    "ret",
    "judge_target_end:",
    ".popsection",
);

// SAFETY: the labels are in the code before, and only their addresses are taken.
unsafe extern "C" {
    static judge_target_begin: u8;
    static judge_target_first: u8;
    static judge_target_second: u8;
    static judge_target_end: u8;
}

pub fn code() -> &'static [u8] {
    let (begin, end) = (&raw const judge_target_begin, &raw const judge_target_end);
    // SAFETY: the code between the two labels is there to be read as long as the judge runs.
    unsafe { slice::from_raw_parts(begin, end.addr() - begin.addr()) }
}

/// Where its two functions are, from the start of the code.
pub fn functions() -> [Range<u64>; 2] {
    let begin = (&raw const judge_target_begin).addr();
    let [first, second, end] = [
        &raw const judge_target_first,
        &raw const judge_target_second,
        &raw const judge_target_end,
    ]
    .map(|label| (label.addr() - begin) as u64);
    [first..second, second..end]
}
