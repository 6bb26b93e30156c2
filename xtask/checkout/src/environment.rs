//! Decides what of the user's environment reaches the compilers that the tool starts, for every
//! lesson, exercise, tool and test.
//!
//! Flags for another project's programs (`RUSTFLAGS`, `CFLAGS`, profiles) must not get into a VM,
//! where their programs may not even start. What says where things come from, how much is done at
//! once, and which tools are used, stays: proxies, registries, `CARGO_HOME`, `CC`, `CLANG`, a
//! linker, `RUSTC_WRAPPER`.
//!
//! Cargo's configuration in a parent directory or at home says the same by other means. The
//! checkout's own `.cargo/config.toml` wins over it; what that cannot set is set here.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use kernel::Architecture;
use processes::child;

use crate::toolchain::{self, HOST};
use crate::workspace;

/// Of the many that begin with `CARGO_`, these stay. A name with `_` at its end
/// means all that begin with it.
const KEPT: [&str; 12] = [
    "CARGO_HOME",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRY_",
    "CARGO_REGISTRIES_",
    "CARGO_SOURCE_",
    "CARGO_CACHE_",
    "CARGO_LOG",
    "CARGO_INCREMENTAL",
    "CARGO_BUILD_JOBS",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
];

/// Set for an xtask that another checkout's xtask built and started. It would build itself again
/// and again where `target` is a link to another checkout's.
pub const BUILT: &str = "XTASK_BUILT";

/// Others that change what is built. `RUSTC_BOOTSTRAP` and the `AYA_` ones are for the inner builds
/// of eBPF programs.
const REMOVED: [&str; 12] = [
    WORKSPACE_WRAPPER,
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC",
    "RUSTDOC",
    "RUSTC_BOOTSTRAP",
    "CLIPPY_ARGS",
    "AYA_BUILD_SKIP",
    "AYA_BPF_TARGET_ARCH",
    "CRATE_CC_NO_DEFAULTS",
    "LDFLAGS",
    BUILT,
];

/// A shell for cross compiling sets these: with a `CC` for another machine, they lead there too.
const CROSS: [&str; 12] = [
    "CC",
    "CXX",
    "CPP",
    "LD",
    "AR",
    "AS",
    "NM",
    "RANLIB",
    "STRIP",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_LIBDIR",
    "PKG_CONFIG_SYSROOT_DIR",
];

/// The cargo of the course's toolchain, in the checkout, with an environment in which it builds the
/// same everywhere.
pub fn inner_cargo() -> Command {
    let mut cargo = Command::new(toolchain::cargo_program());
    cargo.current_dir(workspace::workspace_root());
    clean_environment(&mut cargo);
    let target = workspace::target_directory();
    cargo
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_BUILD_BUILD_DIR", &target);
    // A configuration file further up, or at home, may name another. There is no word for "none".
    if names_target() {
        cargo.env("CARGO_BUILD_TARGET", HOST);
    }
    cargo
}

/// Takes from a command what would change what it builds, and sets what the configuration of others
/// might.
pub fn clean_environment(command: &mut Command) {
    remove_settings(command);
    if names_workspace_wrapper() {
        command.env(WORKSPACE_WRAPPER, "");
    }
}

/// A file of configuration cannot be undone here: an empty wrapper wins over it. Where none is
/// named there must be no empty one: with it, cargo 1.95 forgets what it has asked rustc, and
/// starts rustc six times before each build of an eBPF program. See findings/.
const WORKSPACE_WRAPPER: &str = "RUSTC_WORKSPACE_WRAPPER";

