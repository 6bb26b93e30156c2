//! What one kernel said.

use std::collections::HashSet;

use plan::load::{Load, LoadResult, ProgramName};

use super::kernel_name::KernelName;

/// What became of the objects on one kernel.
pub struct KernelResult {
    pub kernel: KernelName,
    pub release: String,
    pub loads: Vec<Load>,
    /// Names of objects that have no programs.
    pub without_programs: Vec<String>,
    /// This machine could not run the kernel, and why: the verdicts that are missing are not known.
    pub machine_failed: Option<String>,
    /// False: what is in modules is not there, whether or not the kernel was built with it.
    pub has_modules: bool,
    /// What a person should know about the kernel.
    pub notes: Vec<String>,
}

impl KernelResult {
    /// A program about which a loader said nothing, although it came to the object's end, did not
    /// work: no verdict would look like a good one. `None`: it did not even name the programs.
    pub fn blame_silence(&mut self, object: &str, programs: Option<&[ProgramName]>) {
        let here = self.loads.iter().filter(|load| load.object == object);
        let told: HashSet<&str> = here.map(|load| load.program.as_str()).collect();
        // One verdict on the whole object is one on each of its programs.
        if told.contains("") {
            return;
        }
        let failed = |why: &str| Load::of_failed_object(object, None, why.to_owned());
        let mut silent = Vec::new();
        if programs.is_none() && told.is_empty() {
            silent.push(failed("the loader did not say which programs it has"));
        }
        for ProgramName { program, section } in programs.unwrap_or_default() {
            if !told.contains(program.as_str()) {
                silent.push(Load {
                    program: program.clone(),
                    section: section.clone(),
                    result: LoadResult::failed("the loader did not say what became of it"),
                    ..failed("")
                });
            }
        }
        self.loads.extend(silent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::verify::tests::named;

    fn silent_on(told: &[&str], programs: Option<&[&str]>) -> Vec<String> {
        let load = |program: &&str| Load {
            program: (*program).to_owned(),
            ..Load::of_failed_object("a.o", None, String::new())
        };
        let mut result = KernelResult {
            kernel: named("7.3"),
            release: String::new(),
            loads: told.iter().map(load).collect(),
            without_programs: Vec::new(),
            machine_failed: None,
            has_modules: true,
            notes: Vec::new(),
        };
        let named = |program: &&str| ProgramName {
            program: (*program).to_owned(),
            section: "xdp".to_owned(),
        };
        let programs: Option<Vec<ProgramName>> =
            programs.map(|programs| programs.iter().map(named).collect());
        result.blame_silence("a.o", programs.as_deref());
        let added = result.loads.split_off(told.len());
        added.into_iter().map(|load| load.program).collect()
    }

    #[test]
    fn silence_is_no_success() {
        let none: [&str; 0] = [];
        assert_eq!(silent_on(&["one"], Some(&["one", "two"])), ["two"]);
        assert_eq!(silent_on(&[], None), [""], "not even names");
        assert_eq!(silent_on(&["one"], Some(&["one"])), none);
        assert_eq!(silent_on(&[], Some(&[])), none, "an object of maps");
        assert_eq!(silent_on(&[""], Some(&["one"])), none, "it all failed");
    }
}
