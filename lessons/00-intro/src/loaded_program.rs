//! What the kernel says about a program that it has loaded.

/// Under the kernel's names (`struct bpf_prog_info`).
pub struct LoadedProgram {
    /// How many instructions the verifier followed. Linux 5.16 and later say it.
    pub verified_insns: Option<u32>,
    /// In bytes, after the kernel rewrote the bytecode.
    pub xlated_prog_len: usize,
    /// In bytes; zero where the JIT compiler is off.
    pub jited_prog_len: usize,
}
