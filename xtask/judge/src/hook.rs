//! Where programs are attached: as the exercise asks for, and as the name of a program's section
//! says.

use plan::load::EbpfLibrary;

use crate::probed::ProbedFunction;

/// A place in the kernel, named as the kernel names it.
#[derive(Clone, Copy, Debug)]
pub enum Hook {
    /// A kprobe on the first of these functions that the kernel has: some were renamed.
    KProbe(&'static [&'static str]),
    /// The same, when the function returns.
    KRetProbe(&'static [&'static str]),
    /// Category and name, with a slash between them.
    Tracepoint(&'static str),
    RawTracepoint(&'static str),
    BtfTracepoint(&'static str),
    FEntry(&'static str),
    FExit(&'static str),
    Lsm(&'static str),
    /// It is loaded; the checks run it on frames of their own.
    Xdp,
    /// The same, for tc.
    Classifier,
    /// The same, for a filter on a socket.
    SocketFilter,
    /// When a process of the judge's cgroup makes this call: `connect4`.
    Cgroup(&'static str),
    /// A function of the judge itself.
    UProbe(ProbedFunction),
    /// The same, when the function returns.
    URetProbe(ProbedFunction),
    /// The CPU clock, on each CPU.
    PerfEvent,
}

impl Hook {
    /// As a learner knows it.
    pub fn kind_name(self) -> &'static str {
        match self {
            Self::KProbe(_) => "kprobe",
            Self::KRetProbe(_) => "kretprobe",
            Self::Tracepoint(_) => "tracepoint",
            Self::RawTracepoint(_) => "raw tracepoint",
            Self::BtfTracepoint(_) => "BTF tracepoint",
            Self::FEntry(_) => "fentry",
            Self::FExit(_) => "fexit",
            Self::Lsm(_) => "LSM",
            Self::Xdp => "XDP",
            Self::Classifier => "tc",
            Self::SocketFilter => "socket filter",
            Self::Cgroup(_) => "cgroup",
            Self::UProbe(_) => "uprobe",
            Self::URetProbe(_) => "uretprobe",
            Self::PerfEvent => "perf event",
        }
    }

    /// What it is that the kernel gives a name to; nothing where the section names no hook.
    fn noun(self) -> &'static str {
        match self {
            Self::KProbe(_) | Self::KRetProbe(_) | Self::FEntry(_) | Self::FExit(_) => "function",
            Self::Tracepoint(_) | Self::RawTracepoint(_) | Self::BtfTracepoint(_) => "tracepoint",
            Self::Lsm(_) => "LSM hook",
            Self::Cgroup(_) => "hook",
            Self::Xdp | Self::Classifier | Self::SocketFilter => "",
            Self::UProbe(_) | Self::URetProbe(_) | Self::PerfEvent => "",
        }
    }

    /// Any of these will do.
    pub fn target_names(&self) -> &[&'static str] {
        match self {
            Self::KProbe(names) | Self::KRetProbe(names) => names,
            Self::Tracepoint(name)
            | Self::RawTracepoint(name)
            | Self::BtfTracepoint(name)
            | Self::FEntry(name)
            | Self::FExit(name)
            | Self::Lsm(name)
            | Self::Cgroup(name) => std::slice::from_ref(name),
            Self::Xdp | Self::Classifier | Self::SocketFilter => &[],
            Self::UProbe(_) | Self::URetProbe(_) | Self::PerfEvent => &[],
        }
    }

    /// A section cannot name these: only user space knows which file, or which CPUs.
    fn is_left_to_user_space(&self) -> bool {
        matches!(self, Self::UProbe(_) | Self::URetProbe(_) | Self::PerfEvent)
    }
}

/// A program of the answer, with the section that it is in.
pub struct Placed {
    pub name: &'static str,
    pub hook: Hook,
    pub section: String,
}

impl Placed {
    /// What the section says that it is attached to. Most say it, and some leave that to user
    /// space.
    pub fn named_target(&self) -> Option<&str> {
        let (_, target) = self.section.split_once('/')?;
        (!self.hook.target_names().is_empty()).then_some(target)
    }

    /// What user space attaches it to: any of these.
    pub fn attach_targets(&self) -> Vec<&str> {
        match (self.named_target(), self.hook) {
            (Some(target), _) => vec![target],
            (None, Hook::UProbe(function) | Hook::URetProbe(function)) => vec![function.name],
            (None, Hook::PerfEvent) => vec!["the CPU clock"],
            (None, _) => self.hook.target_names().to_vec(),
        }
    }

    /// Another type or another hook than the exercise asks for.
    pub fn find_mistake(&self, library: EbpfLibrary) -> Option<String> {
        let Self {
            name,
            hook,
            section,
        } = self;
        let (kind, found) = (hook.kind_name(), kind_of(section));
        let written = section_in_source(section, library);
        if section.starts_with('?') {
            return Some(format!(
                "{name} is not loaded, because its section begins with ?: {written}"
            ));
        }
        if kind != found {
            return Some(format!(
                "{name} should be a {kind} program, and is a {found} program: {written}"
            ));
        }
        if matches!(hook, Hook::Xdp) && section.contains('/') {
            return Some(format!(
                "{name} should be for a network interface, and is for a map: {written}"
            ));
        }
        if hook.is_left_to_user_space() && section.contains('/') {
            return Some(format!(
                "{name} is attached by user space, and its section should name the type alone: \
                 {written}"
            ));
        }
        let target = self.named_target()?;
        let function = target
            .split_once('+')
            .map_or(target, |(function, _)| function);
        if hook.target_names().contains(&function) {
            return None;
        }
        let (noun, right) = (hook.noun(), hook.target_names().join(" or "));
        let near = hook
            .target_names()
            .iter()
            .any(|name| strsim::osa_distance(name, target) == 1);
        let guess = if near { ". Is it misspelt?" } else { "" };
        Some(format!(
            "{name} is for the {noun} {target}, and should be for {right}: {written}{guess}"
        ))
    }
}

/// The type that a section's name stands for.
fn kind_of(section: &str) -> &str {
    match section.split('/').next().unwrap_or_default() {
        "tp" => "tracepoint",
        "raw_tp" | "raw_tracepoint" => "raw tracepoint",
        "tp_btf" => "BTF tracepoint",
        "fentry.s" => "fentry",
        "fexit.s" => "fexit",
        "uprobe.s" => "uprobe",
        "uretprobe.s" => "uretprobe",
        "perf_event" => "perf event",
        "lsm" | "lsm.s" => "LSM",
        "xdp" | "xdp.frags" => "XDP",
        "tc" | "tcx" | "classifier" => "tc",
        "socket" => "socket filter",
        other => other,
    }
}

/// How the source says what the section is called.
pub fn section_in_source(section: &str, library: EbpfLibrary) -> String {
    match library {
        EbpfLibrary::Libbpf => format!("SEC(\"{section}\")"),
        EbpfLibrary::Aya => format!("its macro puts it into the section {section}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(hook: Hook, section: &str) -> Option<String> {
        Placed {
            name: "count",
            hook,
            section: section.to_owned(),
        }
        .find_mistake(EbpfLibrary::Libbpf)
    }

    #[test]
    fn a_section_that_names_no_hook_leaves_it_to_user_space() {
        assert_eq!(mistake(Hook::KProbe(&["one", "two"]), "kprobe"), None);
        assert_eq!(mistake(Hook::KProbe(&["one", "two"]), "kprobe/two"), None);
        assert_eq!(mistake(Hook::KProbe(&["one"]), "kprobe/one+4"), None);
        assert_eq!(
            mistake(Hook::Tracepoint("sched/exec"), "tp/sched/exec"),
            None
        );
        assert_eq!(mistake(Hook::Lsm("bind"), "lsm.s/bind"), None);
        assert_eq!(mistake(Hook::Classifier, "tcx/ingress"), None);
    }

    #[test]
    fn another_hook_is_told_with_both_names() {
        assert_eq!(
            mistake(Hook::Tracepoint("sched/exec"), "tracepoint/sched/exit").unwrap(),
            "count is for the tracepoint sched/exit, and should be for sched/exec: \
             SEC(\"tracepoint/sched/exit\")"
        );
        assert_eq!(
            mistake(Hook::FExit("vfs_read"), "fexit/ksys_write").unwrap(),
            "count is for the function ksys_write, and should be for vfs_read: \
             SEC(\"fexit/ksys_write\")"
        );
    }

    #[test]
    fn a_name_with_one_wrong_letter_is_a_misspelling() {
        let mistake = mistake(Hook::Tracepoint("sched/exec"), "tp/sched/exc").unwrap();
        assert!(
            mistake.ends_with("SEC(\"tp/sched/exc\"). Is it misspelt?"),
            "{mistake}"
        );
    }

    #[test]
    fn a_section_cannot_tell_where_a_judge_is() {
        let function = ProbedFunction {
            name: "pay",
            address: || 0,
        };
        assert_eq!(mistake(Hook::UProbe(function), "uprobe"), None);
        assert_eq!(mistake(Hook::PerfEvent, "perf_event"), None);
        let told = mistake(Hook::UProbe(function), "uprobe//bin/shop:pay").unwrap();
        assert!(told.contains("by user space"), "{told}");
    }

    #[test]
    fn another_type_is_told_with_both_names() {
        assert_eq!(
            mistake(Hook::KRetProbe(&["one"]), "kprobe").unwrap(),
            "count should be a kretprobe program, and is a kprobe program: SEC(\"kprobe\")"
        );
        assert!(
            mistake(Hook::KProbe(&["one"]), "kprobe.multi/one")
                .unwrap()
                .contains("is a kprobe.multi")
        );
        assert!(
            mistake(Hook::Xdp, "?xdp")
                .unwrap()
                .contains("is not loaded")
        );
    }
}