fn remove_settings(command: &mut Command) {
    static IS_CROSS: OnceLock<bool> = OnceLock::new();
    let is_cross = *IS_CROSS.get_or_init(|| is_cross_compiler(env::var_os("CC").as_deref()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if !stays(&text) || (is_cross && CROSS.contains(&text.as_ref())) {
            command.env_remove(&name);
        }
    }
    command.envs(FIXED);
    if let Some(name) = toolchain::chosen_name() {
        command.env("RUSTUP_TOOLCHAIN", name);
    }
}

/// Each wins over cargo's configuration, wherever its file is.
const FIXED: [(&str, &str); 8] = [
    // A rustc that ends because it may start no thread would leave a file in the checkout.
    ("RUSTC_ICE", "0"),
    // Even empty, it wins over every other way to give flags.
    ("CARGO_ENCODED_RUSTFLAGS", ""),
    ("CARGO_ENCODED_RUSTDOCFLAGS", ""),
    // The workspace's own is `abort`, for editors: see its manifest.
    ("CARGO_PROFILE_DEV_PANIC", "unwind"),
    // What cargo says is read here, and passed on.
    ("CARGO_TERM_COLOR", "auto"),
    ("CARGO_TERM_VERBOSE", "false"),
    ("CARGO_TERM_QUIET", "false"),
    ("CARGO_TERM_PROGRESS_WHEN", "auto"),
];

/// Whether a compiler may see this variable of the user's.
fn stays(name: &str) -> bool {
    if name.starts_with("CARGO_") {
        let fits = |kept: &str| {
            if kept.ends_with('_') {
                name.starts_with(kept)
            } else {
                name == kept
            }
        };
        return KEPT.into_iter().any(fits);
    }
    // Nix tells its compiler where the libraries are in NIX_CFLAGS_COMPILE.
    let is_c_flags = !name.starts_with("NIX_")
        && ["CFLAGS", "CXXFLAGS", "CPPFLAGS"]
            .iter()
            .any(|flags| name.contains(flags));
    let is_libbpf = name.starts_with("LIBBPF_SYS_");
    !(is_c_flags || is_libbpf || REMOVED.contains(&name))
}

/// Whether `CC` compiles for another kind of machine than this.
fn is_cross_compiler(cc: Option<&OsStr>) -> bool {
    let Some(cc) = cc.filter(|cc| !cc.is_empty()) else {
        return false;
    };
    // It may hold flags, or a wrapper before the compiler.
    let cc = cc.to_string_lossy();
    let words: Vec<&str> = cc.split_whitespace().collect();
    let Some((program, arguments)) = words.split_first() else {
        return false;
    };
    let machine = child::ask_program(program, &[arguments, &["-dumpmachine"]].concat());
    machine.is_some_and(|machine| !machine.starts_with(Architecture::HOST.machine()))
}

/// Where programs for this machine are, below a directory that cargo was told to build in.
pub fn output_directory(target: &Path) -> PathBuf {
    let below = if names_target() {
        Path::new(HOST).join("debug")
    } else {
        PathBuf::from("debug")
    };
    target.join(below)
}

/// Whether a file of cargo's configuration names a target to build for.
fn names_target() -> bool {
    static NAMES: OnceLock<bool> = OnceLock::new();
    *NAMES.get_or_init(|| {
        has_other_configuration(workspace::workspace_root()) && configured("build.target")
    })
}

/// Whether one names a program to start in place of rustc.
fn names_workspace_wrapper() -> bool {
    static NAMES: OnceLock<bool> = OnceLock::new();
    *NAMES.get_or_init(|| {
        has_other_configuration(workspace::workspace_root())
            && configured("build.rustc-workspace-wrapper")
    })
}

/// Whether there is a file of configuration beside the checkout's own: hardly ever, and cargo need
/// not be asked then.
fn has_other_configuration(root: &Path) -> bool {
    let above = root
        .ancestors()
        .skip(1)
        .map(|directory| directory.join(".cargo"));
    above.chain(cargo_home()).any(|directory| {
        ["config", "config.toml"]
            .iter()
            .any(|file| directory.join(file).is_file())
    })
}

/// Where cargo keeps its configuration and what it fetched.
pub fn cargo_home() -> Option<PathBuf> {
    let home = || env::home_dir().map(|home| home.join(".cargo"));
    env::var_os("CARGO_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(home)
}

fn configured(key: &str) -> bool {
    let mut cargo = Command::new(toolchain::cargo_program());
    cargo.current_dir(workspace::workspace_root());
    remove_settings(&mut cargo);
    // The command is unstable.
    cargo
        .args(["-Zunstable-options", "config", "get", key])
        .env("RUSTC_BOOTSTRAP", "1");
    cargo
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    child::end_with_us(&mut cargo);
    cargo.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn flags_for_other_programs_do_not_reach_ours() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
            "CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER",
            "CARGO_BUILD_TARGET",
            "CARGO_BUILD_TARGET_DIR",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_BUILD_DIR",
            "CARGO_PROFILE_RELEASE_STRIP",
            "CARGO_PROFILE_DEV_OPT_LEVEL",
            "CARGO_TERM_VERBOSE",
            "CARGO_UNSTABLE_BUILD_STD",
            "CARGO_MANIFEST_DIR",
            "CARGO_PKG_NAME",
            "RUSTC",
            "RUSTC_BOOTSTRAP",
            "CFLAGS",
            "HOST_CFLAGS",
            "CFLAGS_x86_64_unknown_linux_gnu",
            "LIBBPF_SYS_EXTRA_CFLAGS",
            "LIBBPF_SYS_LIBRARY_PATH",
            "AYA_BUILD_SKIP",
        ] {
            assert!(!stays(name), "{name}");
        }
    }

    #[test]
    fn what_a_machine_needs_to_build_at_all_stays() {
        for name in [
            "PATH",
            "CC",
            "CLANG",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "CARGO_REGISTRIES_MINE_TOKEN",
            "CARGO_BUILD_JOBS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
            "RUSTC_WRAPPER",
            "https_proxy",
            "NIX_CFLAGS_COMPILE",
            "PKG_CONFIG_PATH",
        ] {
            assert!(stays(name), "{name}");
        }
    }

    #[test]
    fn a_compiler_for_another_machine_is_told_from_one_for_this() {
        let directory = tempfile::tempdir().unwrap();
        let compiler = |name: &str, machine: &str| {
            let path = directory.path().join(name);
            fs::write(&path, format!("#!/bin/sh\necho {machine}\n")).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&path, executable).unwrap();
            path.into_os_string()
        };
        let mut with_flag = compiler("other", "riscv64-linux-gnu");
        assert!(is_cross_compiler(Some(&with_flag)));
        with_flag.push(" --sysroot=/sdk");
        assert!(is_cross_compiler(Some(&with_flag)));
        assert!(!is_cross_compiler(Some(&compiler(
            "here",
            Architecture::HOST.gnu_triplet()
        ))));
        assert!(!is_cross_compiler(Some(OsStr::new("/nowhere/cc"))));
        assert!(!is_cross_compiler(None));
    }

    /// It would make each build slower, and another than that of a plain cargo.
    #[test]
    fn there_is_no_empty_wrapper_where_none_is_named() {
        let cargo = inner_cargo();
        let is_set = cargo
            .get_envs()
            .any(|(name, value)| name == WORKSPACE_WRAPPER && value.is_some());
        assert_eq!(is_set, names_workspace_wrapper());
    }

    #[test]
    fn configuration_above_the_checkout_is_noticed() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("course");
        let has_any = || has_other_configuration(&root);
        let before = has_any();
        fs::create_dir_all(above.path().join(".cargo")).unwrap();
        assert_eq!(has_any(), before);
        fs::write(above.path().join(".cargo/config.toml"), "").unwrap();
        assert!(has_any());
    }
}
