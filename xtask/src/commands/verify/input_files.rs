//! The files that are to be verified.

use std::path::PathBuf;

use plan::load::Load;
use problem::{Problem, find_similar};

use super::input_object::InputObject;

/// The objects, and the files that are none.
pub struct InputFiles {
    pub objects: Vec<InputObject>,
    /// Each is a verdict on every kernel.
    pub unusable: Vec<Load>,
    /// As the user named them, each once.
    pub paths: Vec<String>,
}

impl InputFiles {
    /// Refuses names that no object has: what they ask for would silently not be done.
    pub fn check_names<'a>(
        &'a self,
        programs: impl Iterator<Item = &'a String>,
        maps: impl Iterator<Item = &'a String>,
    ) -> Result<(), Problem> {
        let functions = self.objects.iter().flat_map(|object| &object.functions);
        check_known("program", programs, functions)?;
        let known_maps = self.objects.iter().flat_map(|object| &object.maps);
        check_known("map", maps, known_maps)
    }

    /// Opens the files, each once. Some of them may be no objects; if all are none, the command
    /// line is wrong.
    pub fn open_files(paths: &[PathBuf], memory_mib: u32) -> Result<Self, Problem> {
        let mut files = Self {
            objects: Vec::new(),
            unusable: Vec::new(),
            paths: Vec::new(),
        };
        let mut first_problem = None;
        for path in paths {
            let shown = path.display().to_string();
            if files.paths.contains(&shown) {
                continue;
            }
            match InputObject::open_object(files.paths.len(), path, memory_mib) {
                Ok(object) => files.objects.push(object),
                Err(problem) => {
                    let load = Load::of_failed_object(&shown, None, problem.to_string());
                    files.unusable.push(load);
                    first_problem.get_or_insert(problem);
                }
            }
            files.paths.push(shown);
        }
        match first_problem {
            Some(problem) if files.objects.is_empty() => Err(problem),
            _ => Ok(files),
        }
    }
}

fn check_known<'a>(
    what: &str,
    wanted: impl Iterator<Item = &'a String>,
    known: impl Iterator<Item = &'a String>,
) -> Result<(), Problem> {
    let known: Vec<&str> = known.map(String::as_str).collect();
    for name in wanted {
        if known.contains(&name.as_str()) {
            continue;
        }
        let problem = Problem::usage(format!("no object has a {what} '{name}'"));
        return Err(
            match find_similar(name, known.iter().map(|it| (*it, *it))) {
                Some(similar) => problem.help(format!("is it {similar}?")),
                None if known.is_empty() => problem.help(format!("they have no {what} at all")),
                None => problem.help(format!("they have {}", known.join(", "))),
            },
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_has_is_refused_with_one_that_is_there() {
        let known = ["on_unlink".to_owned(), "on_open".to_owned()];
        let check = |name: &str| {
            let wanted = [name.to_owned()];
            check_known("program", wanted.iter(), known.iter())
        };
        check("on_open").unwrap();
        let problem = check("on_unlnk").unwrap_err();
        assert_eq!(problem.to_string(), "no object has a program 'on_unlnk'");
        assert_eq!(problem.help_lines(), ["is it on_unlink?"]);
        let problem = check("zzz").unwrap_err();
        assert_eq!(problem.help_lines(), ["they have on_unlink, on_open"]);
    }
}
