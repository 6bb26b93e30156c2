//! The files of a project. Each is a template in `xtask/templates/project`, where it can be read as
//! it is: only the project's name and this machine's paths are put into it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use course::Implementation;

use crate::commands::new::hook::Hook;

/// What the templates are called where it must be a name.
const NAME: &str = "open-count";

/// What a project is to be.
pub struct ProjectKind<'a> {
    pub name: &'a str,
    pub hook: Hook,
    pub implementations: &'a [Implementation],
}

/// Programs of this machine.
pub struct MachinePaths {
    pub bpf_linker: PathBuf,
    pub clang: PathBuf,
    pub xtask: PathBuf,
}

/// A file: its path in the project, and its text.
pub type ProjectFile = (&'static str, String);

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../templates/project/", $path))
    };
}

impl ProjectKind<'_> {
    fn has(&self, implementation: Implementation) -> bool {
        self.implementations.contains(&implementation)
    }

    fn fill_manifest(&self, template: &str) -> String {
        let manifest = template.replace(NAME, self.name);
        match self.hook {
            Hook::PerfEvent => manifest.replace("libbpf-rs = ", &format!("{LIBC}libbpf-rs = ")),
            _ => manifest,
        }
    }

    /// All of its files. `workspace_lock` is the course's Cargo.lock.
    pub fn make_files(
        &self,
        machine: &MachinePaths,
        workspace_lock: &str,
    ) -> Result<Vec<ProjectFile>> {
        let both = self.implementations.len() > 1;
        let [manifest, build, readme] = match self.implementations {
            [Implementation::Aya] => AYA,
            [Implementation::Libbpf] => LIBBPF,
            _ => BOTH,
        };
        let mut files = vec![
            (".cargo/config.toml", template!("config.toml").to_owned()),
            (".cargo/local.toml", machine.fill_local()?),
            (".gitignore", template!("gitignore").to_owned()),
            (
                ".vscode/settings.json",
                template!("settings.json").to_owned(),
            ),
            ("Cargo.lock", keep_registry_packages(workspace_lock)),
            ("Cargo.toml", self.fill_manifest(manifest)),
            ("README.md", readme.replace(NAME, self.name)),
            ("build.rs", build.replace(NAME, self.name)),
            (
                "rust-toolchain.toml",
                template!("rust-toolchain.toml").to_owned(),
            ),
        ];
        if self.has(Implementation::Aya) {
            let main = if both {
                "src/bin/with-aya.rs"
            } else {
                "src/main.rs"
            };
            files.push((main, aya_main(self.hook).to_owned()));
            files.push((
                "ebpf/Cargo.toml",
                template!("ebpf/Cargo.toml").replace(NAME, self.name),
            ));
            files.push(("ebpf/src/main.rs", rust_program(self.hook).to_owned()));
        }
        if self.has(Implementation::Libbpf) {
            let main = if both {
                "src/bin/with-libbpf.rs"
            } else {
                "src/main.rs"
            };
            files.push((main, libbpf_main(self.hook).to_owned()));
            files.push((
                "bpf/compile_flags.txt",
                template!("compile_flags.txt").to_owned(),
            ));
            files.push(("bpf/count.bpf.c", c_program(self.hook).to_owned()));
            files.push(("bpf/vmlinux.h", vmlinux_header(self.hook).to_owned()));
        }
        files.sort();
        Ok(files)
    }
}

/// For libbpf-rs a clock is a file descriptor, which only the C library's interface can open.
const LIBC: &str = "libc = \"0.2\"\n";

/// Cargo.toml, build.rs and README.md.
const AYA: [&str; 3] = [
    template!("aya/Cargo.toml"),
    template!("aya/build.rs"),
    template!("aya/README.md"),
];
const LIBBPF: [&str; 3] = [
    template!("libbpf/Cargo.toml"),
    template!("libbpf/build.rs"),
    template!("libbpf/README.md"),
];
const BOTH: [&str; 3] = [
    template!("both/Cargo.toml"),
    template!("both/build.rs"),
    template!("both/README.md"),
];

/// The user-space program with aya.
fn aya_main(hook: Hook) -> &'static str {
    match hook {
        Hook::Kprobe => template!("aya/kprobe.rs"),
        Hook::Tracepoint => template!("aya/tracepoint.rs"),
        Hook::Uprobe => template!("aya/uprobe.rs"),
        Hook::Xdp => template!("aya/xdp.rs"),
        Hook::Tc => template!("aya/tc.rs"),
        Hook::Lsm => template!("aya/lsm.rs"),
        Hook::Fentry => template!("aya/fentry.rs"),
        Hook::PerfEvent => template!("aya/perf_event.rs"),
        Hook::Cgroup => template!("aya/cgroup.rs"),
    }
}

