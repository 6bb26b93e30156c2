//! `verify` as people use it: objects of their own, good and bad.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Run, stderr, stdout};
use serde_json::Value;
use xtask::setup;
use xtask::{demo, gallery, workspace};

/// A folder with object files. It goes with the test.
struct Objects(tempfile::TempDir);

impl Objects {
    fn new() -> Self {
        setup::ensure(&demo::BUILD_NEEDS).unwrap();
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn compile(&self, name: &str, flags: &[&str], source: &str) {
        let file = self.path(&format!("{name}.c"));
        std::fs::write(&file, source).unwrap();
        let mut clang = Command::new(workspace::root().join(".cache/bin/clang"));
        clang.args(["-target", "bpf", "-O2", "-c"]).args(flags).arg(&file).arg("-o").arg(self.path(name));
        assert!(clang.status().unwrap().success(), "{name}");
    }

    /// Takes a program of the gallery.
    fn take(&self, name: &str, object: &str) {
        std::fs::write(self.path(name), &gallery::objects().unwrap()[object]).unwrap();
    }
}

/// Runs verify in that folder: exit code, verdicts, standard error.
fn verify(folder: &Path, arguments: &[&str]) -> (i32, Vec<Value>, String) {
    let mut run = Run::new(&[&["verify", "--json"], arguments].concat());
    let output = run.command.current_dir(folder).output().unwrap();
    assert_eq!(run.left_behind(), [""; 0]);
    let verdicts = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), verdicts, stderr(&output))
}

fn outcome<'a>(verdicts: &'a [Value], object: &str, kernel: &str) -> &'a Value {
    let mut found =
        verdicts.iter().filter(|verdict| verdict["object"] == object && verdict["kernel"] == kernel);
    let verdict = found.next().unwrap_or_else(|| panic!("no verdict on {object} on {kernel}: {verdicts:?}"));
    assert!(found.next().is_none(), "two verdicts on {object} on {kernel}");
    verdict
}

const XDP: &str = r#"
__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }
__attribute__((section("license"), used)) char _license[] = "GPL";
"#;

#[test]
fn what_is_no_object_is_refused_at_once() {
    let refused = |file: &str| {
        let output = Run::new(&["verify", file]).output();
        assert_eq!(stdout(&output), "");
        format!("{}exit code {}", stderr(&output), output.status.code().unwrap())
    };
    insta::assert_snapshot!("no_elf", refused("Cargo.toml"));
    insta::assert_snapshot!("no_file", refused("nothing.o"));
    assert!(refused("/bin/true").contains("it is for another machine (X86_64)"));
    assert!(refused("src").contains("cannot read src"));
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn bad_objects_do_not_hide_the_good_ones() {
    let objects = Objects::new();
    objects.compile("good.o", &["-g"], XDP);
    objects.compile("without-btf.o", &[], XDP);
    objects.compile("no-programs.o", &["-g"], "int helper(int number) { return number; }");
    objects.compile("empty.o", &["-g"], "int number = 3;");
    std::fs::create_dir(objects.path("rust")).unwrap();
    objects.take("rejected.o", "map-value-or-null-fail.c.o");
    // The same name as another, in another folder.
    objects.take("rust/rejected.o", "map-value-or-null-fail.rust.o");

    let files = ["empty.o", "good.o", "no-programs.o", "rejected.o", "rust/rejected.o", "without-btf.o"];
    let (code, verdicts, said) = verify(objects.0.path(), &[&files[..], &["--kernel", "all"]].concat());
    assert_eq!(code, 1, "{said}");
    for kernel in ["5.10", "6.1", "6.12", "6.18", "7.3"] {
        let outcome = |object| outcome(&verdicts, object, kernel);
        assert_eq!(outcome("good.o")["verdict"], "accepted");
        assert_eq!(outcome("good.o")["program"], "pass");
        assert_eq!(outcome("good.o")["instructions"], 2);
        assert_eq!(outcome("without-btf.o")["verdict"], "accepted");
        for object in ["rejected.o", "rust/rejected.o"] {
            assert_eq!(outcome(object)["class"], "map-value-or-null");
            assert!(outcome(object)["reason"].as_str().unwrap().contains("map_value_or_null"));
        }
        for object in ["no-programs.o", "empty.o"] {
            assert_eq!(outcome(object)["verdict"], "failed");
            assert!(outcome(object)["error"].as_str().unwrap().contains("it has no programs"));
        }
    }
}

/// A file that was cut off may be anything, but it must not take the others along.
#[test]
fn a_cut_object_is_refused() {
    let objects = Objects::new();
    objects.compile("good.o", &["-g"], XDP);
    let bytes = std::fs::read(objects.path("good.o")).unwrap();
    std::fs::write(objects.path("cut.o"), &bytes[..bytes.len() / 2]).unwrap();
    let (code, verdicts, said) = verify(objects.0.path(), &["cut.o"]);
    assert_eq!((code, verdicts.len()), (2, 0));
    assert!(said.contains("cut.o is not an eBPF object file"), "{said}");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_takes_too_long_is_ended() {
    let objects = Objects::new();
    objects.compile("a-good.o", &["-g"], XDP);
    objects.compile("z-good.o", &["-g"], XDP);
    // The verifier follows every round of the loop.
    let slow = r#"
        __attribute__((section("xdp"), used)) int slow(void *ctx) {
            volatile long sum = 0;
            #pragma clang loop unroll(disable)
            for (int i = 0; i < 150000; i++) sum = i;
            return 2;
        }
        __attribute__((section("license"), used)) char _license[] = "GPL";
    "#;
    objects.compile("slow.o", &["-g"], slow);
    let arguments = ["a-good.o", "slow.o", "z-good.o", "--kernel", "6.12", "--seconds", "1"];
    let (code, verdicts, said) = verify(objects.0.path(), &arguments);
    assert_eq!(code, 1, "{said}");
    assert_eq!(outcome(&verdicts, "a-good.o", "6.12")["verdict"], "accepted");
    assert!(outcome(&verdicts, "slow.o", "6.12")["error"].as_str().unwrap().contains("more than 1 s"));
    assert_eq!(outcome(&verdicts, "z-good.o", "6.12")["verdict"], "accepted");
}
