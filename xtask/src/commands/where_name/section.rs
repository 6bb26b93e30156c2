//! Names of sections that tell all about a program's type, as libbpf reads them.

/// The section, the type of its programs, and that of their attachments where it has one.
const SECTIONS: [(&str, &str, &str); 62] = [
    ("socket", "BPF_PROG_TYPE_SOCKET_FILTER", ""),
    ("kprobe", "BPF_PROG_TYPE_KPROBE", ""),
    ("kretprobe", "BPF_PROG_TYPE_KPROBE", ""),
    ("ksyscall", "BPF_PROG_TYPE_KPROBE", ""),
    ("kretsyscall", "BPF_PROG_TYPE_KPROBE", ""),
    ("uprobe", "BPF_PROG_TYPE_KPROBE", ""),
    ("uretprobe", "BPF_PROG_TYPE_KPROBE", ""),
    ("usdt", "BPF_PROG_TYPE_KPROBE", ""),
    (
        "kprobe.multi",
        "BPF_PROG_TYPE_KPROBE",
        "BPF_TRACE_KPROBE_MULTI",
    ),
    (
        "kretprobe.multi",
        "BPF_PROG_TYPE_KPROBE",
        "BPF_TRACE_KPROBE_MULTI",
    ),
    (
        "kprobe.session",
        "BPF_PROG_TYPE_KPROBE",
        "BPF_TRACE_KPROBE_SESSION",
    ),
    (
        "uprobe.multi",
        "BPF_PROG_TYPE_KPROBE",
        "BPF_TRACE_UPROBE_MULTI",
    ),
    (
        "uretprobe.multi",
        "BPF_PROG_TYPE_KPROBE",
        "BPF_TRACE_UPROBE_MULTI",
    ),
    ("tracepoint", "BPF_PROG_TYPE_TRACEPOINT", ""),
    ("tp", "BPF_PROG_TYPE_TRACEPOINT", ""),
    ("raw_tracepoint", "BPF_PROG_TYPE_RAW_TRACEPOINT", ""),
    ("raw_tp", "BPF_PROG_TYPE_RAW_TRACEPOINT", ""),
    ("tp_btf", "BPF_PROG_TYPE_TRACING", "BPF_TRACE_RAW_TP"),
    ("fentry", "BPF_PROG_TYPE_TRACING", "BPF_TRACE_FENTRY"),
    ("fexit", "BPF_PROG_TYPE_TRACING", "BPF_TRACE_FEXIT"),
    ("fmod_ret", "BPF_PROG_TYPE_TRACING", "BPF_MODIFY_RETURN"),
    ("iter", "BPF_PROG_TYPE_TRACING", "BPF_TRACE_ITER"),
    ("freplace", "BPF_PROG_TYPE_EXT", ""),
    ("lsm", "BPF_PROG_TYPE_LSM", "BPF_LSM_MAC"),
    ("lsm_cgroup", "BPF_PROG_TYPE_LSM", "BPF_LSM_CGROUP"),
    ("perf_event", "BPF_PROG_TYPE_PERF_EVENT", ""),
    ("xdp", "BPF_PROG_TYPE_XDP", "BPF_XDP"),
    ("xdp.frags", "BPF_PROG_TYPE_XDP", "BPF_XDP"),
    ("xdp/devmap", "BPF_PROG_TYPE_XDP", "BPF_XDP_DEVMAP"),
    ("xdp/cpumap", "BPF_PROG_TYPE_XDP", "BPF_XDP_CPUMAP"),
    ("tc", "BPF_PROG_TYPE_SCHED_CLS", ""),
    ("classifier", "BPF_PROG_TYPE_SCHED_CLS", ""),
    ("tcx/ingress", "BPF_PROG_TYPE_SCHED_CLS", "BPF_TCX_INGRESS"),
    ("tcx/egress", "BPF_PROG_TYPE_SCHED_CLS", "BPF_TCX_EGRESS"),
    (
        "netkit/primary",
        "BPF_PROG_TYPE_SCHED_CLS",
        "BPF_NETKIT_PRIMARY",
    ),
    ("netkit/peer", "BPF_PROG_TYPE_SCHED_CLS", "BPF_NETKIT_PEER"),
    ("action", "BPF_PROG_TYPE_SCHED_ACT", ""),
    ("lwt_in", "BPF_PROG_TYPE_LWT_IN", ""),
    ("lwt_out", "BPF_PROG_TYPE_LWT_OUT", ""),
    ("lwt_xmit", "BPF_PROG_TYPE_LWT_XMIT", ""),
    ("lwt_seg6local", "BPF_PROG_TYPE_LWT_SEG6LOCAL", ""),
    ("sockops", "BPF_PROG_TYPE_SOCK_OPS", "BPF_CGROUP_SOCK_OPS"),
    ("sk_skb", "BPF_PROG_TYPE_SK_SKB", ""),
    (
        "sk_skb/stream_parser",
        "BPF_PROG_TYPE_SK_SKB",
        "BPF_SK_SKB_STREAM_PARSER",
    ),
    (
        "sk_skb/stream_verdict",
        "BPF_PROG_TYPE_SK_SKB",
        "BPF_SK_SKB_STREAM_VERDICT",
    ),
    ("sk_msg", "BPF_PROG_TYPE_SK_MSG", "BPF_SK_MSG_VERDICT"),
    ("sk_lookup", "BPF_PROG_TYPE_SK_LOOKUP", "BPF_SK_LOOKUP"),
    (
        "sk_reuseport",
        "BPF_PROG_TYPE_SK_REUSEPORT",
        "BPF_SK_REUSEPORT_SELECT",
    ),
    (
        "flow_dissector",
        "BPF_PROG_TYPE_FLOW_DISSECTOR",
        "BPF_FLOW_DISSECTOR",
    ),
    ("netfilter", "BPF_PROG_TYPE_NETFILTER", "BPF_NETFILTER"),
    ("struct_ops", "BPF_PROG_TYPE_STRUCT_OPS", ""),
    ("syscall", "BPF_PROG_TYPE_SYSCALL", ""),
    (
        "cgroup_skb/ingress",
        "BPF_PROG_TYPE_CGROUP_SKB",
        "BPF_CGROUP_INET_INGRESS",
    ),
    (
        "cgroup_skb/egress",
        "BPF_PROG_TYPE_CGROUP_SKB",
        "BPF_CGROUP_INET_EGRESS",
    ),
    (
        "cgroup/sock_create",
        "BPF_PROG_TYPE_CGROUP_SOCK",
        "BPF_CGROUP_INET_SOCK_CREATE",
    ),
    (
        "cgroup/connect4",
        "BPF_PROG_TYPE_CGROUP_SOCK_ADDR",
        "BPF_CGROUP_INET4_CONNECT",
    ),
    (
        "cgroup/connect6",
        "BPF_PROG_TYPE_CGROUP_SOCK_ADDR",
        "BPF_CGROUP_INET6_CONNECT",
    ),
    (
        "cgroup/bind4",
        "BPF_PROG_TYPE_CGROUP_SOCK_ADDR",
        "BPF_CGROUP_INET4_BIND",
    ),
    (
        "cgroup/dev",
        "BPF_PROG_TYPE_CGROUP_DEVICE",
        "BPF_CGROUP_DEVICE",
    ),
    (
        "cgroup/sysctl",
        "BPF_PROG_TYPE_CGROUP_SYSCTL",
        "BPF_CGROUP_SYSCTL",
    ),
    (
        "cgroup/getsockopt",
        "BPF_PROG_TYPE_CGROUP_SOCKOPT",
        "BPF_CGROUP_GETSOCKOPT",
    ),
    (
        "cgroup/setsockopt",
        "BPF_PROG_TYPE_CGROUP_SOCKOPT",
        "BPF_CGROUP_SETSOCKOPT",
    ),
];

/// The types of a section's programs and of their attachments; the second may be empty.
pub fn find_section(name: &str) -> Option<(&'static str, &'static str)> {
    let mut sections = SECTIONS.iter();
    let (_, program_type, attach_type) = sections.find(|(section, ..)| *section == name)?;
    Some((program_type, attach_type))
}

#[cfg(test)]
mod tests {
    use kernel::Architecture;
    use kernel_names::{Kind, Names};

    use super::*;

    #[test]
    fn each_type_is_one_of_the_kernels() {
        let names = Names::read(Architecture::Amd64).unwrap();
        for (section, program_type, attach_type) in SECTIONS {
            let is_known = |kind, name| !names.presence(kind, name).unwrap().is_empty();
            assert!(is_known(Kind::ProgramType, program_type), "{section}");
            let is_known = attach_type.is_empty() || is_known(Kind::AttachType, attach_type);
            assert!(is_known, "{section}");
        }
        assert_eq!(find_section("xdp"), Some(("BPF_PROG_TYPE_XDP", "BPF_XDP")));
        assert_eq!(find_section("xdp_md"), None);
    }
}
