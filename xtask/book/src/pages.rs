//! What mdBook's pages go through before it renders them.

use anyhow::{Context, Result};
use mdbook_core::book::{Book, BookItem, Chapter};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use xtask::entry;

use crate::{directive, gallery};

/// Adds the gallery's pages below its first one.
pub struct Gallery;

impl Preprocessor for Gallery {
    fn name(&self) -> &str {
        "gallery"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let pages = entry::entries()?;
        let mut added = false;
        book.for_each_chapter_mut(|chapter| {
            let is_index = chapter.path.as_ref().is_some_and(|path| path.ends_with("gallery/index.md"));
            if is_index && !added {
                let parents = [chapter.parent_names.clone(), vec![chapter.name.clone()]].concat();
                chapter.sub_items = pages.iter().map(|entry| page(entry, &parents)).collect();
                added = true;
            }
        });
        added.then_some(book).context("SUMMARY.md has no gallery/index.md")
    }
}

fn page(entry: &entry::Entry, parents: &[String]) -> BookItem {
    let path = format!("{}/{}.md", gallery::FOLDER, entry.name);
    let mut chapter = Chapter::new(&entry.name, gallery::page(entry), path, parents.to_vec());
    // It has no file of its own.
    chapter.source_path = None;
    BookItem::Chapter(chapter)
}

/// Expands the directives of all pages.
pub struct Directives;

impl Preprocessor for Directives {
    fn name(&self) -> &str {
        "directives"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut failed = Vec::new();
        book.for_each_chapter_mut(|chapter| match directive::expand(&chapter.content) {
            Ok(expanded) => chapter.content = expanded,
            Err(error) => {
                let path = chapter.path.clone().unwrap_or_default();
                failed.push(format!("book/src/{}: {error:#}", path.display()));
            }
        });
        anyhow::ensure!(failed.is_empty(), "{}", failed.join("\n"));
        Ok(book)
    }
}
