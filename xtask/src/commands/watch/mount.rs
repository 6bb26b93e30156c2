//! Where a file is: on a disk of this machine, or where others write without this kernel seeing it.

use std::fs;
use std::path::{Path, PathBuf};

/// The type of the file system that this path is on, if saves are not always noticed there: in WSL
/// the drives of Windows, drives in a network, directories that a VM shares with its host.
pub fn find_remote_file_system(path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).ok()?;
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    file_system_of(&String::from_utf8_lossy(&mounts), &path)
        .filter(|name| is_remote(name))
        .map(str::to_owned)
}

fn is_remote(file_system: &str) -> bool {
    const REMOTE: [&str; 12] = [
        "9p", "afs", "ceph", "cifs", "drvfs", "fuse", "nfs", "nfs4", "smb3", "smbfs", "vboxsf",
        "virtiofs",
    ];
    // `fuse.sshfs`: a program gets the files from wherever it wants.
    REMOTE.contains(&file_system) || file_system.starts_with("fuse.")
}

/// Of the mounts over this path the deepest, and of several in one place the last: it covers the
/// others.
fn file_system_of<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(mount_of_line)
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.components().count())
        .map(|(_, file_system)| file_system)
}

/// `36 35 98:0 / /mnt/c rw,noatime shared:1 - 9p C:\134 rw`: where, and the type.
fn mount_of_line(line: &str) -> Option<(PathBuf, &str)> {
    let (place, kind) = line.split_once(" - ")?;
    let point = place.split(' ').nth(4)?;
    Some((unescape(point).into(), kind.split(' ').next()?))
}

/// A space in a name is `\040`, and so on.
fn unescape(point: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .into_iter()
    .fold(point.to_owned(), |text, (code, character)| {
        text.replace(code, character)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WSL: &str = "\
62 68 8:32 / / rw,relatime - ext4 /dev/sdc rw,discard
74 62 0:31 / /mnt/c rw,noatime - 9p C:\\134 rw,dirsync,aname=drvfs;path=C:\\;uid=1000
75 62 0:32 / /mnt/my\\040drive rw,relatime shared:1 master:2 - drvfs D: rw
76 62 0:33 / /home/kim/net rw,relatime shared:7 - nfs4 server:/export rw,vers=4.2
77 76 0:34 / /home/kim/net/build rw - tmpfs tmpfs rw
78 62 0:35 / /home/kim/remote rw - fuse.sshfs kim@server:/home rw
79 62 0:36 / /mnt/twice rw - vboxsf share rw
80 62 0:37 / /mnt/twice rw - xfs /dev/sdd rw
no mount at all
";

    #[test]
    fn a_path_is_on_the_deepest_mount_over_it() {
        let found = |path: &str| file_system_of(WSL, Path::new(path));
        assert_eq!(found("/home/kim/course"), Some("ext4"));
        assert_eq!(found("/mnt/c/Users/kim/course"), Some("9p"));
        // Not the one that only begins with the same letters.
        assert_eq!(found("/mnt/course"), Some("ext4"));
        assert_eq!(found("/mnt/my drive/course"), Some("drvfs"));
        assert_eq!(found("/home/kim/net/course"), Some("nfs4"));
        assert_eq!(found("/home/kim/net/build/course"), Some("tmpfs"));
        assert_eq!(found("/home/kim/remote"), Some("fuse.sshfs"));
        assert_eq!(found("/mnt/twice/course"), Some("xfs"), "the last covers");
        assert_eq!(file_system_of("", Path::new("/")), None);
    }

    #[test]
    fn saves_are_noticed_on_the_disks_of_this_machine_only() {
        for name in [
            "9p",
            "drvfs",
            "nfs4",
            "cifs",
            "smb3",
            "vboxsf",
            "virtiofs",
            "fuse.sshfs",
        ] {
            assert!(is_remote(name), "{name}");
        }
        for name in ["ext4", "btrfs", "xfs", "zfs", "tmpfs", "overlay", "fuseblk"] {
            assert!(!is_remote(name), "{name}");
        }
    }

    /// Against the kernel's own answer: the root of this machine is somewhere.
    #[test]
    fn this_machine_has_a_root() {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(file_system_of(&mounts, Path::new("/")).is_some());
    }
}
