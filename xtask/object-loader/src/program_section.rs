//! The name of a section, which tells a program's type.
//!
//! Loaders read it differently: to libbpf `xdp_mine` says nothing, while cilium/ebpf takes any name
//! that begins with `xdp`, `socket`, `classifier` and so on.

use std::ffi::{CStr, CString};

use libbpf_sys::{BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS, BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_TRACING};

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProgramSection {
    /// As in the object.
    pub written: String,
    /// The name under which libbpf knows it; `None`: no loader knows it.
    pub known: Option<String>,
}

impl ProgramSection {
    pub fn from_name(name: &str) -> Self {
        let known = match find_type(name) {
            Some(_) => Some(name.to_owned()),
            None => find_prefix(name).map(str::to_owned),
        };
        Self {
            written: name.to_owned(),
            known,
        }
    }

    /// The name under which libbpf knows it, if it was written differently.
    pub fn translated(&self) -> Option<&str> {
        self.known.as_deref().filter(|known| *known != self.written)
    }

    pub fn note(&self) -> Option<String> {
        let known = self.translated()?;
        let written = &self.written;
        Some(format!(
            "section {written}: read as {known}, as cilium/ebpf does"
        ))
    }

    /// As libbpf calls it, where it has such a name.
    pub fn name(&self) -> &str {
        self.known.as_deref().unwrap_or(&self.written)
    }

    /// `BPF_PROG_TYPE_*` and the attach type.
    pub fn types(&self) -> Option<(u32, u32)> {
        find_type(self.known.as_deref()?)
    }

    /// What libbpf asks for beside the type of the program.
    pub fn program_flags(&self) -> u32 {
        let name = self.name();
        let first = name.split('/').next().unwrap_or_default();
        match first {
            "xdp.frags" => BPF_F_XDP_HAS_FRAGS,
            "syscall" => BPF_F_SLEEPABLE,
            _ if first.ends_with(".s") => BPF_F_SLEEPABLE,
            _ => 0,
        }
    }

    /// What has to be named before such a program can be loaded: the kernel checks it against what
    /// it attaches to. `lsm/file_open` names that, `lsm` does not.
    pub fn wanted_target(&self) -> Option<&'static str> {
        let name = self.name();
        let name = name.strip_suffix(".s").unwrap_or(name);
        match name {
            "fentry" | "fexit" | "fmod_ret" | "fsession" => Some("FUNCTION"),
            "lsm" | "lsm_cgroup" => Some("HOOK"),
            "tp_btf" => Some("TRACEPOINT"),
            "iter" => Some("ITERATOR"),
            _ if self.is_freplace() => Some("OBJECT:PROGRAM"),
            _ => None,
        }
    }

    pub fn is_checked_against_target(&self) -> bool {
        matches!(
            self.types(),
            Some((BPF_PROG_TYPE_TRACING | BPF_PROG_TYPE_LSM, _))
        )
    }

    pub fn is_freplace(&self) -> bool {
        self.name().split('/').next() == Some("freplace")
    }

    /// What follows the first `/`.
    pub fn target(&self) -> Option<&str> {
        Some(self.name().split_once('/')?.1)
    }
}

/// `BPF_PROG_TYPE_*` and the attach type that libbpf reads from a section's name.
fn find_type(section: &str) -> Option<(u32, u32)> {
    let section = CString::new(section).ok()?;
    let (mut program, mut attach) = (0, 0);
    // SAFETY: the name ends with a zero byte, and the numbers outlive the call.
    let failed = unsafe {
        libbpf_sys::libbpf_prog_type_by_name(
            CStr::as_ptr(&section),
            &raw mut program,
            &raw mut attach,
        )
    };
    (failed == 0).then_some((program, attach))
}

/// The longest name of a type that this one begins with. Types whose names go on with a target
/// (`kprobe/vfs_read`) are left out: `kprobe_mine` is none of them.
fn find_prefix(section: &str) -> Option<&str> {
    let ends = section.char_indices().map(|(at, _)| at).rev();
    let mut prefixes = ends.map(|end| &section[..end]);
    prefixes.find(|prefix| {
        find_type(prefix).is_some() && find_type(&format!("{prefix}/target")).is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Option<String> {
        ProgramSection::from_name(name).known
    }

    #[test]
    fn names_are_read_by_prefix_as_cilium_ebpf_does() {
        for (written, expected) in [
            ("classifier/ingress", Some("classifier")),
            ("socket/x", Some("socket")),
            ("xdp_mine", Some("xdp")),
            ("xdp.frags/devmap/x", Some("xdp.frags/devmap")),
            ("tc/ingress_first", Some("tc/ingress")),
            ("cgroup/skb_mine", Some("cgroup/skb")),
            ("kprobe_mine", None),
            ("tracepoints/x", None),
            ("uprobe_mine", None),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(known(written).as_deref(), expected, "{written}");
            assert!(ProgramSection::from_name(written).note().is_some() == expected.is_some());
        }
    }

    #[test]
    fn what_libbpf_knows_stays_as_it_is() {
        for name in [
            "xdp",
            "kprobe/func+0x10",
            "kprobe.multi/vfs_*",
            "uprobe//opt/a b:main",
            "fentry.s/x",
        ] {
            assert_eq!(known(name).as_deref(), Some(name));
            assert_eq!(ProgramSection::from_name(name).note(), None);
        }
    }

    #[test]
    fn flags_come_with_the_name() {
        let flags = |name| ProgramSection::from_name(name).program_flags();
        assert_eq!(flags("xdp.frags/devmap"), BPF_F_XDP_HAS_FRAGS);
        assert_eq!(flags("lsm.s/file_open"), BPF_F_SLEEPABLE);
        assert_eq!(flags("uprobe.multi.s"), BPF_F_SLEEPABLE);
        assert_eq!(flags("syscall"), BPF_F_SLEEPABLE);
        assert_eq!(flags("kprobe/x.s"), 0);
    }

    #[test]
    fn a_bare_name_needs_a_target() {
        let wanted = |name| ProgramSection::from_name(name).wanted_target();
        assert_eq!(wanted("fentry"), Some("FUNCTION"));
        assert_eq!(wanted("lsm.s"), Some("HOOK"));
        assert_eq!(wanted("freplace/leaf"), Some("OBJECT:PROGRAM"));
        assert_eq!(wanted("fentry/vfs_read"), None);
        assert_eq!(wanted("kprobe"), None);
        assert_eq!(
            ProgramSection::from_name("lsm/file_open").target(),
            Some("file_open")
        );
    }
}
