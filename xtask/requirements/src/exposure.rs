//! Whether another user of this machine could change what the tool starts or boots.
//!
//! Trusted are root, the user, and the owner of the checkout, whose build scripts run anyway. The
//! owner of a cache that `XTASK_CACHE` names is trusted too: so a teacher's cache serves a class.
//! Everybody else must be unable to write the files, their directories, and each directory and
//! link on the way there. The way to the checkout is left out, and so is all of a checkout that
//! others can write: whoever can swap that has cargo run what they like before this looks.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use checkout::workspace;
use kernel::Architecture;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, Uid, User, geteuid};
use problem::Problem;

use crate::qemu;

/// `others`: what other users could change is started all the same.
const TRUST: &str = "XTASK_TRUST";

/// Set by services that run a pipeline. Their containers have no other users, and often a umask of
/// 0.
const PIPELINE: &str = "CI";

/// In the cache, `kernels/6.12/vmlinux`: what is deeper are modules and parts of packages. Looking
/// at those too would take longer than a resume.
const DEPTH: usize = 3;

const ALL: usize = usize::MAX;

/// Set-up's workshop. apt gives a directory in it to a user of its own, and checks what comes out.
const WORKSHOP: &str = "setup";

/// Each snapshot is looked at before it is resumed: one that others can write is dropped.
const SNAPSHOTS: &str = "snapshots";

/// So many links, one after the other, are a circle for Linux.
const MOST_LINKS: usize = 40;

const ELSEWHERE: &str = "have XTASK_CACHE, and XTASK_QEMU for QEMU, name files in places where \
    only you and root can write";

/// What another user could change, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exposure {
    path: PathBuf,
    how: Access,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Access {
    Owner(u32),
    Group(u32),
    Everybody,
    /// The way there does not end.
    Links,
}

impl Exposure {
    pub fn describe(&self) -> String {
        let path = self.path.display();
        match &self.how {
            Access::Owner(user) => format!("{path} belongs to {}", user_name(*user)),
            Access::Group(group) => format!("{path} can be written by {}", group_name(*group)),
            Access::Everybody => format!("{path} can be written by everybody"),
            Access::Links => format!("{path} is a circle of links"),
        }
    }

    pub fn fix(&self) -> String {
        let path = self.path.display();
        let inside = [
            workspace::own_cache(),
            workspace::cache_directory(),
            workspace::target_directory(),
        ];
        let is_inside = inside.iter().any(|place| self.path.starts_with(place));
        match &self.how {
            Access::Owner(_) if is_inside => {
                format!("sudo chown -R $USER {path}    (if it is yours)")
            }
            Access::Group(_) | Access::Everybody if is_inside => format!("chmod -R go-w {path}"),
            Access::Group(_) | Access::Everybody => {
                format!("chmod go-w {path}    (with sudo if it is not yours), or {ELSEWHERE}")
            }
            Access::Owner(_) | Access::Links => ELSEWHERE.to_owned(),
        }
    }
}

/// Refuses to go on where another user decides what is started. Looks once.
pub fn refuse_exposed_files() -> Result<()> {
    static FOUND: OnceLock<Option<Exposure>> = OnceLock::new();
    let [trust, pipeline] = [TRUST, PIPELINE].map(env::var_os);
    if trusts_others(trust.as_deref(), pipeline.as_deref()) {
        return Ok(());
    }
    let Some(exposure) = FOUND.get_or_init(|| find_exposure(DEPTH)) else {
        return Ok(());
    };
    let what = format!(
        "{}: another user could change what this tool starts",
        exposure.describe()
    );
    Err(Problem::machine(what)
        .help(exposure.fix())
        .help(format!(
            "or, if you trust all users of this machine: set {TRUST}=others"
        ))
        .into())
}

fn trusts_others(trust: Option<&OsStr>, pipeline: Option<&OsStr>) -> bool {
    let is_pipeline = pipeline.is_some_and(|value| !value.is_empty() && value != "false");
    is_pipeline || trust.is_some_and(|value| value == "others")
}

/// The same for a report, of all files.
pub fn find_any_exposure() -> Option<Exposure> {
    find_exposure(ALL)
}

