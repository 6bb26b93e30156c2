//! What was asked for: a name, or a name of a certain kind.

use kernel::Architecture;
use kernel_names::Kind;
use problem::Problem;

/// What is looked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// As it was typed.
    pub typed: String,
    /// The name alone.
    pub name: String,
    /// `None`: whatever is called so.
    pub kinds: Option<Vec<Kind>>,
}

/// The longest name of a symbol in the kernel, `KSYM_NAME_LEN`; a field has two names.
const LONGEST: usize = 1024;

/// What sections of programs begin with, or C puts before a name, and what comes after it.
const PREFIXES: [(&str, &[Kind]); 27] = [
    ("struct ", &[Kind::Struct]),
    ("union ", &[Kind::Struct]),
    ("kprobe/", &[Kind::Function]),
    ("kretprobe/", &[Kind::Function]),
    ("kprobe.multi/", &[Kind::Function]),
    ("kretprobe.multi/", &[Kind::Function]),
    ("kprobe.session/", &[Kind::Function]),
    ("fentry/", &[Kind::Function]),
    ("fexit/", &[Kind::Function]),
    ("fmod_ret/", &[Kind::Function]),
    ("fentry.s/", &[Kind::Function]),
    ("fexit.s/", &[Kind::Function]),
    ("fmod_ret.s/", &[Kind::Function]),
    ("fsession/", &[Kind::Function]),
    ("iter/", &[Kind::Function]),
    ("ksyscall/", &[Kind::Function]),
    ("kretsyscall/", &[Kind::Function]),
    ("tracepoint/", &[Kind::Tracepoint]),
    ("tp/", &[Kind::Tracepoint]),
    ("raw_tracepoint/", &[Kind::RawTracepoint]),
    ("raw_tp/", &[Kind::RawTracepoint]),
    ("tp_btf/", &[Kind::RawTracepoint]),
    ("lsm/", &[Kind::Hook]),
    ("lsm.s/", &[Kind::Hook]),
    ("lsm_cgroup/", &[Kind::Hook]),
    ("bpf_lsm_", &[Kind::Hook, Kind::Function]),
    ("BPF_FUNC_", &[Kind::Helper]),
];

impl Question {
    pub fn parse(typed: &str) -> Result<Self, Problem> {
        let typed = typed.trim();
        check_name(typed)?;
        let prefix = PREFIXES
            .iter()
            .find(|(prefix, _)| typed.starts_with(prefix));
        let (name, kinds) = match prefix {
            Some((prefix, kinds)) => (&typed[prefix.len()..], Some(kinds.to_vec())),
            None => (typed, None),
        };
        check_name(name)?;
        let is_tracepoint = kinds.as_deref().is_none_or(|it| it == [Kind::Tracepoint]);
        let name = match name.split_once('/') {
            Some((group, event)) if is_tracepoint => format!("{group}:{event}"),
            _ => name.to_owned(),
        };
        Ok(Self {
            typed: typed.to_owned(),
            name,
            kinds,
        })
    }

    pub fn is_about(&self, kind: Kind) -> bool {
        self.kinds
            .as_ref()
            .is_none_or(|kinds| kinds.contains(&kind))
    }

    /// What a kind calls the name that was asked for, on kernels of this architecture.
    pub fn name_of_kind(&self, kind: Kind, architecture: Architecture) -> String {
        // As libbpf does.
        let system_call = architecture.system_call_prefix();
        let before = match kind {
            Kind::Function if self.typed.starts_with("bpf_lsm_") => "bpf_lsm_",
            Kind::Function if self.typed.starts_with("iter/") => "bpf_iter_",
            Kind::Function if self.typed.starts_with("ksyscall/") => system_call,
            Kind::Function if self.typed.starts_with("kretsyscall/") => system_call,
            Kind::Helper if self.typed.starts_with("BPF_FUNC_") => "bpf_",
            _ => "",
        };
        format!("{before}{}", self.name)
    }
}

fn check_name(name: &str) -> Result<(), Problem> {
    const EXAMPLE: &str = "cargo xtask where sched:sched_switch";
    if name.is_empty() {
        return Err(Problem::usage("the name is empty").help(EXAMPLE));
    }
    if name.len() > LONGEST {
        let what = format!("no name has {} characters", name.len());
        return Err(Problem::usage(what).help(EXAMPLE));
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.:/ ".contains(c);
    if let Some(other) = name.chars().find(|c| !is_allowed(*c)) {
        let what = format!("{other:?} is in no name: cargo xtask where takes one name, no pattern");
        return Err(Problem::usage(what).help(EXAMPLE));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(typed: &str) -> (String, Option<Vec<Kind>>) {
        let question = Question::parse(typed).unwrap();
        (question.name, question.kinds)
    }

    #[test]
    fn a_section_says_what_its_name_is() {
        assert_eq!(told("vfs_unlink"), ("vfs_unlink".to_owned(), None));
        let function = Some(vec![Kind::Function]);
        assert_eq!(
            told(" kprobe/vfs_unlink"),
            ("vfs_unlink".to_owned(), function)
        );
        let tracepoint = Some(vec![Kind::Tracepoint]);
        for typed in ["tp/sched/sched_switch", "tracepoint/sched/sched_switch"] {
            let name = "sched:sched_switch".to_owned();
            assert_eq!(told(typed), (name, tracepoint.clone()));
        }
        assert_eq!(told("sched/sched_switch").0, "sched:sched_switch");
        assert_eq!(told("struct file").0, "file");
    }

    #[test]
    fn prefixes_of_names_lead_to_other_kinds() {
        let name_on = |typed, kind, architecture| {
            let question = Question::parse(typed).unwrap();
            question.name_of_kind(kind, architecture)
        };
        let name = |typed, kind| name_on(typed, kind, Architecture::Amd64);
        let hook = "bpf_lsm_file_open";
        assert_eq!(name(hook, Kind::Hook), "file_open");
        assert_eq!(name(hook, Kind::Function), "bpf_lsm_file_open");
        let helper = "BPF_FUNC_strncmp";
        assert_eq!(name(helper, Kind::Helper), "bpf_strncmp");
        assert!(!Question::parse(helper).unwrap().is_about(Kind::Function));
        let call = |architecture| name_on("ksyscall/openat", Kind::Function, architecture);
        assert_eq!(call(Architecture::Amd64), "__x64_sys_openat");
        assert_eq!(call(Architecture::Arm64), "__arm64_sys_openat");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let error = |typed: &str| Question::parse(typed).unwrap_err().to_string();
        assert_eq!(error(""), "the name is empty");
        assert_eq!(error("   "), "the name is empty");
        assert_eq!(error("kprobe/"), "the name is empty");
        assert_eq!(error(&"x".repeat(5000)), "no name has 5000 characters");
        assert!(error("vfs_*").starts_with("'*' is in no name"));
        assert!(error("vfs\u{1b}[0m").contains("is in no name"));
        assert!(error("größe").contains("is in no name"));
    }
}
