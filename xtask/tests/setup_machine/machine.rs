//! The checkout, and this machine as its set-ups see it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use checkout::workspace;
use kernel::Architecture;
use requirements::{BpfLinker, Clang, GuestTools, LibbpfBuild, Requirement, RustSrc, qemu};

use super::mirror::{self, Mirror};
use crate::common::{Run, program, skip};

/// All of it is in one directory, and goes with it.
pub struct Machine {
    directory: tempfile::TempDir,
    mirror: String,
    /// Lines of shell that run before each set-up, as root of its own view of the files.
    lines: Vec<String>,
}

impl Machine {
    /// `None` where a set-up cannot be tested; the reason is among what was skipped.
    pub fn open(what: &str) -> Option<Self> {
        ensure_set_up();
        let why = if !is_there("gpg") || !is_there("apt-get") {
            "it takes apt-get and gpg"
        } else if !unshare().arg("true").status().is_ok_and(|it| it.success()) {
            "no files can be mounted for one process only"
        } else {
            return Some(Self::make());
        };
        skip(what, why);
        None
    }

    fn make() -> Self {
        let machine = Self {
            directory: tempfile::tempdir().unwrap(),
            mirror: "http://127.0.0.1:9".to_owned(),
            lines: Vec::new(),
        };
        let (own, checkout) = (workspace::workspace_root(), machine.path("checkout"));
        for file in ["kernels.lock", "rust-toolchain.toml"] {
            copy_all(&own.join(file), &checkout.join(file));
        }
        for package in ["xtask", "lessons/00-intro"] {
            fs::create_dir_all(checkout.join(package)).unwrap();
            fs::write(checkout.join(package).join("Cargo.toml"), "").unwrap();
        }
        for part in [".cache/bin", ".cache/bpf-linker"] {
            copy_all(&own.join(part), &checkout.join(part));
        }
        let tool = checkout.join("target/debug/xtask");
        fs::create_dir_all(tool.parent().unwrap()).unwrap();
        fs::hard_link(program(), &tool)
            .or_else(|_| fs::copy(program(), &tool).map(drop))
            .unwrap();
        machine
    }

    /// A file of the machine's, or one that may be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The cache of its set-ups.
    pub fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    /// Its packages come from here.
    pub fn set_mirror(&mut self, address: &str) {
        self.mirror = address.to_owned();
    }

    /// The keys of Debian's archive are the mirror's from now on.
    pub fn trust(&self, mirror: &Mirror) {
        fs::copy(mirror.keyring(), self.path("trusted.gpg")).unwrap();
    }

    /// Before a set-up, a file or a directory of the machine's takes the place of another.
    pub fn mount(&mut self, name: &str, place: &str) {
        let file = self.path(name);
        self.add_line(&format!("mount --bind '{}' '{place}'", file.display()));
    }

    /// Makes a file of the machine's.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The linker is to be built, and a registry on this machine offers another source, with a
    /// build script.
    pub fn offer_linker(&mut self, registry: &str, script: &str) {
        fs::remove_file(self.path("checkout/.cache/bin/whole/bpf-linker")).unwrap();
        fs::remove_dir_all(self.path("checkout/.cache/bpf-linker")).unwrap();
        let manifest = "[package]\nname = 'bpf-linker'\nversion = '0.13.0'\nedition = '2021'\n\
            build = 'build.rs'\n[features]\nllvm-22 = []\nno-llvm-linking = []\n";
        let source = "sources/bpf-linker-0.13.0";
        self.write(&format!("{source}/Cargo.toml"), manifest);
        self.write(&format!("{source}/build.rs"), script);
        self.write(&format!("{source}/src/main.rs"), "fn main() {}");
        let place = "mirror/dl/bpf-linker/0.13.0/download";
        self.write(place, "");
        let file = self.path(place);
        let mut tar = Command::new("tar");
        tar.arg("--create").arg("--gzip").arg("--file").arg(&file);
        tar.arg("bpf-linker-0.13.0")
            .current_dir(self.path("sources"));
        assert!(tar.status().unwrap().success());
        let sum = mirror::size_and_sum(&file).1;
        let dl = format!("{{\"dl\": \"{registry}/dl\"}}");
        self.write("mirror/config.json", &dl);
        let entry = format!(
            "{{\"name\": \"bpf-linker\", \"vers\": \"0.13.0\", \"deps\": [], \"yanked\": false, \
             \"features\": {{}}, \"cksum\": \"{sum}\"}}\n"
        );
        self.write("mirror/bp/f-/bpf-linker", &entry);
        let configuration = format!(
            "[source.crates-io]\nreplace-with = 'here'\n\
             [source.here]\nregistry = 'sparse+{registry}/'\n"
        );
        self.write("cargo/config.toml", &configuration);
    }