/// Who can write the cache, where nobody is found who should not.
pub fn describe_cache_rights() -> String {
    let owner = owner_of(&workspace::cache_directory());
    match owner.filter(|owner| *owner != geteuid().as_raw()) {
        None => "only you and root can write it".to_owned(),
        Some(owner) => format!(
            "you only read it; {} and root can write it",
            user_name(owner)
        ),
    }
}

/// Whatever the user's umask is, others cannot write what this process makes.
pub fn keep_new_files_from_others() {
    let before = umask(Mode::all());
    umask(before | Mode::S_IWGRP | Mode::S_IWOTH);
}

fn find_exposure(depth: usize) -> Option<Exposure> {
    let mut users = Users::of_checkout();
    let mut qemus = Architecture::ALL.into_iter().filter_map(qemu::find_qemu);
    let program = qemus.find_map(|qemu| users.check_way(&qemu, MOST_LINKS));
    let target = workspace::target_directory();
    let mut found = program;
    if !users.can_swap_checkout() {
        found = found
            .or_else(|| users.check_tree(&target, 1))
            .or_else(|| users.check_tree(&workspace::own_cache(), depth));
    }
    let cache = workspace::cache_directory();
    if found.is_some() || cache == workspace::own_cache() {
        return found;
    }
    users.trust_owner_of(&cache);
    users.check_tree(&cache, depth)
}

/// Those who may write.
struct Users {
    trusted: Vec<u32>,
    checkout: PathBuf,
}

impl Users {
    fn of_checkout() -> Self {
        let checkout = workspace::workspace_root();
        let mut trusted = vec![0, geteuid().as_raw()];
        trusted.extend(owner_of(checkout));
        trusted.extend(owner_of_everything_foreign());
        Self {
            trusted,
            checkout: checkout.to_owned(),
        }
    }

    /// Not where everybody may make directories: somebody may have been quicker than the owner.
    fn trust_owner_of(&mut self, cache: &Path) {
        let parent = cache.parent().and_then(|parent| parent.metadata().ok());
        if parent.is_some_and(|data| data.mode() & 0o002 == 0) {
            self.trusted.extend(owner_of(cache));
        }
    }

    /// Whether others can write the checkout itself, as on file systems without modes. Then they
    /// need nothing in it.
    fn can_swap_checkout(&self) -> bool {
        let data = self.checkout.metadata();
        data.is_ok_and(|data| self.judge_file(&self.checkout, &data).is_some())
    }

    /// The way to a place, and what is in it, so many directories deep.
    fn check_tree(&self, place: &Path, depth: usize) -> Option<Exposure> {
        self.check_way(place, MOST_LINKS)
            .or_else(|| self.check_entries(place, depth))
    }

