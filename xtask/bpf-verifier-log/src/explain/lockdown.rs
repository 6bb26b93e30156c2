//! Whether a helper is missing because the kernel is locked down: the verifier has the same words
//! for that as for a helper that this type of program never has.
//!
//! `bpf_probe_read` and `bpf_probe_read_str` are for tracing programs (and newer kernels let all
//! others call them too), so it is the type of the program that tells. Logs do not name it; names
//! of programs and of sections, and what other helpers a program calls, often do.

use memchr::memmem;

/// What a text shows of the types of its programs.
#[derive(Clone, Copy, Debug, Default)]
pub struct TypeSigns {
    tracing: bool,
    others: bool,
    /// The kernel's own log says that it is locked down.
    locked: bool,
}

impl TypeSigns {
    /// `parts`: the beginning and the end of the text.
    pub fn read_signs(parts: [&[u8]; 2]) -> Self {
        let shows = |words: &[&str]| parts.iter().any(|part| has_any(part, words));
        Self {
            tracing: shows(&TRACING),
            others: shows(&OTHERS),
            locked: shows(&KERNEL_LOG),
        }
    }
}

/// Where the type of the program is not known.
pub const MAY_BE_LOCKED: &str = "A kernel that is locked down may refuse this helper to \
     programs of all types, with the same words.";

/// Whether a refused helper is one that a locked-down kernel takes away from programs that have it.
pub fn is_taken_by_lockdown(message: &str) -> bool {
    message.contains("bpf_probe_read#") || message.contains("bpf_probe_read_str#")
}

/// The same of one that a type of program may have lost: tracing programs have it otherwise.
pub fn may_be_taken_by_lockdown(message: &str) -> bool {
    is_taken_by_lockdown(message) || message.contains("bpf_probe_write_user#")
}

/// `message`: the refusal; `name`: the program's; `signs`: what was pasted around it.
pub fn is_locked_down(message: &str, name: Option<&str>, signs: TypeSigns) -> bool {
    if !is_taken_by_lockdown(message) {
        return false;
    }
    let name = name.unwrap_or_default().as_bytes();
    let is_other = has_any(name, &OTHERS);
    let is_named = has_any(name, &TRACING) && !is_other;
    // Linux 6.8 and later are so worded. By then, whoever called it in another type was told long
    // before.
    let is_recent = message.contains("program of this type")
        || message.contains("this program type does not allow the helper");
    is_named || signs.locked || (!is_other && !signs.others && (is_recent || signs.tracing))
}

fn has_any(text: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|word| memmem::find(text, word.as_bytes()).is_some())
}

const KERNEL_LOG: [&str; 1] = ["use of bpf to read kernel RAM is restricted"];

const TRACING: [&str; 19] = [
    "kprobe",
    "kretprobe",
    "uprobe",
    "uretprobe",
    "tracepoint",
    "raw_tp",
    "tp_btf",
    "fentry",
    "fexit",
    "fmod_ret",
    "perf_event",
    "lsm/",
    "usdt",
    "ksyscall",
    "sys_enter",
    "sys_exit",
    "bpf_get_current_pid_tgid",
    "bpf_get_current_comm",
    "bpf_get_current_task",
];

const OTHERS: [&str; 20] = [
    "struct_ops",
    "sched_ext",
    "scx",
    "netfilter",
    "xdp",
    "XDP",
    "Xdp",
    "classifier",
    "sched_cls",
    "SchedCls",
    "SchedClassifier",
    "cgroup_skb",
    "CgroupSkb",
    "socket_filter",
    "SocketFilter",
    "sk_skb",
    "sk_msg",
    "sockops",
    "bpf_skb_",
    "bpf_clone_redirect",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_text_shows_of_the_type_decides() {
        let new = "program of this type cannot use helper bpf_probe_read#4";
        let old = "unknown func bpf_probe_read#4";
        for (message, name, input, locked) in [
            (new, None, "", true),
            (old, None, "", false),
            (old, Some("kprobe_tcp_connect"), "", true),
            (old, Some("xdp_main"), "kprobe", false),
            (new, Some("p"), "SEC(\"xdp\")", false),
            (
                old,
                Some("p"),
                "5: (85) call bpf_get_current_pid_tgid#14",
                true,
            ),
            (
                old,
                Some("p"),
                "xdp: Lockdown: use of bpf to read kernel RAM is restricted",
                true,
            ),
            (new, Some("uprobe_x"), "an agent with XDP", true),
            (
                "unknown func bpf_probe_read_str#45",
                None,
                "tracepoint",
                true,
            ),
            (
                "unknown func bpf_probe_read_user#112",
                None,
                "kprobe",
                false,
            ),
            (
                "unknown func bpf_probe_write_user#36",
                None,
                "kprobe",
                false,
            ),
        ] {
            let signs = TypeSigns::read_signs([input.as_bytes(), b""]);
            let decided = is_locked_down(message, name, signs);
            assert_eq!(decided, locked, "{message} {name:?} {input}");
        }
    }
}
