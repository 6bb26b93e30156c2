//! A Debian mirror with the VM's tools of this machine, packed again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use requirements::guest_tools;

/// Of one suite.
pub struct Mirror {
    root: PathBuf,
}

/// What the tool does not depend on must not count here either: names and versions.
const PACKAGES: [(&str, &[(&str, &str)]); 2] = [
    ("busybox-static", &[("bin/busybox", "usr/bin")]),
    (
        "bpftool",
        &[
            ("lib/bpftool/bpftool", "usr/sbin"),
            ("lib/bpftool/ld-linux-x86-64.so.2", "usr/lib64"),
            ("lib/bpftool/libc.so.6", "usr/lib/x86_64-linux-gnu"),
            ("lib/bpftool/libcap.so.2", "usr/lib/x86_64-linux-gnu"),
            ("lib/bpftool/libelf.so.1", "usr/lib/x86_64-linux-gnu"),
            ("lib/bpftool/libz.so.1", "usr/lib/x86_64-linux-gnu"),
            ("lib/bpftool/libzstd.so.1", "usr/lib/x86_64-linux-gnu"),
        ],
    ),
];

const LIST: &str = "main/binary-amd64/Packages";

impl Mirror {
    /// With a key that signs its list.
    pub fn at(root: &Path) -> Self {
        let mirror = Self {
            root: root.to_owned(),
        };
        fs::create_dir_all(mirror.suite().join("main/binary-amd64")).unwrap();
        let mut list = String::new();
        for (name, files) in PACKAGES {
            list += &mirror.pack(name, files);
        }
        fs::write(mirror.suite().join(LIST), list).unwrap();
        mirror.sign("");
        mirror
    }

    fn suite(&self) -> PathBuf {
        self.root.join("dists/trixie")
    }

    /// Makes a package of some files, and returns what the list says about it.
    fn pack(&self, name: &str, files: &[(&str, &str)]) -> String {
        let tools = guest_tools::find_tools().unwrap();
        let staged = self.root.join(name);
        for (file, place) in files {
            let place = staged.join(place);
            fs::create_dir_all(&place).unwrap();
            let file = tools.join(file);
            fs::copy(&file, place.join(file.file_name().unwrap())).unwrap();
        }
        let fields = format!(
            "Package: {name}\nVersion: 1-1\nArchitecture: amd64\nMaintainer: The test <t@localhost>\n\
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
        let user = "The test <t@localhost>";
        gpg(&["--quick-generate-key", user, "ed25519", "sign", "never"]);
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
