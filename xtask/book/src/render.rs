//! The book as HTML.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, Result, anyhow};
use checkout::workspace;
use mdbook_driver::MDBook;
use problem::{Exit, Problem};

use crate::explorer;
use crate::facts::Facts;
use crate::gallery::Gallery;
use crate::pages::{Directives, ExercisePages, GalleryPages};

/// Where the book's sources are.
pub fn source_directory() -> PathBuf {
    workspace::workspace_root().join("book")
}

/// The directory of the book that was built last.
pub fn find_book() -> Result<PathBuf> {
    let directory = book_directory();
    if directory.join("index.html").is_file() {
        return Ok(directory);
    }
    let problem = Problem::new(Exit::NotYet, "the book has not been built");
    Err(problem.help("cargo xtask book build").into())
}

fn book_directory() -> PathBuf {
    workspace::target_directory().join("book")
}

/// Builds it; returns its directory.
pub fn build_book() -> Result<PathBuf> {
    let explorer = explorer::build_script()?;
    let directory = book_directory();
    let mut book = load_pages()?;
    book.config.build.build_dir = directory.clone();
    let gallery = Rc::new(Gallery::read_gallery()?);
    let facts = Facts::read_facts()?;
    book.with_preprocessor(GalleryPages(Rc::clone(&gallery)))
        .with_preprocessor(ExercisePages)
        .with_preprocessor(Directives { gallery, facts });
    book.build().map_err(|error| anyhow!("{error:#}"))?;
    let script = directory.join("verifier-log.js");
    fs::write(&script, explorer).with_context(|| format!("cannot write {}", script.display()))?;
    Ok(directory)
}

/// The pages as they were written.
pub fn load_pages() -> Result<MDBook> {
    MDBook::load(source_directory()).map_err(|error| anyhow!("{error:#}"))
}
