//! The machine that QEMU emulates for each architecture, in the words of QEMU and of the kernel.

use kernel::Architecture;

use crate::accel::Accel;
use crate::machine::Machine;

pub struct Board {
    /// QEMU's name of it, and what it has.
    pub model: &'static str,
    /// What ties the line for plans to the port that the guest's init opens.
    pub plans: [&'static str; 2],
    /// Kernel parameters that are for this machine.
    pub kernel_parameters: &'static [&'static str],
}

/// No floppy, no keyboard controller, no disks: each costs boot time.
const Q35: Board = Board {
    model: "q35,i8042=off,sata=off,smbus=off",
    plans: ["-serial", "chardev:plans"],
    kernel_parameters: &[
        "console=ttyS0",
        // Without it two emulated CPUs fall back to a slow clock, and bpf_ktime_get_ns costs 15
        // times as much.
        "tsc=reliable",
    ],
};

/// It has one serial port of its own.
const VIRT: Board = Board {
    model: "virt,gic-version=3",
    plans: ["-device", "pci-serial,chardev=plans"],
    kernel_parameters: &["console=ttyAMA0"],
};

impl Board {
    pub fn of_architecture(architecture: Architecture) -> &'static Self {
        match architecture {
            Architecture::Amd64 => &Q35,
            Architecture::Arm64 => &VIRT,
        }
    }
}

/// QEMU's name of the CPU.
pub fn cpu_model(machine: &Machine, accel: Accel) -> String {
    match (accel, machine.architecture) {
        (Accel::Kvm, _) => "host".to_owned(),
        // With these two, the kernel and the C library clear and copy memory by `rep movsb`, of
        // which QEMU emulates one byte at a time; without them, eight bytes at a time or more.
        (Accel::Tcg, Architecture::Amd64) => {
            format!("{},-erms,-fsrm", machine.cmpxchg16b.cpu_model())
        }
        // Pointers are signed at each call of a function. This way of signing is the cheapest.
        (Accel::Tcg, Architecture::Arm64) => "max,pauth-impdef=on".to_owned(),
    }
}

/// What a kernel must be told because its CPU is emulated.
pub fn parameters_of_emulation(machine: &Machine) -> Option<&'static str> {
    match machine.architecture {
        Architecture::Amd64 => machine.cmpxchg16b.kernel_parameters(),
        Architecture::Arm64 => None,
    }
}
