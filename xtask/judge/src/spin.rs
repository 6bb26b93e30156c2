//! Code that keeps a CPU busy, at addresses that are known: a sample of it can be recognised.

use std::arch::global_asm;
use std::ops::Range;

// Each loop is short, and one block of code: an emulated CPU takes interrupts between blocks only.
// In `judge_spin_everywhere`, a sample is in any of 64 loops.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".pushsection .text.judge_spin, \"ax\", @progbits",
    "judge_spin_one:",
    "2: dec edi",
    "jnz 2b",
    "ret",
    "judge_spin_two:",
    "2: dec edi",
    "jnz 2b",
    "ret",
    "judge_spin_everywhere:",
    ".rept 64",
    "mov eax, edi",
    "2: dec eax",
    "jnz 2b",
    ".endr",
    "ret",
    "judge_spin_end:",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".pushsection .text.judge_spin, \"ax\", %progbits",
    ".balign 4",
    "judge_spin_one:",
    "2: subs w0, w0, #1",
    "b.ne 2b",
    "ret",
    "judge_spin_two:",
    "2: subs w0, w0, #1",
    "b.ne 2b",
    "ret",
    "judge_spin_everywhere:",
    ".rept 64",
    "mov w1, w0",
    "2: subs w1, w1, #1",
    "b.ne 2b",
    ".endr",
    "ret",
    "judge_spin_end:",
    ".popsection",
);

// SAFETY: the labels are in the code before, which takes one number and returns nothing.
unsafe extern "C" {
    fn judge_spin_one(turns: u32);
    fn judge_spin_two(turns: u32);
    fn judge_spin_everywhere(turns: u32);
    fn judge_spin_end(turns: u32);
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spin {
    One,
    Two,
    /// In many places, one after the other.
    Everywhere,
}

impl Spin {
    /// Goes on for some tens of microseconds.
    pub fn turn(self) {
        let turns = 20_000;
        // SAFETY: these functions count down from a number that is not 0, and touch no memory.
        unsafe {
            match self {
                Self::One => judge_spin_one(turns),
                Self::Two => judge_spin_two(turns),
                Self::Everywhere => judge_spin_everywhere(turns / 64),
            }
        }
    }

    /// Where its code is.
    pub fn addresses(self) -> Range<u64> {
        let at = |function: unsafe extern "C" fn(u32)| function as *const () as u64;
        match self {
            Self::One => at(judge_spin_one)..at(judge_spin_two),
            Self::Two => at(judge_spin_two)..at(judge_spin_everywhere),
            Self::Everywhere => at(judge_spin_everywhere)..at(judge_spin_end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_code_and_comes_to_an_end() {
        let all = [Spin::One, Spin::Two, Spin::Everywhere];
        for spin in all {
            spin.turn();
            assert!(!spin.addresses().is_empty(), "{spin:?}");
        }
        assert!(Spin::Everywhere.addresses().count() >= 64 * 6);
    }
}
