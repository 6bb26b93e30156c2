//! Attaches programs that are loaded, as their sections say, and detaches them.
//!
//! ```text
//!   request           what shall be attached
//!   section_name      what the name of a section says
//!   kprobe            kprobe, kretprobe, ksyscall, kretsyscall
//!   kprobe_multi      kprobe.multi, kretprobe.multi, kprobe.session
//!   uprobe            uprobe, uretprobe, uprobe.multi, usdt
//!   tracepoint        tracepoint, raw_tracepoint
//!   trampoline        fentry, fexit, fmod_ret, fsession, tp_btf, lsm, freplace
//!   iterator          iter
//!   perf_event        perf_event; what kprobes, uprobes and tracepoints are attached through
//!   xdp               xdp, xdp/devmap, xdp/cpumap
//!   traffic_control   tc, tcx, netkit
//!   action            action
//!   tunnel            lwt_in, lwt_out, lwt_xmit, lwt_seg6local
//!   namespace         sk_lookup, flow_dissector, netfilter
//!   socket            socket, sk_reuseport, sk_skb, sk_msg
//!   control_group     cgroup, sockops, lsm_cgroup
//!   struct_ops        struct_ops, with struct_ops_table
//!   network           a network namespace of its own, with netlink
//!   running_kernel    what this kernel has, with symbols and pattern
//!   executable        where functions are in a program of user space
//!   bpf               the kernel's commands
//!   refusal           ways in which a program is not attached
//! ```

mod action;
mod bpf;
mod control_group;
mod executable;
mod iterator;
mod kprobe;
mod kprobe_multi;
mod namespace;
mod netlink;
mod network;
mod pattern;
mod perf_event;
mod refusal;
mod request;
mod running_kernel;
mod section_name;
mod socket;
mod struct_ops;
mod struct_ops_table;
mod symbols;
mod tracepoint;
mod traffic_control;
mod trampoline;
mod tunnel;
mod uprobe;
mod xdp;

use libbpf_sys as sys;
use plan::load::AttachResult;

use action::attach_action;
use control_group::{ControlGroup, attach_to_control_group};
use iterator::attach_iterator;
use kprobe::{attach_kprobe, attach_system_call};
use kprobe_multi::attach_kprobe_multi;
use namespace::{attach_netfilter, attach_to_namespace};
use network::Network;
use perf_event::attach_perf_event;
use refusal::not_tried;
use running_kernel::RunningKernel;
use section_name::SectionName;
use socket::{attach_reuseport, attach_socket_filter, attach_to_socket_map};
use tracepoint::{attach_raw_tracepoint, attach_tracepoint};
use traffic_control::attach_classifier;
use trampoline::attach_trampoline;
use tunnel::attach_to_route;
use uprobe::{attach_static_tracepoint, attach_uprobe, attach_uprobe_multi};
use xdp::attach_xdp;

pub use request::AttachRequest;
pub use struct_ops::attach_struct_ops;

/// Attaches programs, and keeps what they are attached to: each is made when it is first needed.
pub struct Attacher {
    kernel: RunningKernel,
    network: Network,
    control_group: ControlGroup,
}

impl Attacher {
    pub fn new() -> Self {
        Self {
            kernel: RunningKernel::default(),
            network: Network::default(),
            control_group: ControlGroup::default(),
        }
    }

    /// Attaches a program, and detaches it at once: what it does to the system while it is
    /// attached must not harm this one.
    pub fn attach_program(&mut self, request: &AttachRequest<'_>) -> AttachResult {
        if request.prog_type == sys::BPF_PROG_TYPE_SYSCALL {
            return AttachResult::RunsOnDemand;
        }
        match self.attach(request) {
            Ok(()) => AttachResult::Attached,
            Err(result) => result,
        }
    }

    fn attach(&mut self, request: &AttachRequest<'_>) -> Result<(), AttachResult> {
        let section = SectionName::parse(request.section, request.target);
        let kernel = &self.kernel;
        match request.prog_type {
            sys::BPF_PROG_TYPE_KPROBE => attach_probe(kernel, request, section),
            sys::BPF_PROG_TYPE_TRACEPOINT => attach_tracepoint(request, section),
            sys::BPF_PROG_TYPE_RAW_TRACEPOINT | sys::BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE => {
                attach_raw_tracepoint(request, section)
            }
            sys::BPF_PROG_TYPE_TRACING if request.expected_attach_type == sys::BPF_TRACE_ITER => {
                attach_iterator(kernel, &mut self.control_group, request, section)
            }
            sys::BPF_PROG_TYPE_LSM if request.expected_attach_type == sys::BPF_LSM_CGROUP => {
                self.attach_to_control_group(request, sys::BPF_LSM_CGROUP)
            }
            sys::BPF_PROG_TYPE_TRACING | sys::BPF_PROG_TYPE_LSM | sys::BPF_PROG_TYPE_EXT => {
                attach_trampoline(kernel, request, section)
            }
            sys::BPF_PROG_TYPE_PERF_EVENT => attach_perf_event(request.program),
            _ => self.attach_to_network(request, section),
        }
    }

