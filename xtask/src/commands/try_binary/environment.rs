//! The environment variables that a program gets, beside those that every program in a guest has.

use std::env;
use std::path::{Path, PathBuf};

use checkout::workspace;
use problem::Problem;

/// What the names of those begin with that are passed on: Rust's own, and what cargo tells a test
/// about its package. Not `CARGO` and `CARGO_HOME`: what they name is not in the guest.
const PASSED_ON: [&str; 6] = [
    "RUST_",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_",
    "CARGO_CRATE_NAME",
    PROGRAMS,
];

/// By variables of this name, `cargo test` names the package's programs.
const PROGRAMS: &str = "CARGO_BIN_EXE_";

/// Set by cargo for the package whose program it runs.
const PACKAGE: &str = "CARGO_MANIFEST_DIR";

/// The variables with their values, in the order of their names. `wanted` are the user's, each
/// `NAME=VALUE`, or `NAME` for one that is set here.
pub fn collect_variables(wanted: &[String]) -> Result<Vec<(String, String)>, Problem> {
    let is_own = is_from_own_alias();
    let here = env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        let is_passed_on = PASSED_ON.iter().any(|begin| name.starts_with(begin));
        (is_passed_on && !(is_own && name.starts_with("CARGO_"))).then_some((name, value))
    });
    let mut variables: Vec<_> = here.collect();
    variables.sort();
    for text in wanted {
        variables.push(read_variable(text)?);
    }
    Ok(variables)
}

/// The package's programs: a test may start them.
pub fn find_package_programs(variables: &[(String, String)]) -> Vec<PathBuf> {
    let programs = variables
        .iter()
        .filter(|(name, _)| name.starts_with(PROGRAMS));
    programs
        .map(|(_, path)| PathBuf::from(path))
        .filter(|path| path.is_absolute() && path.is_file())
        .collect()
}

/// `cargo xtask` is a `cargo run`, and cargo's variables are about this tool's package then.
fn is_from_own_alias() -> bool {
    let own = workspace::workspace_root().join("xtask");
    env::var_os(PACKAGE).is_some_and(|package| Path::new(&package) == own)
}

fn read_variable(text: &str) -> Result<(String, String), Problem> {
    if let Some((name @ [_, ..], value)) = text.split_once('=').map(|(a, b)| (a.as_bytes(), b)) {
        let name = String::from_utf8_lossy(name).into_owned();
        return Ok((name, value.to_owned()));
    }
    match env::var(text) {
        Ok(value) => Ok((text.to_owned(), value)),
        Err(_) => Err(Problem::usage(format!(
            "the environment variable '{text}' of --env is not set here"
        ))
        .help("--env NAME=VALUE sets one for the program")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_variables_come_with_a_value_or_from_here() {
        let read = |text: &str| read_variable(text);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("A=b=c").unwrap(), pair("A", "b=c"));
        assert_eq!(read("A=").unwrap(), pair("A", ""));
        assert_eq!(read("PATH").unwrap().1, env::var("PATH").unwrap());
        for text in ["NOT_SET_ANYWHERE", "=b", ""] {
            let problem = read(text).unwrap_err().to_string();
            assert!(problem.contains("is not set here"), "{problem}");
        }
    }

    #[test]
    fn only_programs_that_are_there_come_along() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = [
            pair("CARGO_BIN_EXE_here", "/proc/self/exe"),
            pair("CARGO_BIN_EXE_not_built", "/nothing/here"),
            pair("CARGO_MANIFEST_PATH", "/proc/self/exe"),
        ];
        assert_eq!(
            find_package_programs(&variables),
            ["/proc/self/exe"].map(PathBuf::from)
        );
    }
}
