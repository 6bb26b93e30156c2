//! What the programs that read one field in several ways have read. Shared with the kernel side in
//! Rust; `struct seen` in `bpf/parent.bpf.c` is the same in C.

/// Each is a value that was read, or the negative number of the error.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Seen {
    pub baked: i64,
    pub found: i64,
    pub relocated: i64,
    /// The task's state, by an offset that was found and by one that the loader has corrected.
    pub state_found: i64,
    pub state_relocated: i64,
}

/// Offsets in `struct task_struct` of Linux 6.12 (Debian's 6.12.107+deb13-cloud-amd64), and of no
/// other kernel here. From `bpftool btf dump file /sys/kernel/btf/vmlinux`, bits divided by 8;
/// tools like aya-tool bake in whole structs in the same manner.
pub const BAKED_REAL_PARENT: u32 = 2448;
pub const BAKED_TGID: u32 = 2436;
