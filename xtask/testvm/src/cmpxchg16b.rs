//! What an emulated guest does about cmpxchg16b, an instruction that QEMU 7.2 emulates wrongly.
//!
//! QEMU 7.2 computes the flags that cmpxchg16b leaves alone from an outdated `cc_op`
//! (`helper_cmpxchg16b_unlocked` in target/i386/tcg/mem_helper.c): after `cmp` with 0x7ffffeff,
//! `pushf` saved 0x7ffffeff. When an interrupt comes right after the instruction, which the
//! kernel's allocator uses, the kernel goes on with such flags. Guests that attached kprobes were
//! seen to die, 7 of 10 once. QEMU 10.0.2 emulates it differently, and correctly.

use kernel::Version;

/// The oldest QEMU that ran the course's kernels with the instruction without a fault.
const OLDEST_QEMU: &str = "10.0";

/// The first kernel with kmalloc_nolock(), from which BPF timers, task storage and arenas get their
/// memory. It gives out nothing on a CPU without cmpxchg16b, except from caches that are debugged.
const OLDEST_KMALLOC_NOLOCK: &str = "6.18";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cmpxchg16b {
    /// The emulated CPU has it.
    Emulated,
    /// The emulated CPU does not have it, and the kernel loses nothing by that.
    Hidden,
    /// The emulated CPU does not have it, and the kernel must be told to do without.
    Replaced,
}

impl Cmpxchg16b {
    /// For a QEMU ("7.2.22", or `None` when it did not say) and a kernel's release
    /// ("6.18.15+deb13-cloud-amd64").
    pub fn choose_cmpxchg16b(qemu: Option<&str>, release: &str) -> Self {
        if qemu.and_then(Version::parse) >= Version::parse(OLDEST_QEMU) {
            return Cmpxchg16b::Emulated;
        }
        match Version::parse(release) {
            Some(version) if Some(&version) < Version::parse(OLDEST_KMALLOC_NOLOCK).as_ref() => {
                Cmpxchg16b::Hidden
            }
            _ => Cmpxchg16b::Replaced,
        }
    }

    /// QEMU's name of the emulated CPU.
    pub fn cpu_model(self) -> &'static str {
        match self {
            Cmpxchg16b::Emulated => "max",
            Cmpxchg16b::Hidden | Cmpxchg16b::Replaced => "max,-cx16",
        }
    }

    /// What the kernel must be told.
    pub fn kernel_parameters(self) -> Option<&'static str> {
        // The cheapest check there is, for all caches of kmalloc(): debugged caches are used under
        // a lock. With that, the kernel would also print addresses as they are.
        (self == Cmpxchg16b::Replaced).then_some("slab_debug=F,kmalloc-* hash_pointers=always")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_qemu_that_is_known_to_be_right_emulates_it() {
        for qemu in [Some("10.0.2"), Some("10.0"), Some("11.1.0")] {
            assert_eq!(
                Cmpxchg16b::choose_cmpxchg16b(qemu, "6.18.15"),
                Cmpxchg16b::Emulated,
                "{qemu:?}"
            );
        }
        for qemu in [None, Some("7.2.22"), Some("9.2.4"), Some("?")] {
            assert_eq!(
                Cmpxchg16b::choose_cmpxchg16b(qemu, "6.18.15"),
                Cmpxchg16b::Replaced,
                "{qemu:?}"
            );
        }
    }

    #[test]
    fn only_kernels_that_need_it_are_told_to_do_without() {
        for release in [
            "5.10.0-46-cloud-amd64",
            "6.1.0-50-cloud-amd64",
            "6.12.117+deb13-cloud-amd64",
        ] {
            assert_eq!(
                Cmpxchg16b::choose_cmpxchg16b(Some("7.2.22"), release),
                Cmpxchg16b::Hidden,
                "{release}"
            );
        }
        for release in ["6.18.15+deb13-cloud-amd64", "7.3.4", "10.1-rc3", "?"] {
            assert_eq!(
                Cmpxchg16b::choose_cmpxchg16b(Some("7.2.22"), release),
                Cmpxchg16b::Replaced,
                "{release}"
            );
        }
    }
}