    fn check_entries(&self, directory: &Path, depth: usize) -> Option<Exposure> {
        // What cannot be read cannot be started.
        for entry in fs::read_dir(directory).ok()?.flatten() {
            let (path, data) = (entry.path(), entry.metadata());
            // Another run may have removed it.
            let Ok(data) = data else { continue };
            let mut found = self.judge_file(&path, &data);
            if data.is_symlink() {
                found = found.or_else(|| self.check_way(&path, MOST_LINKS));
            } else if data.is_dir() && depth > 1 && !looks_after_itself(&entry.file_name()) {
                found = found.or_else(|| self.check_entries(&path, depth - 1));
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Each directory and each link that is passed, from the root on. What is not there yet, we
    /// make.
    fn check_way(&self, place: &Path, links: usize) -> Option<Exposure> {
        let is_inside = place.starts_with(&self.checkout);
        let mut way = PathBuf::new();
        let mut parts = place.components();
        while let Some(part) = parts.next() {
            way.push(part);
            let data = way.symlink_metadata().ok()?;
            let leads_to_checkout = is_inside && self.checkout.starts_with(&way);
            let found = self.judge_file(&way, &data).filter(|_| !leads_to_checkout);
            if found.is_some() {
                return found;
            }
            if data.is_symlink() {
                let target = way.parent()?.join(fs::read_link(&way).ok()?);
                return match links.checked_sub(1) {
                    Some(links) => self.check_way(&target.join(parts.as_path()), links),
                    None => Some(Exposure {
                        path: way,
                        how: Access::Links,
                    }),
                };
            }
        }
        None
    }

    fn judge_file(&self, path: &Path, data: &Metadata) -> Option<Exposure> {
        // Sockets and pipes are not read.
        let kind = data.file_type();
        if kind.is_socket() || kind.is_fifo() {
            return None;
        }
        let mode = if data.is_symlink() { 0 } else { data.mode() };
        self.judge(data.uid(), data.gid(), mode, data.is_dir())
            .map(|how| Exposure {
                path: path.to_owned(),
                how,
            })
    }

    fn judge(&self, owner: u32, group: u32, mode: u32, is_directory: bool) -> Option<Access> {
        let sticky = 0o1000;
        if !self.trusted.contains(&owner) {
            return Some(Access::Owner(owner));
        }
        // There, nobody can remove what is another's.
        if is_directory && mode & sticky != 0 {
            return None;
        }
        if mode & 0o002 != 0 {
            return Some(Access::Everybody);
        }
        (mode & 0o020 != 0 && !self.is_own_group(owner, group)).then_some(Access::Group(group))
    }

    /// Distributions give each user a group of the same name, with nobody else in it.
    fn is_own_group(&self, owner: u32, group: u32) -> bool {
        let (Ok(Some(user)), Ok(Some(group))) = (
            User::from_uid(Uid::from_raw(owner)),
            Group::from_gid(Gid::from_raw(group)),
        ) else {
            return false;
        };
        group.name == user.name && group.mem.iter().all(|member| *member == user.name)
    }
}

fn looks_after_itself(directory: &OsStr) -> bool {
    [WORKSHOP, SNAPSHOTS].iter().any(|name| directory == *name)
}

fn owner_of(path: &Path) -> Option<u32> {
    Some(path.metadata().ok()?.uid())
}

/// In a user namespace, users of outside have one number together, root too.
fn owner_of_everything_foreign() -> Option<u32> {
    let map = fs::read_to_string("/proc/self/uid_map").ok()?;
    let maps_all = map.split_whitespace().eq(["0", "0", "4294967295"]);
    if maps_all {
        return None;
    }
    let number = fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?;
    number.trim().parse().ok()
}

fn user_name(user: u32) -> String {
    match User::from_uid(Uid::from_raw(user)) {
        Ok(Some(user)) => format!("user {}", user.name),
        _ => format!("user {user}"),
    }
}

fn group_name(group: u32) -> String {
    match Group::from_gid(Gid::from_raw(group)) {
        Ok(Some(group)) => format!("group {}", group.name),
        _ => format!("group {group}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn us() -> Users {
        trusting(vec![0, geteuid().as_raw()])
    }

    fn trusting(trusted: Vec<u32>) -> Users {
        Users {
            trusted,
            checkout: "/a/checkout".into(),
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// A cache with a kernel.
    fn cache() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let kernel = directory.path().join("cache/kernels/6.12/vmlinux");
        for path in kernel.ancestors().skip(1).take(3) {
            fs::create_dir_all(path).unwrap();
            set_mode(path, 0o755);
        }
        fs::write(&kernel, "a kernel").unwrap();
        set_mode(&kernel, 0o644);
        (directory, kernel)
    }

    #[test]
    fn each_file_and_directory_that_others_can_write_is_found() {
        let (directory, kernel) = cache();
        let place = directory.path().join("cache");
        assert_eq!(us().check_tree(&place, DEPTH), None);
        // From the kernel up to what the cache is in.
        for path in kernel.ancestors().take(5) {
            let before = path.metadata().unwrap().mode();
            set_mode(path, before | 0o002);
            let found = us().check_tree(&place, DEPTH).unwrap();
            assert_eq!((found.path.as_path(), found.how), (path, Access::Everybody));
            set_mode(path, before);
        }
        assert_eq!(us().check_tree(&place, DEPTH), None);
    }

    #[test]
    fn whoever_can_swap_the_checkout_needs_nothing_else() {
        let (directory, _) = cache();
        let users = Users {
            checkout: directory.path().to_owned(),
            ..us()
        };
        let place = directory.path().join("cache");
        set_mode(directory.path(), 0o777);
        assert_eq!(users.check_tree(&place, DEPTH), None);
        assert!(users.can_swap_checkout());
        set_mode(&place, 0o777);
        assert_eq!(users.check_tree(&place, DEPTH).unwrap().path, place);
        set_mode(directory.path(), 0o755);
        assert!(!users.can_swap_checkout());
    }

    #[test]
    fn a_snapshot_that_others_can_write_is_left_to_its_reader() {
        let (directory, _) = cache();
        let place = directory.path().join("cache");
        let snapshots = place.join(SNAPSHOTS);
        fs::create_dir(&snapshots).unwrap();
        set_mode(&snapshots, 0o755);
        fs::write(snapshots.join("6.12"), "").unwrap();
        set_mode(&snapshots.join("6.12"), 0o666);
        assert_eq!(us().check_tree(&place, DEPTH), None);
        set_mode(&snapshots, 0o777);
        assert_eq!(us().check_tree(&place, DEPTH).unwrap().path, snapshots);
    }

    #[test]
    fn pipelines_have_no_other_users() {
        let trusts = |trust: Option<&str>, pipeline: Option<&str>| {
            trusts_others(trust.map(OsStr::new), pipeline.map(OsStr::new))
        };
        assert!(trusts(Some("others"), None) && trusts(None, Some("true")));
        assert!(!trusts(None, None) && !trusts(Some("yes"), Some("")));
        assert!(!trusts(None, Some("false")));
    }

    #[test]
    fn what_belongs_to_another_user_is_found_unless_its_owner_is_trusted() {
        let (directory, _) = cache();
        let place = directory.path().join("cache");
        let (me, somebody) = (geteuid().as_raw(), geteuid().as_raw() + 1);
        let mut others = trusting(vec![somebody]);
        // Down from the cache: what it is in belongs to root, who is a stranger here.
        let found = others.check_entries(&place, DEPTH).unwrap();
        assert_eq!(found.how, Access::Owner(me));
        others.trust_owner_of(&place);
        assert_eq!(others.check_entries(&place, DEPTH), None);
        // Where everybody may make a directory, its owner may be anybody.
        let mut others = trusting(vec![somebody]);
        set_mode(directory.path(), 0o1777);
        others.trust_owner_of(&place);
        assert!(others.check_entries(&place, DEPTH).is_some());
    }

    #[test]
    fn a_link_is_followed_through_directories_that_others_can_write() {
        let (directory, kernel) = cache();
        let open = directory.path().join("open");
        fs::create_dir(&open).unwrap();
        symlink(&kernel, open.join("kernel")).unwrap();
        let link = directory.path().join("cache/kernel");
        symlink("../open/kernel", &link).unwrap();
        let place = directory.path().join("cache");
        set_mode(&open, 0o777);
        let found = us().check_tree(&place, DEPTH).unwrap();
        assert_eq!(found.how, Access::Everybody);
        assert_eq!(
            found.path.canonicalize().unwrap(),
            open.canonicalize().unwrap()
        );
        set_mode(&open, 0o755);
        assert_eq!(us().check_tree(&place, DEPTH), None);
        fs::remove_file(&link).unwrap();
        symlink("kernel", &link).unwrap();
        assert_eq!(us().check_tree(&place, DEPTH).unwrap().how, Access::Links);
    }

    #[test]
    fn a_group_may_write_only_if_the_owner_is_alone_in_it() {
        let me = User::from_uid(geteuid()).unwrap().unwrap();
        let strangers = me.gid.as_raw() + 70_000;
        let judge = |group, mode| us().judge(me.uid.as_raw(), group, mode, true);
        assert_eq!(judge(strangers, 0o775), Some(Access::Group(strangers)));
        assert_eq!(judge(strangers, 0o755), None);
        assert_eq!(judge(strangers, 0o1777), None, "as /tmp");
        let own = Group::from_gid(me.gid).unwrap().unwrap();
        if own.name == me.name && own.mem.is_empty() {
            assert_eq!(judge(me.gid.as_raw(), 0o775), None);
        }
    }

    #[test]
    fn what_is_not_there_yet_is_no_fault() {
        assert_eq!(us().check_tree(Path::new("/usr/nothing/here"), DEPTH), None);
    }
}
