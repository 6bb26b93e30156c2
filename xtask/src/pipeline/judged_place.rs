//! Where an answer is judged: in VMs, or on this machine.

use std::fmt;

use kernel::{Architecture, Kernel};

/// Where an answer was judged.
#[derive(Clone)]
pub enum Place {
    ThisMachine,
    Vm {
        /// A series, or the path of a kernel of the learner's own.
        kernel: String,
        architecture: Architecture,
    },
}

impl Place {
    pub fn of_kernel(kernel: &Kernel) -> Self {
        Self::Vm {
            kernel: kernel.name.clone(),
            architecture: kernel.architecture,
        }
    }

    /// What the answer was built for.
    pub fn architecture(&self) -> Architecture {
        match self {
            Self::ThisMachine => Architecture::HOST,
            Self::Vm { architecture, .. } => *architecture,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisMachine => f.write_str("this machine"),
            Self::Vm {
                kernel,
                architecture,
            } => f.write_str(&name_vm(kernel, &[*architecture])),
        }
    }
}

/// `Linux 6.12 (VM)`
pub fn name_vm(kernels: &str, architectures: &[Architecture]) -> String {
    let name = match architectures {
        [one] => one.label(kernels),
        several => {
            let names: Vec<_> = several.iter().map(|it| it.name()).collect();
            format!("{kernels} {}", names.join(" and "))
        }
    };
    match kernels.starts_with(|first: char| first.is_ascii_digit()) {
        true => format!("Linux {name} (VM)"),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_architectures_and_files_are_named() {
        let (host, both) = ([Architecture::HOST], Architecture::ALL);
        assert_eq!(name_vm("6.12", &host), "Linux 6.12 (VM)");
        assert_eq!(name_vm("6.12", &both), "Linux 6.12 amd64 and arm64 (VM)");
        assert_eq!(name_vm("all", &host), "all");
        assert_eq!(name_vm("./vmlinuz", &host), "./vmlinuz");
        assert_eq!(Place::ThisMachine.to_string(), "this machine");
    }
}
