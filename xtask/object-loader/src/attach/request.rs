//! What shall be attached.

use std::os::fd::BorrowedFd;

/// What is known of a program that is loaded and shall be attached.
pub struct AttachRequest<'a> {
    pub program: BorrowedFd<'a>,
    /// The function's name.
    pub name: &'a str,
    /// As in the object, after translation of other loaders' names: `kprobe/do_unlinkat`.
    pub section: &'a str,
    /// Where to attach, in place of what the section says.
    pub target: Option<&'a str>,
    /// The object's map that the target names, if it names one.
    pub map: Option<BorrowedFd<'a>>,
    /// The kernel's numbers, as the library chose them for the load.
    pub prog_type: u32,
    pub expected_attach_type: u32,
}
