//! The linker that cargo starts: a script, which leaves out the libraries that a program does not
//! need. bpf-linker itself is next to it, in a directory `whole`.

use std::path::Path;

use anyhow::Result;

use crate::links;

/// bpf-linker, where the script looks for it.
pub const WHOLE: &str = "whole/bpf-linker";

/// With their modes. The script needs the other one, and so comes last.
const FILES: [(&str, u32, &str); 2] = [
    (
        "whole/memory.ll",
        0o644,
        include_str!("../linker/memory.ll"),
    ),
    ("bpf-linker", 0o755, include_str!("../linker/bpf-linker")),
];

/// Whether the script is there, as this version of the tool has it.
pub fn is_installed() -> bool {
    FILES.iter().all(|(name, _, text)| {
        std::fs::read(links::link_path(name)).is_ok_and(|there| there == text.as_bytes())
    })
}

/// Whether this is the script of some checkout, which is found where its `.cache/bin` is in PATH:
/// as bpf-linker it would start itself.
pub fn is_script(linker: &Path) -> bool {
    let real = linker.canonicalize();
    real.is_ok_and(|real| real.with_file_name(WHOLE).exists())
}

pub fn install_script() -> Result<()> {
    for (name, mode, text) in FILES {
        links::write_file(name, mode, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::{Command, Output};

    use tempfile::TempDir;

    use super::*;

    const COMPLETE: &str = "define i32 @program() section \"kprobe\" { ret i32 0 }";
    const INCOMPLETE: &str = "declare i32 @needed()
        define i32 @program() section \"kprobe\" {
            %result = call i32 @needed()
            ret i32 %result
        }";

    /// A directory with the script and files to link. bpf-linker reads the text of LLVM's language
    /// as it reads rustc's bitcode.
    struct LinkSite(TempDir);

    impl LinkSite {
        fn new(inputs: &[(&str, &str)]) -> Self {
            assert!(links::link_works(WHOLE), "first: cargo xtask setup");
            let directory = tempfile::tempdir().unwrap();
            fs::create_dir(directory.path().join("whole")).unwrap();
            symlink(links::link_path(WHOLE), directory.path().join(WHOLE)).unwrap();
            for (name, mode, text) in FILES {
                links::write_file_in(directory.path(), name, mode, text).unwrap();
            }
            for (name, text) in inputs {
                fs::write(directory.path().join(name), text).unwrap();
            }
            Self(directory)
        }

        /// Links these files as rustc does.
        fn link(&self, linker: &str, inputs: &[&str]) -> Output {
            // By the shell: a script that was written just now may still be open in a process
            // that another test starts.
            let program = self.0.path().join(linker);
            let mut command = match linker == "bpf-linker" {
                true => Command::new("sh"),
                false => Command::new(&program),
            };
            if linker == "bpf-linker" {
                command.arg(&program);
            }
            command.current_dir(self.0.path());
            for input in inputs {
                command.arg(self.0.path().join(input));
            }
            command.args(["--export=program,memset", "--cpu=generic", "-o", "object"]);
            command.args(["-O3", "--btf"]).output().unwrap()
        }

        /// What readelf says about the object's symbols with this name.
        fn symbols(&self, name: &str) -> Vec<String> {
            let object = self.0.path().join("object");
            let output = Command::new("readelf")
                .args(["--symbols", "--wide"])
                .arg(object)
                .output()
                .unwrap();
            let lines = String::from_utf8(output.stdout).unwrap();
            let of_name = lines.lines().filter(|line| line.ends_with(name));
            of_name.map(str::to_owned).collect()
        }

        fn object(&self) -> Vec<u8> {
            fs::read(self.0.path().join("object")).unwrap()
        }
    }

    #[test]
    fn what_a_program_does_not_need_is_not_even_read() {
        let site = LinkSite::new(&[("program.ll", COMPLETE)]);
        let inputs = [
            "program.ll",
            "libcore-0.rlib",
            "libcompiler_builtins-0.rlib",
        ];
        assert!(!site.link(WHOLE, &inputs).status.success());
        let output = site.link("bpf-linker", &inputs);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
        assert_eq!(site.symbols("program").len(), 1);
    }

    #[test]
    fn what_a_program_needs_is_linked_as_by_the_linker_alone() {
        let needed = "define i32 @needed() noinline { ret i32 1 }";
        let site = LinkSite::new(&[("program.ll", INCOMPLETE), ("libcore-0.rlib", needed)]);
        let inputs = ["program.ll", "libcore-0.rlib"];
        let objects = [WHOLE, "bpf-linker"].map(|linker| {
            let output = site.link(linker, &inputs);
            assert!(output.status.success(), "{output:?}");
            site.object()
        });
        assert!(objects[0] == objects[1]);
        assert_eq!(site.symbols(" UND needed"), [""; 0]);
    }

    /// A function of the kernel's, for example.
    #[test]
    fn what_no_library_has_stays_undefined() {
        let site = LinkSite::new(&[("program.ll", INCOMPLETE), ("libcore-0.rlib", COMPLETE)]);
        let output = site.link("bpf-linker", &["program.ll"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(site.symbols(" UND needed").len(), 1);
    }

    #[test]
    fn errors_are_those_of_the_linker_alone() {
        let large = "define i32 @program() section \"kprobe\" {
                %place = alloca [600 x i8]
                store volatile [600 x i8] zeroinitializer, ptr %place
                ret i32 0
            }";
        let site = LinkSite::new(&[
            ("incomplete.ll", INCOMPLETE),
            ("large.ll", large),
            ("libcore-0.rlib", "define i32 @needed() { ret i32 1 }"),
        ]);
        for (inputs, error) in [
            (["large.ll", "libcore-0.rlib"], "stack limit"),
            (["incomplete.ll", "libcore-missing.rlib"], "libcore-missing"),
            (["missing.ll", "libcore-0.rlib"], "missing.ll"),
        ] {
            let alone = site.link(WHOLE, &inputs);
            assert!(!alone.status.success());
            assert!(
                String::from_utf8_lossy(&alone.stderr).contains(error),
                "{alone:?}"
            );
            assert_eq!(site.link("bpf-linker", &inputs), alone);
        }
    }

    /// The verifier would check `memset` without its callers, and reject it.
    #[test]
    fn memory_functions_are_hidden_as_compiler_builtins_has_them() {
        let of_aya = "define ptr @memset(ptr %to, i32 %value, i64 %size) noinline {
                store volatile i8 0, ptr %to
                ret ptr %to
            }";
        let calls = "declare ptr @memset(ptr, i32, i64)
            define i32 @program() section \"kprobe\" {
                %place = alloca i64
                call ptr @memset(ptr %place, i32 0, i64 8)
                ret i32 0
            }";
        let builtins = of_aya.replace("define", "define weak hidden");
        let site = LinkSite::new(&[
            ("program.ll", calls),
            ("aya.ll", of_aya),
            ("libcompiler_builtins-0.rlib", &builtins),
        ]);
        let inputs = ["program.ll", "aya.ll", "libcompiler_builtins-0.rlib"];
        let symbols = [WHOLE, "bpf-linker"].map(|linker| {
            let output = site.link(linker, &inputs);
            assert!(output.status.success(), "{output:?}");
            site.symbols("memset")
        });
        assert!(symbols[0][0].contains("HIDDEN"), "{symbols:?}");
        assert_eq!(symbols[0], symbols[1]);
    }

    #[test]
    fn the_linker_can_be_asked_for_its_version() {
        let site = LinkSite::new(&[]);
        let ask = |linker: &str| {
            let linker: &Path = &site.0.path().join(linker);
            Command::new(linker).arg("--version").output().unwrap()
        };
        assert_eq!(ask("bpf-linker"), ask(WHOLE));
    }
}
