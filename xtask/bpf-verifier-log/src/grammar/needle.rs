//! A text that is looked for in every line: to prepare the search once is much of its cost.

use alloc::boxed::Box;

use memchr::memmem::Finder;
use once_cell::race::OnceBox;

pub struct Needle {
    text: &'static str,
    finder: OnceBox<Finder<'static>>,
}

impl Needle {
    pub const fn new(text: &'static str) -> Self {
        Self {
            text,
            finder: OnceBox::new(),
        }
    }

    pub fn find_in(&self, line: &[u8]) -> Option<usize> {
        self.finder
            .get_or_init(|| Box::new(Finder::new(self.text)))
            .find(line)
    }

    /// Where the text that comes after it begins.
    pub fn find_end(&self, line: &[u8]) -> Option<usize> {
        self.find_in(line).map(|start| start + self.text.len())
    }

    pub fn is_in(&self, line: &str) -> bool {
        self.find_in(line.as_bytes()).is_some()
    }
}