/// The user-space program with libbpf-rs. Where the section of the program in C says all that
/// libbpf must know to attach it, there is one for several hooks.
fn libbpf_main(hook: Hook) -> &'static str {
    match hook {
        Hook::Kprobe | Hook::Tracepoint | Hook::Fentry => template!("libbpf/by_section.rs"),
        Hook::Lsm => template!("libbpf/lsm.rs"),
        Hook::Uprobe => template!("libbpf/uprobe.rs"),
        Hook::Xdp => template!("libbpf/xdp.rs"),
        Hook::Tc => template!("libbpf/tc.rs"),
        Hook::PerfEvent => template!("libbpf/perf_event.rs"),
        Hook::Cgroup => template!("libbpf/cgroup.rs"),
    }
}

/// The eBPF program in Rust.
fn rust_program(hook: Hook) -> &'static str {
    match hook {
        Hook::Kprobe => template!("ebpf/kprobe.rs"),
        Hook::Tracepoint => template!("ebpf/tracepoint.rs"),
        Hook::Uprobe => template!("ebpf/uprobe.rs"),
        Hook::Xdp => template!("ebpf/xdp.rs"),
        Hook::Tc => template!("ebpf/tc.rs"),
        Hook::Lsm => template!("ebpf/lsm.rs"),
        Hook::Fentry => template!("ebpf/fentry.rs"),
        Hook::PerfEvent => template!("ebpf/perf_event.rs"),
        Hook::Cgroup => template!("ebpf/cgroup.rs"),
    }
}

/// The eBPF program in C.
fn c_program(hook: Hook) -> &'static str {
    match hook {
        Hook::Kprobe => template!("bpf/kprobe.bpf.c"),
        Hook::Tracepoint => template!("bpf/tracepoint.bpf.c"),
        Hook::Uprobe => template!("bpf/uprobe.bpf.c"),
        Hook::Xdp => template!("bpf/xdp.bpf.c"),
        Hook::Tc => template!("bpf/tc.bpf.c"),
        Hook::Lsm => template!("bpf/lsm.bpf.c"),
        Hook::Fentry => template!("bpf/fentry.bpf.c"),
        Hook::PerfEvent => template!("bpf/perf_event.bpf.c"),
        Hook::Cgroup => template!("bpf/cgroup.bpf.c"),
    }
}

fn vmlinux_header(hook: Hook) -> &'static str {
    match hook {
        Hook::Xdp | Hook::Tc | Hook::Cgroup => template!("bpf/packet/vmlinux.h"),
        _ => template!("bpf/vmlinux.h"),
    }
}

impl MachinePaths {
    fn fill_local(&self) -> Result<String> {
        Ok(template!("local.toml")
            .replace("\"BPF-LINKER\"", &quote_path(&self.bpf_linker)?)
            .replace("\"CLANG\"", &quote_path(&self.clang)?)
            .replace("\"XTASK\"", &quote_path(&self.xtask)?))
    }
}

/// As a string of TOML, which has the escapes of JSON.
fn quote_path(path: &Path) -> Result<String> {
    let text = path.to_str();
    let text = text.with_context(|| format!("the path {} is not UTF-8", path.display()))?;
    Ok(serde_json::to_string(text)?)
}

/// The versions that the course is tested with. Cargo removes the packages that the project does
/// not use when it builds it, and needs no network for that.
fn keep_registry_packages(lock: &str) -> String {
    let mut packages = lock.split("\n[[package]]\n");
    let mut kept = packages.next().unwrap_or_default().to_owned();
    for package in packages.filter(|package| package.contains("\nsource = ")) {
        kept += "\n[[package]]\n";
        kept += package;
    }
    kept
}

#[cfg(test)]
mod tests {
    use checkout::workspace;
    use clap::ValueEnum as _;

    use super::*;

    fn make_files(hook: Hook, implementations: &[Implementation]) -> Vec<ProjectFile> {
        let kind = ProjectKind {
            name: "my-tool",
            hook,
            implementations,
        };
        let machine = MachinePaths {
            bpf_linker: "/a \"b\"/bpf-linker".into(),
            clang: "/usr/bin/clang".into(),
            xtask: "/course/target/debug/xtask".into(),
        };
        let lock = std::fs::read_to_string(workspace::workspace_root().join("Cargo.lock"));
        kind.make_files(&machine, &lock.unwrap()).unwrap()
    }

