//! Where the programs attach: the kernel's security checks for changes of a directory.

use std::fs;

use anyhow::Error;
use clap::ValueEnum;
use common::NotReady;

/// What `--kind` takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Change {
    Create,
    Mkdir,
    Mknod,
    Symlink,
    Link,
    Unlink,
    Rmdir,
    Rename,
}

#[derive(Debug, Eq, PartialEq)]
pub struct Hook {
    pub kind: Change,
    pub program: &'static str,
    pub function: &'static str,
}

/// In both implementations the programs have these names.
pub const HOOKS: [Hook; 8] = [
    Hook {
        kind: Change::Create,
        program: "on_create",
        function: "security_inode_create",
    },
    Hook {
        kind: Change::Mkdir,
        program: "on_mkdir",
        function: "security_inode_mkdir",
    },
    Hook {
        kind: Change::Mknod,
        program: "on_mknod",
        function: "security_inode_mknod",
    },
    Hook {
        kind: Change::Symlink,
        program: "on_symlink",
        function: "security_inode_symlink",
    },
    Hook {
        kind: Change::Link,
        program: "on_link",
        function: "security_inode_link",
    },
    Hook {
        kind: Change::Unlink,
        program: "on_unlink",
        function: "security_inode_unlink",
    },
    Hook {
        kind: Change::Rmdir,
        program: "on_rmdir",
        function: "security_inode_rmdir",
    },
    Hook {
        kind: Change::Rename,
        program: "on_rename",
        function: "security_inode_rename",
    },
];

impl Hook {
    /// What is special about the function's name: `create`.
    pub fn name(&self) -> &'static str {
        self.function.trim_start_matches("security_inode_")
    }
}

/// The hooks for these kinds of change; all, where none is named.
pub fn of(kinds: &[Change]) -> Vec<&'static Hook> {
    HOOKS
        .iter()
        .filter(|hook| kinds.is_empty() || kinds.contains(&hook.kind))
        .collect()
}

/// Why a program could not be attached. A kernel that lacks the function says only "no such file".
pub fn not_attached(hook: &Hook, error: Error) -> Error {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    if symbols.is_empty() || has_function(&symbols, hook.function) {
        return error.context(format!("attach {} to {}", hook.program, hook.function));
    }
    let what = format!(
        "find {}: this kernel was built without it (CONFIG_SECURITY)",
        hook.function
    );
    NotReady::new(what)
        .help("cargo xtask run maps runs the lesson on a kernel that has it")
        .into()
}

/// `ffffffff81234560 T security_inode_create`
fn has_function(symbols: &str, function: &str) -> bool {
    symbols
        .lines()
        .any(|line| line.split(' ').nth(2) == Some(function))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn no_kind_means_every_kind() {
        assert_eq!(of(&[]).len(), HOOKS.len());
        let some: Vec<_> = of(&[Change::Rmdir, Change::Create])
            .iter()
            .map(|hook| hook.program)
            .collect();
        assert_eq!(some, ["on_create", "on_rmdir"]);
    }

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let symbols = "0 T security_inode_create\n0 t __pfx_security_inode_mkdir\n0 t security_inode_mkdir.cold\n";
        assert!(has_function(symbols, "security_inode_create"));
        assert!(!has_function(symbols, "security_inode_mkdir"));
    }

    #[test]
    fn a_kernel_without_the_function_is_not_ready() {
        let hook = Hook {
            function: "no_such_function",
            ..HOOKS[0]
        };
        let error = not_attached(&hook, anyhow!("No such file or directory"));
        // Where /proc/kallsyms cannot be read, the kernel's own words must do.
        assert!(error.to_string().contains("no_such_function"), "{error:#}");
    }
}
