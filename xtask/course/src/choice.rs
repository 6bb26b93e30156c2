//! Which exercise a learner means.

use anyhow::Result;

use crate::catalog;
use crate::exercises::{self, Exercise};
use crate::progress::Progress;

/// What a learner means: the exercise of this name, or the first of a lesson, or of all, that is
/// not done. None, if all of them are.
pub fn choose_exercise<'a>(
    exercises: &'a [Exercise],
    name: Option<&str>,
    progress: &Progress,
) -> Result<Option<&'a Exercise>> {
    let Some(name) = name else {
        return Ok(progress.next_pending(exercises));
    };
    match of_lesson(exercises, name)? {
        Some(exercises) => Ok(progress.next_pending(exercises)),
        None => exercises::find_exercise(exercises, name).map(Some),
    }
}

/// The exercises of the lesson that is called so. They come one after the other.
fn of_lesson<'a>(exercises: &'a [Exercise], name: &str) -> Result<Option<&'a [Exercise]>> {
    let lessons = catalog::read_lessons()?;
    let Some(lesson) = lessons
        .iter()
        .find(|lesson| lesson.is_called(name.trim_end_matches('/')))
    else {
        return Ok(None);
    };
    let mut by_lesson =
        exercises.chunk_by(|one, other| one.lesson_number() == other.lesson_number());
    Ok(by_lesson.find(|exercises| exercises[0].lesson_number() == lesson.number))
}

/// For people who named a lesson, or none.
pub fn say_all_are_done(lesson: Option<&str>) -> String {
    let of = lesson.map_or_else(String::new, |name| format!(" of lesson {name}"));
    format!("every exercise{of} is done")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Implementation;
    use crate::exercises::{find_exercise, read_exercises};

    #[test]
    fn a_lesson_means_its_first_exercise_that_is_not_done() {
        let exercises = read_exercises().unwrap();
        let mut progress = Progress::default();
        for name in [
            "failed-removals",
            "time-asleep",
            "removal-errors",
            "on-and-off",
        ] {
            for lesson in ["1", "01", "hello-kprobe", "01-hello-kprobe", "01/"] {
                let chosen = choose_exercise(&exercises, Some(lesson), &progress)
                    .unwrap()
                    .unwrap();
                assert_eq!(chosen.name, format!("01/{name}"), "{lesson}");
            }
            progress.set_done(
                find_exercise(&exercises, name).unwrap(),
                Implementation::Libbpf,
                true,
            );
        }
        assert!(
            choose_exercise(&exercises, Some("01"), &progress)
                .unwrap()
                .is_none()
        );
        assert_eq!(
            choose_exercise(&exercises, Some("02"), &progress)
                .unwrap()
                .unwrap()
                .lesson_number(),
            "02"
        );
        assert!(choose_exercise(&exercises, Some("99"), &progress).is_err());
    }
}
