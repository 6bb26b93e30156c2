//! `watch`

use clap::Parser;
use course::Implementation;
use kernel::DEFAULT;
use problem::Problem;

use crate::cli::implementation::One;
use crate::commands::watch::WatchOptions;
use crate::pipeline::selection::Selection;

pub const WATCH_HELP: &str = "\
Keys: h a hint, r check again, n the next exercise, x back to the starter (a copy is kept), l list,
q quit, ? all keys.
It stays with the exercise until you press n. Without a terminal there are no keys: it watches
until it is stopped.";

#[derive(Debug, Parser)]
pub struct WatchArguments {
    /// An exercise, or a lesson: its first exercise that is not done; without one, the first of all
    exercise: Option<String>,
    /// aya (the answer in Rust) or libbpf (the one in C); without it, the one that was begun
    #[arg(long = "impl", value_name = "IMPL")]
    implementation: Option<One>,
    /// 5.10, 6.1, 6.12, 6.18, 7.3, or the path of a bzImage or vmlinux
    #[arg(long, value_name = "KERNEL", default_value = DEFAULT)]
    kernel: String,
    /// Look at the files twice a second, where saves are not noticed: on WSL, network file systems,
    /// in some containers
    #[arg(long)]
    poll: bool,
}

impl TryFrom<WatchArguments> for WatchOptions {
    type Error = Problem;

    fn try_from(arguments: WatchArguments) -> Result<Self, Problem> {
        Ok(Self {
            exercise: arguments.exercise,
            implementation: arguments.implementation.map(Implementation::from),
            kernel: Selection::parse(&arguments.kernel)?,
            poll: arguments.poll,
        })
    }
}
