//! The hooks that a project can use.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Hook {
    /// A function of the kernel, by its name: counts the files that each process opens
    Kprobe,
    /// A tracepoint of the kernel: the same files
    Tracepoint,
    /// A function of a program: counts its calls
    Uprobe,
    /// Packets that arrive at a network interface, before the kernel's network stack
    Xdp,
    /// Packets that leave through a network interface
    Tc,
    /// A decision of the kernel, here to open a file; the program could refuse it
    Lsm,
    /// A function of the kernel, by its BTF: the same files
    Fentry,
    /// A clock: counts how often each process is on a CPU when it ticks
    PerfEvent,
    /// Packets that the processes of a control group send
    Cgroup,
}
