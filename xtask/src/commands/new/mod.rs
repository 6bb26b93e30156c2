//! `new`: files to begin with.
//!
//! ```text
//!   exercise   the files that every exercise of the course has
//!   project    a whole project outside of the checkout
//!   place      where a project can be, and what it can be called
//!   hook       the hooks that a project can use
//!   files      the files of a project, from the templates
//! ```

pub mod exercise;
mod files;
pub mod hook;
mod place;
pub mod project;