    fn text_of<'a>(files: &'a [ProjectFile], path: &str) -> &'a str {
        &files.iter().find(|(name, _)| *name == path).unwrap().1
    }

    #[test]
    fn a_project_has_these_files() {
        let names: Vec<_> = make_files(Hook::Kprobe, &Implementation::ALL)
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        insta::assert_snapshot!(names.join("\n"));
    }

    #[test]
    fn the_name_is_the_projects_everywhere() {
        for hook in Hook::value_variants() {
            for implementations in [
                &[Implementation::Aya][..],
                &[Implementation::Libbpf],
                &Implementation::ALL,
            ] {
                let files = make_files(*hook, implementations);
                assert!(text_of(&files, "Cargo.toml").contains("name = \"my-tool\""));
                for (path, text) in &files {
                    assert!(!text.contains(NAME), "{path} of {hook:?}");
                    assert!(!text.contains("\"XTASK\""), "{path} of {hook:?}");
                }
            }
        }
    }

    #[test]
    fn paths_survive_quotes() {
        let files = make_files(Hook::Xdp, &[Implementation::Aya]);
        let local: toml::Table = text_of(&files, ".cargo/local.toml").parse().unwrap();
        let linker = &local["env"]["CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER"];
        assert_eq!(linker.as_str(), Some("/a \"b\"/bpf-linker"));
    }

    /// With another version, cargo would look for it in the registry.
    #[test]
    fn versions_are_those_of_the_course() {
        let root = workspace::workspace_root();
        let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
        let course: toml::Table = read("Cargo.toml").parse().unwrap();
        let known = &course["workspace"]["dependencies"];
        let files = make_files(Hook::PerfEvent, &Implementation::ALL);
        for manifest in ["Cargo.toml", "ebpf/Cargo.toml"] {
            let manifest: toml::Table = text_of(&files, manifest).parse().unwrap();
            for table in ["dependencies", "build-dependencies"] {
                let table = manifest.get(table).and_then(toml::Value::as_table);
                let course_has = |(name, _): &(&String, &toml::Value)| name.as_str() != "libc";
                for (name, version) in table.into_iter().flatten().filter(course_has) {
                    assert_eq!(version.as_str(), known[name].as_str(), "{name}");
                }
            }
        }
        let toolchain = |text: &str| text.parse::<toml::Table>().unwrap()["toolchain"].clone();
        let course = read("rust-toolchain.toml");
        assert_eq!(
            toolchain(text_of(&files, "rust-toolchain.toml")),
            toolchain(&course)
        );
    }

    /// As the course builds its eBPF programs: with other settings, the test of projects would
    /// compile `core` and the macros of aya-ebpf a second time.
    #[test]
    fn programs_for_the_kernel_are_built_upon_the_courses_crates() {
        let root = workspace::workspace_root();
        let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
        let course: toml::Table = read("Cargo.toml").parse().unwrap();
        let configuration: toml::Table = read(".cargo/config.toml").parse().unwrap();
        for implementations in [&[Implementation::Aya][..], &Implementation::ALL] {
            let files = make_files(Hook::Kprobe, implementations);
            let manifest: toml::Table = text_of(&files, "Cargo.toml").parse().unwrap();
            assert_eq!(manifest["profile"]["release"], course["profile"]["release"]);
            let own: toml::Table = text_of(&files, ".cargo/config.toml").parse().unwrap();
            let unstable = configuration["unstable"].as_table().unwrap();
            for (name, value) in unstable {
                let variable = name.to_uppercase().replace('-', "_");
                let variable = &own["env"][&format!("CARGO_UNSTABLE_{variable}")];
                assert_eq!(
                    variable.as_str(),
                    Some(value.to_string().as_str()),
                    "{name}"
                );
            }
        }
    }

    /// What a beginner reads at once.
    #[test]
    fn each_program_fits_a_page() {
        for hook in Hook::value_variants() {
            for text in [
                aya_main(*hook),
                libbpf_main(*hook),
                rust_program(*hook),
                c_program(*hook),
            ] {
                let lines = count_code(text);
                assert!(lines <= 52, "{lines} lines:\n{text}");
                let is_short = |line: &str| line.chars().count() <= 100;
                assert!(text.lines().all(is_short), "{text}");
            }
        }
    }

    /// Lines without imports, comments and tests.
    fn count_code(text: &str) -> usize {
        let mut lines = 0;
        let mut in_import = false;
        for line in text.lines().map(str::trim) {
            if line == "#[cfg(test)]" {
                break;
            }
            in_import |= line.starts_with("use ");
            let is_comment = ["//", "/*", "*"].iter().any(|it| line.starts_with(it));
            lines += usize::from(!(in_import || is_comment || line.is_empty()));
            in_import &= !line.ends_with(';');
        }
        lines
    }
}
