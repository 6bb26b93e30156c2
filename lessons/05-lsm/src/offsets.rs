//! Where the fields lie that the Rust program reads, on the kernel that we are on.

use anyhow::Result;
use common::btf::Kernel;

/// The program's global, the struct and the field.
const FIELDS: [(&str, &str, &str); 8] = [
    ("FILE_DENTRY", "file", "f_path.dentry"),
    ("FILE_FLAGS", "file", "f_flags"),
    ("DENTRY_PARENT", "dentry", "d_parent"),
    ("DENTRY_INODE", "dentry", "d_inode"),
    ("DENTRY_SUPER", "dentry", "d_sb"),
    ("DENTRY_NAME", "dentry", "d_name.name"),
    ("INODE_NUMBER", "inode", "i_ino"),
    ("SUPER_DEVICE", "super_block", "s_dev"),
];

/// Each global with its value.
pub fn read() -> Result<Vec<(&'static str, u32)>> {
    let kernel = Kernel::open()?;
    FIELDS
        .iter()
        .map(|&(global, name, field)| Ok((global, kernel.offset(name, field)?)))
        .collect()
}
