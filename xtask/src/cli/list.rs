//! `list`

use clap::Parser;

use crate::commands::list::{ListOptions, Listing};

#[derive(Debug, Parser)]
pub struct ListArguments {
    /// Only the exercises that are not done
    #[arg(long, conflicts_with_all = ["done", "json"])]
    pending: bool,
    /// Only the exercises that are done
    #[arg(long, conflicts_with = "json")]
    done: bool,
    /// Print JSON, one object a lesson
    #[arg(long)]
    json: bool,
}

impl From<ListArguments> for ListOptions {
    fn from(arguments: ListArguments) -> Self {
        let listing = match (arguments.pending, arguments.done) {
            (true, _) => Listing::Pending,
            (_, true) => Listing::Done,
            _ => Listing::Everything,
        };
        Self {
            listing,
            json: arguments.json,
        }
    }
}
