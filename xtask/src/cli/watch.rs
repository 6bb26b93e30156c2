//! `watch`

use clap::Parser;
use course::Implementation;
use kernel::DEFAULT;
use problem::Problem;

use crate::cli::architecture::OneArchitectureArgument;
use crate::cli::implementation::One;
use crate::commands::watch::WatchOptions;
use crate::pipeline::selection::Selection;

pub const WATCH_HELP: &str = "\
Keys: e edit the answer, h a hint, r check again, n the next exercise, x back to the starter (a copy
is kept), l list, q quit, ? all keys.
It stays with the exercise until you press n. Without a terminal there are no keys: it watches
until it is stopped.

The editor is what VISUAL names, or else EDITOR:
  EDITOR=nano cargo xtask watch --edit
An editor in the terminal (vim, nano) has the terminal until you leave it; then your answer is
checked. An editor with its own window (code, gedit) can stay open: each save is checked.

Saves are not always noticed on the drives of Windows in WSL, on network drives, and in directories
that a VM or a container shares with its host. Where the file system tells that, watch looks at the
files twice a second by itself, and says so. If your saves are not noticed elsewhere, add --poll.";

#[derive(Debug, Parser)]
pub struct WatchArguments {
    /// An exercise, or a lesson: its first exercise that is not done; without one, the first of all
    exercise: Option<String>,
    /// aya (the answer in Rust) or libbpf (the one in C, or with libbpf-rs); without it, the one
    /// that was begun
    #[arg(long = "impl", value_name = "IMPL")]
    implementation: Option<One>,
    /// A series such as 6.12, or the path of a bzImage, vmlinux or arm64 Image
    #[arg(long, value_name = "KERNEL", default_value = DEFAULT)]
    kernel: String,
    #[command(flatten)]
    architecture: OneArchitectureArgument,
    /// Open the answer in your editor (VISUAL or EDITOR), and that of each exercise you go on to
    #[arg(long)]
    edit: bool,
    /// Keep what is on the screen, instead of clearing it before each check
    #[arg(long)]
    no_clear: bool,
    /// Look at the files twice a second, where saves are not noticed
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
            architecture: arguments.architecture.architecture,
            poll: arguments.poll,
            edit: arguments.edit,
            clear: !arguments.no_clear,
        })
    }
}
