//! The answers to all exercises. Those in Rust are built in two calls of cargo: with one call for
//! each of the ninety programs, cargo alone would take 0.3 s each time.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use course::Implementation;
use course::catalog::StepPlace;
use course::exercises::{Exercise, Variant};
use kernel::Architecture;
use serde_json::Value;
use xtask::pipeline::answer_build::{self, Built, BuiltProgram};
use xtask::pipeline::build;

use super::common::{stderr, stdout};

pub struct RustAnswers {
    /// What the compiler said of each binary: warnings if it is built, errors if not.
    said: BTreeMap<String, Result<String, String>>,
    architecture: Architecture,
}

impl RustAnswers {
    pub fn build(exercises: &[Exercise], variants: &[Variant], architecture: Architecture) -> Self {
        let (mut for_kernel, mut for_user) = (Vec::new(), Vec::new());
        for exercise in exercises {
            for (implementation, variant) in offered(exercise, variants) {
                if is_for_kernel(exercise, implementation) {
                    let binary = answer_build::program_binary(exercise, variant);
                    for_kernel.push((exercise.ebpf_package().unwrap(), binary));
                }
                if exercise.has_user_program() {
                    for_user.push(answer_build::user_program_binary(
                        exercise,
                        implementation,
                        variant,
                    ));
                }
            }
        }
        // An eBPF program that is given has no variants.
        for_kernel.dedup();
        let (package, binary) = &for_kernel[0];
        let mut kernel_cargo = answer_build::cargo_for_kernel(package, binary, architecture);
        for (package, binary) in &for_kernel[1..] {
            kernel_cargo.args(["--package", package, "--bin", binary]);
        }
        let mut user_cargo = answer_build::cargo_for_user(&for_user[0], architecture);
        for binary in &for_user[1..] {
            user_cargo.args(["--bin", binary]);
        }
        let mut said = said_of_each(kernel_cargo);
        said.extend(said_of_each(user_cargo));
        Self { said, architecture }
    }

    /// What [`answer_build::build_answer`] returns for it.
    pub fn build_answer(
        &self,
        exercise: &Exercise,
        implementation: Implementation,
        variant: Variant,
    ) -> Built {
        let architecture = self.architecture;
        let program = if is_for_kernel(exercise, implementation) {
            let binary = answer_build::program_binary(exercise, variant);
            self.said[&binary].clone().map(|warnings| BuiltProgram {
                file: answer_build::find_program(exercise, implementation, variant, architecture),
                object: None,
                warnings,
            })
        } else {
            answer_build::build_program(exercise, implementation, variant, architecture).unwrap()
        };
        if !exercise.has_user_program() {
            return program;
        }
        let program = program?;
        let binary = answer_build::user_program_binary(exercise, implementation, variant);
        self.said[&binary].clone().map(|said| BuiltProgram {
            file: build::built_program_for(&binary, architecture),
            object: Some(program.file),
            warnings: program.warnings + &said,
        })
    }
}

fn offered(
    exercise: &Exercise,
    variants: &[Variant],
) -> impl Iterator<Item = (Implementation, Variant)> {
    let each = exercise.offered_implementations();
    each.flat_map(|implementation| {
        variants
            .iter()
            .map(move |&variant| (implementation, variant))
    })
}

fn is_for_kernel(exercise: &Exercise, implementation: Implementation) -> bool {
    exercise.about.place == StepPlace::Kernel && implementation == Implementation::Aya
}

/// By the name of the binary. Starters need not compile: cargo goes on with the others.
fn said_of_each(mut cargo: Command) -> BTreeMap<String, Result<String, String>> {
    cargo.args(["--keep-going", "--message-format=json"]);
    let output = cargo.output().unwrap();
    // What is not about one program.
    let other = |line: &&str| !line.starts_with("error: could not compile");
    assert_eq!(stderr(&output).lines().find(other), None);
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut built = BTreeSet::new();
    for line in stdout(&output).lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let Some(binary) = message["target"]["name"].as_str() else {
            continue;
        };
        let text = texts.entry(binary.to_owned()).or_default();
        text.push_str(message["message"]["rendered"].as_str().unwrap_or_default());
        if message["reason"] == "compiler-artifact" {
            built.insert(binary.to_owned());
        }
    }
    let results = texts.into_iter().map(|(binary, text)| {
        let is_built = built.contains(&binary);
        (binary, if is_built { Ok(text) } else { Err(text) })
    });
    results.collect()
}
