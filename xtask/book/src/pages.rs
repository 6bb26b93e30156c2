//! What mdBook's pages go through before it renders them.

use std::rc::Rc;

use anyhow::{Context, Result};
use course::entry::Entry;
use mdbook_core::book::{Book, BookItem, Chapter, SectionNumber};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::directive;
use crate::facts::Facts;
use crate::gallery::{self, Gallery};

/// Adds the gallery's pages below its first one.
pub struct GalleryPages(pub Rc<Gallery>);

impl Preprocessor for GalleryPages {
    fn name(&self) -> &str {
        "gallery"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut added = false;
        book.for_each_chapter_mut(|chapter| {
            let is_index = chapter
                .path
                .as_ref()
                .is_some_and(|path| path.ends_with("gallery/index.md"));
            if is_index && !added {
                chapter.sub_items = (1..)
                    .zip(&self.0.entries)
                    .map(|(number, entry)| page(entry, number, chapter))
                    .collect();
                added = true;
            }
        });
        added
            .then_some(book)
            .context("SUMMARY.md has no gallery/index.md")
    }
}

fn page(entry: &Entry, number: u32, index: &Chapter) -> BookItem {
    let path = format!("{}/{}.md", gallery::DIRECTORY, entry.name);
    let parents = [index.parent_names.clone(), vec![index.name.clone()]].concat();
    let mut chapter = Chapter::new(&entry.name, gallery::entry_page(entry), path, parents);
    // The side bar folds what has a number below another's.
    let above = index
        .number
        .iter()
        .flat_map(|number| number.iter().copied());
    chapter.number = Some(SectionNumber::new(
        above.chain([number]).collect::<Vec<_>>(),
    ));
    // It has no file.
    chapter.source_path = None;
    BookItem::Chapter(chapter)
}

/// Expands the directives of all pages.
pub struct Directives {
    pub gallery: Rc<Gallery>,
    pub facts: Facts,
}

impl Preprocessor for Directives {
    fn name(&self) -> &str {
        "directives"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut failed = Vec::new();
        book.for_each_chapter_mut(|chapter| {
            match directive::expand_page(&chapter.content, &self.gallery, &self.facts) {
                Ok(expanded) => chapter.content = expanded,
                Err(error) => {
                    let path = chapter.path.clone().unwrap_or_default();
                    failed.push(format!("book/src/{}: {error:#}", path.display()));
                }
            }
        });
        anyhow::ensure!(failed.is_empty(), "{}", failed.join("\n"));
        Ok(book)
    }
}
