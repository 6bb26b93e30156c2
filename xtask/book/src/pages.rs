//! What mdBook's pages go through before it renders them.

use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use mdbook_core::book::{Book, BookItem, Chapter, SectionNumber};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::facts::Facts;
use crate::gallery::{self, Gallery};
use crate::{directive, exercise_page};

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
                for entry in &self.0.entries {
                    let path = format!("{}/{}.md", gallery::DIRECTORY, entry.name);
                    add_page(chapter, &entry.name, gallery::entry_page(entry), path);
                }
                added = true;
            }
        });
        added
            .then_some(book)
            .context("SUMMARY.md has no gallery/index.md")
    }
}

/// Adds the exercises' pages below the chapters of their lessons.
pub struct ExercisePages;

impl Preprocessor for ExercisePages {
    fn name(&self) -> &str {
        "exercises"
    }

    fn run(&self, _: &PreprocessorContext, book: Book) -> Result<Book> {
        add_exercises(book)
    }
}

fn add_exercises(mut book: Book) -> Result<Book> {
    for page in exercise_page::read_exercise_pages()? {
        let (text, mut added) = (page.write_page()?, false);
        book.for_each_chapter_mut(|chapter| {
            if chapter.path.as_deref() == Some(Path::new(&page.chapter_path())) {
                let title = &page.exercise.about.title;
                add_page(chapter, title, text.clone(), page.page_path());
                added = true;
            }
        });
        ensure!(added, "SUMMARY.md has no {}", page.chapter_path());
    }
    Ok(book)
}

/// Adds a page that has no file below a chapter, as its last.
fn add_page(chapter: &mut Chapter, name: &str, text: String, path: String) {
    let parents = [chapter.parent_names.clone(), vec![chapter.name.clone()]].concat();
    let mut page = Chapter::new(name, text, path, parents);
    // The side bar folds what has a number below another's.
    let above = chapter
        .number
        .iter()
        .flat_map(|number| number.iter().copied());
    let number = chapter.sub_items.len() as u32 + 1;
    page.number = Some(SectionNumber::new(
        above.chain([number]).collect::<Vec<_>>(),
    ));
    page.source_path = None;
    chapter.sub_items.push(BookItem::Chapter(page));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render;

    /// The chapter of the book whose path this is.
    fn find_chapter<'a>(items: &'a [BookItem], path: &str) -> Option<&'a Chapter> {
        let chapters = items.iter().filter_map(|item| match item {
            BookItem::Chapter(chapter) => Some(chapter),
            _ => None,
        });
        chapters
            .into_iter()
            .find(|chapter| chapter.path.as_deref() == Some(Path::new(path)))
    }

    #[test]
    fn each_exercise_is_below_its_chapter_and_linked_from_it() {
        let book = add_exercises(render::load_pages().unwrap().book).unwrap();
        let gallery = Gallery::read_gallery().unwrap();
        let facts = Facts::read_facts().unwrap();
        let pages = exercise_page::read_exercise_pages().unwrap();
        assert!(pages.len() > 20, "{} exercises", pages.len());
        for page in pages {
            let chapter = find_chapter(&book.items, &page.chapter_path()).unwrap();
            let found = find_chapter(&chapter.sub_items, &page.page_path()).unwrap();
            assert_eq!(found.name, page.exercise.about.title);
            let text = directive::expand_page(&chapter.content, &gallery, &facts).unwrap();
            let link = page.page_path().replace("lessons/", "(") + ")";
            assert!(text.contains(&link), "{link} is not in the chapter");
        }
    }
}