    fn attach_to_network(
        &mut self,
        request: &AttachRequest<'_>,
        section: SectionName<'_>,
    ) -> Result<(), AttachResult> {
        let (kernel, network) = (&self.kernel, &mut self.network);
        match request.prog_type {
            sys::BPF_PROG_TYPE_XDP => attach_xdp(kernel, network, request),
            sys::BPF_PROG_TYPE_SCHED_CLS => attach_classifier(kernel, network, request, section),
            sys::BPF_PROG_TYPE_SCHED_ACT => attach_action(network, request),
            sys::BPF_PROG_TYPE_LWT_IN
            | sys::BPF_PROG_TYPE_LWT_OUT
            | sys::BPF_PROG_TYPE_LWT_XMIT
            | sys::BPF_PROG_TYPE_LWT_SEG6LOCAL => attach_to_route(network, request),
            sys::BPF_PROG_TYPE_FLOW_DISSECTOR => {
                attach_to_namespace(kernel, network, request, sys::BPF_FLOW_DISSECTOR)
            }
            sys::BPF_PROG_TYPE_SK_LOOKUP => {
                attach_to_namespace(kernel, network, request, sys::BPF_SK_LOOKUP)
            }
            sys::BPF_PROG_TYPE_NETFILTER => attach_netfilter(kernel, network, request),
            _ => self.attach_to_sockets(request),
        }
    }

    fn attach_to_sockets(&mut self, request: &AttachRequest<'_>) -> Result<(), AttachResult> {
        let kernel = &self.kernel;
        match request.prog_type {
            sys::BPF_PROG_TYPE_SOCKET_FILTER => attach_socket_filter(request),
            sys::BPF_PROG_TYPE_SK_REUSEPORT => attach_reuseport(kernel, request),
            sys::BPF_PROG_TYPE_SK_MSG => {
                attach_to_socket_map(kernel, request, sys::BPF_SK_MSG_VERDICT)
            }
            sys::BPF_PROG_TYPE_SK_SKB => {
                // Without a type, the one that can do more.
                let attach_type = match request.expected_attach_type {
                    0 => sys::BPF_SK_SKB_STREAM_VERDICT,
                    attach_type => attach_type,
                };
                attach_to_socket_map(kernel, request, attach_type)
            }
            other => match control_group_type(other, request.expected_attach_type) {
                Some(attach_type) => self.attach_to_control_group(request, attach_type),
                None => Err(not_tried(why_not(other))),
            },
        }
    }

    fn attach_to_control_group(
        &mut self,
        request: &AttachRequest<'_>,
        attach_type: u32,
    ) -> Result<(), AttachResult> {
        attach_to_control_group(&self.kernel, &mut self.control_group, request, attach_type)
    }
}

/// All of these are programs of one type.
fn attach_probe(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    match section.kind {
        "kprobe.multi" | "kretprobe.multi" | "kprobe.session" => {
            attach_kprobe_multi(kernel, request, section)
        }
        "ksyscall" | "kretsyscall" => attach_system_call(kernel, request, section),
        "usdt" | "usdt.s" => attach_static_tracepoint(request, section),
        "uprobe" | "uprobe.s" | "uretprobe" | "uretprobe.s" => attach_uprobe(request, section),
        kind if kind.starts_with("uprobe.") || kind.starts_with("uretprobe.") => {
            attach_uprobe_multi(kernel, request, section)
        }
        _ => attach_kprobe(kernel, request, section),
    }
}

/// Some types of programs have one type of attachment, and need not say it.
fn control_group_type(prog_type: u32, expected_attach_type: u32) -> Option<u32> {
    match prog_type {
        sys::BPF_PROG_TYPE_CGROUP_SKB
        | sys::BPF_PROG_TYPE_CGROUP_SOCK_ADDR
        | sys::BPF_PROG_TYPE_CGROUP_SOCKOPT => Some(expected_attach_type),
        sys::BPF_PROG_TYPE_CGROUP_SOCK => Some(match expected_attach_type {
            0 => sys::BPF_CGROUP_INET_SOCK_CREATE,
            attach_type => attach_type,
        }),
        sys::BPF_PROG_TYPE_CGROUP_DEVICE => Some(sys::BPF_CGROUP_DEVICE),
        sys::BPF_PROG_TYPE_CGROUP_SYSCTL => Some(sys::BPF_CGROUP_SYSCTL),
        sys::BPF_PROG_TYPE_SOCK_OPS => Some(sys::BPF_CGROUP_SOCK_OPS),
        _ => None,
    }
}

fn why_not(prog_type: u32) -> &'static str {
    match prog_type {
        sys::BPF_PROG_TYPE_STRUCT_OPS => "it is attached by a struct_ops map, and none names it",
        sys::BPF_PROG_TYPE_LIRC_MODE2 => "it is attached to a remote control, and none is here",
        _ => "it is not known how such a program is attached",
    }
}
