//! What the learners are called: their files say it.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf, absolute};

/// The files' names without their ending; where all of them are the same (`alice/score.json`,
/// `bob/score.json`), the names of the nearest directories that are not.
pub fn name_learners(files: &[PathBuf]) -> Vec<OsString> {
    let parts: Vec<Vec<OsString>> = files.iter().map(|file| parts_from_end(file)).collect();
    let shortest = parts.iter().map(Vec::len).min().unwrap_or(0);
    let differ = |depth: &usize| parts.iter().any(|it| it[*depth] != parts[0][*depth]);
    let depth = (0..shortest).find(differ).unwrap_or(0);
    parts
        .into_iter()
        .map(|mut parts| parts.swap_remove(depth))
        .collect()
}

/// `alice/score.json` as `score`, `alice`, and the directories above.
fn parts_from_end(file: &Path) -> Vec<OsString> {
    let stem = file.file_stem().unwrap_or(file.as_os_str());
    let whole = absolute(file).unwrap_or_else(|_| file.to_owned());
    let directories = whole.parent().unwrap_or(&whole).components().rev();
    let names = directories.filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        _ => None,
    });
    std::iter::once(stem.to_owned()).chain(names).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn names(files: &[&str]) -> Vec<OsString> {
        name_learners(&files.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_learner_has_the_name_of_a_file_or_of_its_directory() {
        assert_eq!(names(&["alice.json", "b/bob.json"]), ["alice", "bob"]);
        assert_eq!(names(&["a/score.json", "b/score.json"]), ["a", "b"]);
        assert_eq!(
            names(&["x/a/out/score.json", "x/b/out/score.txt"]),
            ["a", "b"]
        );
        assert_eq!(
            names(&["김민수/score.json", "./이영희/score.json"]),
            ["김민수", "이영희"]
        );
        assert_eq!(names(&["a/score.json"]), ["score"]);
        assert_eq!(names(&["a.json", "a.json"]), ["a", "a"]);
        assert_eq!(names(&["/", "."]).len(), 2);
        assert_eq!(names(&[]).len(), 0);
    }

    #[test]
    fn a_name_need_not_be_text() {
        let file = |byte| PathBuf::from(OsString::from_vec(vec![byte, b'.', b'j']));
        let names = name_learners(&[file(0xff), file(0xfe)]);
        assert_eq!(names[0], OsString::from_vec(vec![0xff]));
        assert_ne!(names[0], names[1]);
    }
}
