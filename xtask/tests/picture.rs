//! The README's picture of a run is drawn from the transcript that the tests hold the lesson to.

use std::fs;

use course::catalog;

const LESSON: &str = "01";

#[test]
fn the_picture_shows_the_transcript() {
    let lessons = catalog::read_lessons().unwrap();
    let directory = &catalog::find_lesson(&lessons, LESSON).unwrap().directory;
    let snapshot = fs::read_to_string(directory.join("tests/snapshots/transcript.snap")).unwrap();
    // The snapshot's own header ends at the second line of dashes.
    let transcript = snapshot.splitn(3, "---\n").nth(2).unwrap();
    let screen = format!("\x1b[1m$ cargo xtask run {LESSON}\x1b[0m\n{transcript}");
    let picture = anstyle_svg::Term::new().render_svg(&screen);
    let path = directory.join("run.svg");
    if std::env::var_os("UPDATE_PICTURE").is_some() {
        fs::write(&path, &picture).unwrap();
    }
    let current = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        current == picture,
        "{} is not the transcript's; draw it again: UPDATE_PICTURE=1 cargo test -p xtask --test \
         picture",
        path.display()
    );
}
