//! The house in figures: names, lines, imports, repeated places, and the shape of the lessons.
//!
//! Nothing is built or run: the sources are read as text. To see the figures, also of another
//! checkout:
//!
//! ```text
//! HOUSE=/path/of/a/checkout cargo test -p xtask --test house -- --ignored --nocapture figures
//! ```

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod changes;
mod code;
mod files;
mod imports;
mod lessons;
mod lines;
mod maps;
mod names;
mod repeats;
mod unsafes;
mod words;

use files::SourceFile;

/// The figures that the tests below hold the repository to, with where each comes from.
#[test]
#[ignore = "prints the figures; the other tests compare them"]
fn figures() {
    let files = files::read_sources(&files::house());
    let functions = names::public_functions(&files);
    let one_word = functions.iter().filter(|name| !name.contains('_')).count();
    println!(
        "one-word public functions   {}",
        percent(one_word, functions.len())
    );
    let types = names::types(&files);
    println!(
        "types that share a name     {}",
        percent(names::sharing(&types).len(), types.len())
    );
    println!(
        "lines over 100 columns      {}",
        lines::too_long(&files).len()
    );
    let circles = imports::circles(&files);
    println!("import circles              {circles:?}");
    println!(
        "words not to use            {}",
        words::unwanted_words(&files::house()).len()
    );
    let places = repeats::repeated_places(&files);
    println!("repeated places             {}", places.len());
    println!("outside main, aya and libbpf; the same with what it uses of lessons/common");
    let common = lessons::read_common(&files);
    for lesson in lessons::read_lessons(&files) {
        let (lines, modules) = lesson.lines_in_common(&common);
        println!(
            "{:<21} {:>2} files, {:<23} {:>2} files, {}",
            lesson.name,
            lesson.path().len(),
            percent(lesson.lines_outside(), lesson.lines()),
            lesson.path().len() + modules,
            percent(lesson.lines_outside() + lines, lesson.lines() + lines)
        );
    }
}

/// Each `unsafe` of the workspace with its reason.
#[test]
#[ignore = "prints them; another test names those without a reason"]
fn unsafe_reasons() {
    print!("{}", unsafes::list_reasons(&sources()));
}

fn percent(part: usize, whole: usize) -> String {
    format!(
        "{part} of {whole} ({:.1} %)",
        100.0 * part as f64 / whole as f64
    )
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn sources() -> Vec<SourceFile> {
    files::read_sources(&files::house())
}

#[test]
fn no_line_has_more_than_100_columns() {
    let long = lines::too_long(&sources());
    assert!(long.is_empty(), "break these lines:\n{}", long.join("\n"));
}

#[test]
fn public_functions_have_names_that_a_search_finds() {
    let functions = names::public_functions(&sources());
    let one_word: Vec<_> = functions
        .iter()
        .filter(|name| !name.contains('_'))
        .collect();
    let share = share(one_word.len(), functions.len());
    assert!(
        share <= 0.15,
        "{share:.2} of the names are one word: {one_word:?}"
    );
}

#[test]
fn a_type_has_its_name_alone() {
    let types = names::types(&sources());
    let sharing = names::sharing(&types);
    let share = share(sharing.len(), types.len());
    assert!(
        share <= 0.02,
        "{share:.3} of the types share a name:\n{}",
        sharing.join("\n")
    );
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = imports::circles(&sources());
    assert!(
        circles.is_empty(),
        "these files import each other: {circles:#?}"
    );
}

#[test]
fn words_that_nobody_uses_do_not_come_back() {
    let unwanted = words::unwanted_words(&files::house());
    let shown = unwanted.join("\n");
    assert!(
        unwanted.is_empty(),
        "CONTRIBUTING says what to write instead of:\n{shown}"
    );
}

#[test]
fn maps_have_one_form() {
    let faults = maps::faults(&files::house());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_unsafe_has_its_reason() {
    let faults = unsafes::find_unexplained(&sources());
    let shown = faults.join("\n");
    assert!(
        faults.is_empty(),
        "say why, in a comment `// SAFETY:`:\n{shown}"
    );
}

#[test]
fn little_is_written_twice() {
    let places = repeats::repeated_places(&sources());
    let shown = places.join("\n");
    assert!(
        places.len() <= REPEATED_PLACES,
        "{} places:\n{shown}",
        places.len()
    );
}

/// Half of what there was when this was first counted.
const REPEATED_PLACES: usize = 6;

#[test]
fn lessons_have_their_shape() {
    let mut faults = Vec::new();
    for lesson in lessons::read_lessons(&sources()) {
        faults.extend(lesson.faults());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
