//! What is called differently on each architecture.

/// The dynamic loader, which every system with a C library has.
pub const LOADER: &str = if cfg!(target_arch = "aarch64") {
    "/lib/ld-linux-aarch64.so.1"
} else {
    "/lib64/ld-linux-x86-64.so.2"
};

/// What the kernel's functions for system calls begin with: `__x64_sys_getrandom`.
pub const SYSTEM_CALL: &str = if cfg!(target_arch = "aarch64") {
    "__arm64_sys_"
} else {
    "__x64_sys_"
};
