//! The texts to translate, for gettext.

use std::rc::Rc;

use anyhow::{Result, anyhow};
use checkout::workspace;
use mdbook_i18n_helpers::renderers::Xgettext;
use problem::Exit;
use xtask::output::screen;

use crate::gallery::Gallery;
use crate::pages::{ExercisePages, GalleryPages};
use crate::render;

/// Directives stay what they are: code, logs and tables are the same in every language.
pub fn extract_messages() -> Result<Exit> {
    let directory = workspace::target_directory().join("book-po");
    let mut book = render::load_pages()?;
    book.config.build.build_dir = directory.clone();
    book.config
        .set("output.xgettext.pot-file", "messages.pot")
        .map_err(|error| anyhow!("{error:#}"))?;
    book.with_preprocessor(GalleryPages(Rc::new(Gallery::read_gallery()?)))
        .with_preprocessor(ExercisePages);
    book.execute_build_process(&Xgettext {})
        .map_err(|error| anyhow!("{error:#}"))?;
    screen::write_answer(format!("{}\n", directory.join("messages.pot").display()).as_bytes())?;
    Ok(Exit::Done)
}
