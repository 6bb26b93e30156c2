//! Which function the programs are attached to, and what they are told before they are loaded.

/// Every way to open a file by its name comes through here, on Linux 5.10 to 7.3.
pub const FUNCTION: &str = "do_sys_openat2";

/// What the programs rely on.
pub const ARGUMENTS: &str = "int dfd, const char *filename, struct open_how *how";

/// For the two pairs of programs.
pub struct Settings {
    /// 0: every process
    pub pid: u32,
    /// Nanoseconds
    pub slower_than: u64,
    /// Room in the hash maps: calls that can be in progress at the same time
    pub max_calls: u32,
    /// Offsets in `struct task_struct` of the running kernel, for the programs in Rust. Those in C
    /// have CO-RE.
    pub real_parent: u32,
    pub tgid: u32,
}

/// For the program that reads the parent: offsets in `struct task_struct` of the running kernel.
pub struct Offsets {
    pub real_parent: u32,
    pub tgid: u32,
    pub state: u32,
}
