//! What the error number of the system call tells when the log does not.

/// What the number allows, when a program was loaded and the log's end is missing. Only what holds
/// for all kernels since 5.10 is said.
pub fn explain_errno(errno: i32) -> Option<&'static str> {
    match errno.checked_abs()? {
        1 => Some(
            "EPERM: the process lacks a capability, such as CAP_BPF, or the program does what only \
             a privileged one may; before Linux 5.11 also: RLIMIT_MEMLOCK is too small.",
        ),
        7 => Some(
            "E2BIG: too many instructions, branches, functions or maps, or the verifier went \
             through more than a million instructions.",
        ),
        12 => Some("ENOMEM: the kernel had no memory for it."),
        13 => Some(
            "EACCES: the verifier refused what an instruction does: an access, the type of an \
             argument, or a value that is returned.",
        ),
        14 => Some(
            "EFAULT: the verifier met too many branches or its own bug, or the kernel could not \
             read what it was given.",
        ),
        22 => Some(
            "EINVAL: the verifier refused the program, or the kernel refused its type, flags or \
             attach target before the verifier ran.",
        ),
        28 => Some(
            "ENOSPC: most likely the log did not fit into the loader's buffer. That alone makes \
             the load fail: the program itself may be right.",
        ),
        524 => Some("ENOTSUPP: this kernel, or its JIT compiler, does not support it."),
        _ => None,
    }
}
