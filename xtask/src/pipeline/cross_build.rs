//! Builds for guests of another architecture than this machine's: the linker, the C compiler and
//! the C libraries that cargo needs for that.

use std::path::{Path, PathBuf};
use std::process::Command;

use checkout::{environment, workspace};
use kernel::Architecture;
use requirements::rust_std;

/// Lets cargo build for this architecture. For that of the host it needs nothing, not even the
/// target's name: with one, it would build elsewhere.
pub fn set_target(cargo: &mut Command, architecture: Architecture) {
    if architecture != Architecture::HOST {
        cargo.args(["--target", architecture.rust_target()]);
        set_cross_tools(cargo, architecture);
    }
}

/// Names the compilers and C libraries of another architecture, for a cargo that was told what to
/// build for.
pub fn set_cross_tools(cargo: &mut Command, architecture: Architecture) {
    if architecture == Architecture::HOST {
        return;
    }
    if !rust_std::is_there(architecture) {
        // Only a cargo with the variable reads the option.
        cargo
            .arg("-Zbuild-std=std,panic_abort,panic_unwind")
            .env("RUSTC_BOOTSTRAP", "1");
    }
    let compiler = compiler_of(architecture);
    let target = architecture.rust_target().replace('-', "_");
    let libraries = LibraryPlaces::of_architecture(architecture);
    cargo
        .env(
            format!("CARGO_TARGET_{}_LINKER", target.to_uppercase()),
            &compiler,
        )
        .env(format!("CC_{target}"), &compiler)
        .env(
            format!("AR_{target}"),
            format!("{}-ar", architecture.gnu_triplet()),
        )
        .env(format!("CFLAGS_{target}"), libraries.compiler_flags())
        // libbpf-sys has one of its own for each target.
        .env(
            format!("LIBBPF_SYS_LIBRARY_PATH_{target}"),
            libraries.archives,
        );
}

/// Where programs of an architecture are, below a directory that cargo was told to build in.
pub fn output_directory(target: &Path, architecture: Architecture) -> PathBuf {
    if architecture == Architecture::HOST {
        environment::output_directory(target)
    } else {
        target.join(architecture.rust_target()).join("debug")
    }
}

/// The C compiler for an architecture.
pub fn compiler_of(architecture: Architecture) -> String {
    match architecture {
        Architecture::HOST => "cc".to_owned(),
        other => format!("{}-gcc", other.gnu_triplet()),
    }
}

/// libelf and zlib of another architecture, as Debian's packages lay them out. Set-up puts only
/// their archives here, not the shared libraries: a program is linked with them statically, and
/// needs no library in the guest but the C library's.
struct LibraryPlaces {
    headers: [PathBuf; 2],
    archives: PathBuf,
}

impl LibraryPlaces {
    fn of_architecture(architecture: Architecture) -> Self {
        let root = workspace::foreign_libraries(architecture.name()).join("usr");
        let triplet = architecture.gnu_triplet();
        let headers = root.join("include");
        Self {
            headers: [headers.join(triplet), headers],
            archives: root.join("lib").join(triplet),
        }
    }

    fn compiler_flags(&self) -> String {
        let flags = self.headers.iter();
        let flags: Vec<_> = flags.map(|it| format!("-I{}", it.display())).collect();
        flags.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: Architecture = match Architecture::HOST {
        Architecture::Amd64 => Architecture::Arm64,
        Architecture::Arm64 => Architecture::Amd64,
    };

    /// With another command line, cargo would build all of it again.
    #[test]
    fn nothing_changes_for_this_machines_own_architecture() {
        let mut cargo = Command::new("cargo");
        set_target(&mut cargo, Architecture::HOST);
        set_cross_tools(&mut cargo, Architecture::HOST);
        assert_eq!(cargo.get_args().count() + cargo.get_envs().count(), 0);
        let target = Path::new("/course/target");
        assert_eq!(
            output_directory(target, Architecture::HOST),
            environment::output_directory(target)
        );
    }

    #[test]
    fn programs_of_two_architectures_are_in_two_places() {
        let target = Path::new("/course/target");
        assert_eq!(
            output_directory(target, OTHER),
            target.join(OTHER.rust_target()).join("debug")
        );
    }

    #[test]
    fn libraries_are_where_debians_packages_have_them() {
        let places = LibraryPlaces::of_architecture(Architecture::Arm64);
        let root = workspace::foreign_libraries("arm64");
        assert_eq!(places.archives, root.join("usr/lib/aarch64-linux-gnu"));
        let root = root.display();
        assert_eq!(
            places.compiler_flags(),
            format!("-I{root}/usr/include/aarch64-linux-gnu -I{root}/usr/include")
        );
    }
}
