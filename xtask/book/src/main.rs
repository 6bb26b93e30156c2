//! The book: built with mdBook, from pages whose code, output and tables come out of the
//! repository.
//!
//! ```text
//!   render          mdBook, with these in front of it:
//!     gallery         a page for each verifier error, and their indexes
//!     exercise_page   a page for each exercise: its task, and its hints
//!     directive       {{#both ...}}, {{#output ...}} and the like, in all pages
//!       excerpt         code, by anchor
//!       capture         output that a test has captured
//!       recorded        verifier logs of the gallery
//!       kernel_names    names that some kernels have and others do not
//!       table           requirements, exercises, costs
//!       facts           "since 5.18", beside what was seen on the five kernels
//!       tabs            the same thing in several languages, or on several kernels
//!   explorer        the reader of verifier logs, compiled to WebAssembly
//!   check           what mdBook lets pass: sources, then the rendered pages
//!     claims          sentences about kernels, and what they rest on
//!   browser         tests in a real browser
//!   serve           the book at a local address, rebuilt at every save
//!   po              the texts to translate
//! ```

mod browser;
mod capture;
mod check;
mod claims;
mod directive;
mod excerpt;
mod exercise_page;
mod explorer;
mod facts;
mod gallery;
mod html;
mod kernel_names;
mod pages;
mod po;
mod recorded;
mod render;
mod serve;
mod table;
mod tabs;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use problem::{Exit, Problem};

/// Builds, serves and checks the book.
#[derive(Parser)]
#[command(name = "cargo xtask book", bin_name = "cargo xtask book")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build it into target/book
    Build {
        /// Show it in the browser
        #[arg(long)]
        open: bool,
    },
    /// Build it, serve it at a local address, and rebuild it at every save
    Serve {
        /// Show it in the browser
        #[arg(long)]
        open: bool,
        /// 0: any that is free
        #[arg(long, default_value_t = 3000)]
        port: u16,
    },
    /// Build it, and look for what mdBook lets pass: missing anchors, broken links, code that was
    /// typed in
    Check,
    /// Build it, and read it in a headless Chromium
    Test {
        /// Read the one that the last command has built
        #[arg(long)]
        built: bool,
    },
    /// Write the texts to translate to target/book-po/messages.pot
    Po,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Build { open } => build(open),
        Command::Serve { open, port } => serve::serve_book(port, open),
        Command::Check => check::check_book(),
        Command::Test { built } => browser::test_in_browser(built),
        Command::Po => po::extract_messages(),
    };
    match done {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            xtask::output::error::show_error(&error);
            let exit = error.downcast_ref().map_or(Exit::NotYet, Problem::exit);
            ExitCode::from(exit as u8)
        }
    }
}

fn build(open: bool) -> Result<Exit> {
    let book = render::build_book()?;
    xtask::output::screen::write_answer(
        format!("{}\n", book.join("index.html").display()).as_bytes(),
    )?;
    if open {
        serve::open_browser(&book.join("index.html").to_string_lossy())?;
    }
    Ok(Exit::Done)
}