    /// Before a set-up, this is done.
    pub fn add_line(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    /// From now on, lines of shell run before a program does its work. `$1` and so on are its
    /// arguments.
    pub fn prepend(&self, name: &str, lines: &str) {
        let place = self.path("bin").join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let real = processes::child::find_program(name).unwrap();
        let text = format!("#!/bin/sh\n{lines}\nexec {} \"$@\"\n", real.display());
        fs::write(&place, text).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn restore(&self, name: &str) {
        fs::remove_file(self.path("bin").join(name)).unwrap();
    }

    pub fn set_up(&self) -> Run {
        self.run("exec \"$0\" setup --kernel 6.12")
    }

    /// Runs lines of shell, with the tool as `$0`.
    pub fn run(&self, script: &str) -> Run {
        let arguments = unshare();
        let arguments = arguments.get_args().map(|it| it.to_str().unwrap());
        let script = format!("set -e\n{}\nset +e\n{script}", self.lines.join("\n"));
        let tool = self.path("checkout/target/debug/xtask");
        let shell = ["sh", "-c", &script, tool.to_str().unwrap()];
        let arguments: Vec<&str> = arguments.chain(shell).collect();
        let mut run = Run::of(Path::new("unshare"), &arguments);
        let mut path = self.path("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        run.command
            .current_dir(self.path("checkout"))
            .env("PATH", path)
            .env("CARGO_MANIFEST_DIR", self.path("checkout/xtask"))
            .env("XTASK_CACHE", self.cache())
            .env("CARGO_HOME", self.path("cargo"))
            .env("RUSTUP_HOME", rustup_home())
            .env("XTASK_MIRROR", &self.mirror)
            .env("no_proxy", "127.0.0.1");
        run
    }

    /// Whether the VM's tools are in the cache, each file as in this machine's own.
    pub fn has_tools(&self) -> bool {
        let place = self.cache().join("tools/root");
        let tools = GuestTools::HOST.find_root().unwrap();
        let same = |file: &str| {
            fs::read(place.join(file)).is_ok_and(|it| it == fs::read(tools.join(file)).unwrap())
        };
        place.exists()
            && ["bin/busybox", "bin/bpftool", "lib/bpftool/bpftool"]
                .iter()
                .all(|it| same(it))
    }
}

/// What the set-ups here find done: this machine has it before such a test begins. QEMU's note in
/// the cache is not asked, since another test may have put its own QEMU there.
fn ensure_set_up() {
    let needs: [&dyn Requirement; 4] = [&Clang, &LibbpfBuild, &RustSrc, &BpfLinker];
    for need in needs {
        assert!(need.is_met(), "{} is not set up", need.name());
    }
    assert!(
        qemu::find_qemu(Architecture::HOST).is_some(),
        "there is no QEMU"
    );
    GuestTools::HOST.find_root().unwrap();
}

/// Next to cargo's, which is another one here.
fn rustup_home() -> PathBuf {
    let named = std::env::var_os("RUSTUP_HOME").map(PathBuf::from);
    named.unwrap_or_else(|| std::env::home_dir().unwrap().join(".rustup"))
}

fn is_there(name: &str) -> bool {
    processes::child::find_program(name).is_some()
}

/// Programs that see their own mounts.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
}

/// Links stay links.
fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let data = from.symlink_metadata().unwrap();
    if data.is_symlink() {
        symlink(fs::read_link(from).unwrap(), to).unwrap();
    } else if data.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy_all(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}
