//! The programs and maps that are in the kernel now.

use std::io::{self, ErrorKind};

use anyhow::{Context as _, Error, Result};
use aya::maps::{Map, MapData, loaded_maps};
use aya::programs::{ProgramInfo, loaded_programs};

/// The newest map in the kernel with this name: one of an answer that has just ended may still be
/// there.
pub fn loaded_map(name: &str) -> Result<Map> {
    let mut newest = None;
    for map in without_gone(loaded_maps()) {
        let map = map.context("list the kernel's maps")?;
        if map.name_as_str() != Some(name) {
            continue;
        }
        // Opened at once, since by the end of the list it may be gone.
        match MapData::from_id(map.id()).map_err(Error::from) {
            Err(error) if is_gone(&error) => {}
            opened => newest = Some(opened.with_context(|| format!("open {name}"))?),
        }
    }
    let map = newest.with_context(|| format!("no map in the kernel is called {name}"))?;
    Map::from_map_data(map).with_context(|| format!("read the map {name}"))
}

/// All programs, the oldest first.
pub fn loaded_program_infos() -> Result<Vec<ProgramInfo>> {
    without_gone(loaded_programs())
        .collect::<Result<_>>()
        .context("list the kernel's programs")
}

/// The names of all programs.
pub fn loaded_program_names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for program in loaded_program_infos()? {
        names.push(program.name_as_str().unwrap_or_default().to_owned());
    }
    Ok(names)
}

/// Aya asks the kernel for the next id, then opens what has it: what the kernel frees in between is
/// an error in aya's list, and nobody's fault.
fn without_gone<T, E: Into<Error>>(
    list: impl Iterator<Item = Result<T, E>>,
) -> impl Iterator<Item = Result<T>> {
    list.map(|item| item.map_err(Into::into))
        .filter(|item| !item.as_ref().is_err_and(is_gone))
}

fn is_gone(error: &Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use aya::maps::MapError;
    use aya::sys::SyscallError;

    use super::*;

    fn failed_to_open(io_error: io::Error) -> Result<u32, MapError> {
        let call = "bpf_map_get_fd_by_id";
        Err(MapError::SyscallError(SyscallError { call, io_error }))
    }

    #[test]
    fn what_goes_while_it_is_listed_is_left_out() {
        let gone = failed_to_open(ErrorKind::NotFound.into());
        let list: Result<Vec<_>> = without_gone([Ok(1), gone, Ok(3)].into_iter()).collect();
        assert_eq!(list.expect("what is gone is no error"), [1, 3]);
    }

    #[test]
    fn what_may_not_be_opened_is_an_error() {
        let refused = failed_to_open(ErrorKind::PermissionDenied.into());
        let list: Result<Vec<_>> = without_gone([Ok(1), refused].into_iter()).collect();
        let error = format!("{:#}", list.expect_err("the second is refused"));
        assert!(error.contains("permission denied"), "{error}");
    }
}
