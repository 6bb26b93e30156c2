//! `list`

use clap::Parser;

use crate::commands::list::{ListOptions, Listing};

pub const LIST_HELP: &str = "\
In front of a lesson, an arrow says that it comes next, a tick that all of its exercises are done.

JSON: an array of lessons, each with (fields may be added)
  number             01
  name               hello-kprobe
  title              what it is about
  hooks              what its programs attach to
  maps               the types of its maps
  oldest_kernel      the first that it runs on
  why                why no older one
  oldest_on_arm64    the first that it runs on, of arm64
  why_on_arm64       why no older one
  implementations    aya, libbpf
  exercises          each with
    name             03/count-by-comm
    title            what it is about
    implementations  in which it can be solved: aya is Rust, libbpf is C
    done             true if one of them is right";

#[derive(Debug, Parser)]
pub struct ListArguments {
    /// Only the exercises that are not done
    #[arg(long, conflicts_with_all = ["done", "json"])]
    pending: bool,
    /// Only the exercises that are done
    #[arg(long, conflicts_with = "json")]
    done: bool,
    /// Print JSON, one object per lesson
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
