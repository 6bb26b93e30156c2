//! A Debian mirror with the VM's tools of this machine, packed again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use requirements::GuestTools;

/// Of one suite.
pub struct Mirror {
    root: PathBuf,
}

/// Whoever packs and signs.
const USER: &str = "The test <t@localhost>";

const LIST: &str = "main/binary-amd64/Packages";

impl Mirror {
    /// With a key that signs its list.
    pub fn at(root: &Path) -> Self {
        let mirror = Self {
            root: root.to_owned(),
        };
        fs::create_dir_all(mirror.suite().join("main/binary-amd64")).unwrap();
        let tools = GuestTools::HOST.find_root().unwrap();
        let busybox = (tools.join("bin/busybox"), "usr/bin");
        let mut list = mirror.pack("busybox-static", &[busybox]);
        list += &mirror.pack("bpftool", &files_of_bpftool(&tools));
        fs::write(mirror.suite().join(LIST), list).unwrap();
        mirror.sign("");
        mirror
    }

    fn suite(&self) -> PathBuf {
        self.root.join("dists/trixie")
    }

    /// Makes a package of some files, and returns what the list says about it.
    fn pack(&self, name: &str, files: &[(PathBuf, &str)]) -> String {
        let staged = self.root.join(name);
        for (file, place) in files {
            let place = staged.join(place);
            fs::create_dir_all(&place).unwrap();
            fs::copy(file, place.join(file.file_name().unwrap())).unwrap();
        }
        let fields = format!(
            "Package: {name}\nVersion: 1-1\nArchitecture: amd64\nMaintainer: {USER}\n\
             Description: for a test\n"
        );
        fs::create_dir_all(staged.join("DEBIAN")).unwrap();
        fs::write(staged.join("DEBIAN/control"), &fields).unwrap();
        let package = format!("{name}_1-1_amd64.deb");
        let file = self.root.join(&package);
        run(Command::new("dpkg-deb")
            .args(["--build", "--root-owner-group", "-Znone"])
            .args([&staged, &file]));
        fs::remove_dir_all(staged).unwrap();
        let (size, sum) = size_and_sum(&file);
        format!("{fields}Filename: {package}\nSize: {size}\nSHA256: {sum}\n\n")
    }

    /// Signs the list, with more fields about all of it, by a new key. Returns the key's file.
    pub fn sign(&self, fields: &str) -> PathBuf {
        let (size, sum) = size_and_sum(&self.suite().join(LIST));
        let date = run(Command::new("date").args(["--utc", "--rfc-email"]));
        let date = date.trim().replace("+0000", "UTC");
        let release = format!(
            "Origin: Debian\nSuite: stable\nCodename: trixie\nDate: {date}\nArchitectures: amd64\n\
             Components: main\n{fields}SHA256:\n {sum} {size} {LIST}\n"
        );
        fs::write(self.suite().join("Release"), release).unwrap();
        let home = tempfile::tempdir().unwrap();
        let keyring = self.keyring();
        let gpg = |arguments: &[&str]| {
            let mut gpg = Command::new("gpg");
            gpg.args(["--batch", "--yes", "--quiet", "--passphrase", ""])
                .args(arguments)
                .env("GNUPGHOME", home.path())
                .current_dir(self.suite());
            run(&mut gpg);
        };
        gpg(&["--quick-generate-key", USER, "ed25519", "sign", "never"]);
        gpg(&["--output", keyring.to_str().unwrap(), "--export"]);
        gpg(&["--output", "InRelease", "--clearsign", "Release"]);
        // The agent that gpg started would stay for a while.
        run(Command::new("gpgconf")
            .args(["--kill", "all"])
            .env("GNUPGHOME", home.path()));
        keyring
    }

    /// A list without a signature.
    pub fn remove_signature(&self) {
        fs::remove_file(self.suite().join("InRelease")).unwrap();
    }

    /// Of the key that signed the list last.
    pub fn keyring(&self) -> PathBuf {
        self.root.join("keyring.gpg")
    }
}

/// The program, its loader and its libraries, with their places in a system.
fn files_of_bpftool(tools: &Path) -> Vec<(PathBuf, &'static str)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(tools.join("lib/bpftool")).unwrap() {
        let file = entry.unwrap().path();
        let place = match file.file_name().unwrap().to_str().unwrap() {
            "bpftool" => "usr/sbin",
            "ld-linux-x86-64.so.2" => "usr/lib64",
            _ => "usr/lib/x86_64-linux-gnu",
        };
        files.push((file, place));
    }
    files
}

pub fn size_and_sum(file: &Path) -> (u64, String) {
    let text = run(Command::new("sha256sum").arg(file));
    let (sum, _) = text.split_once(' ').unwrap();
    (file.metadata().unwrap().len(), sum.to_owned())
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
