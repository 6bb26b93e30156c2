//! What the kernels of every series call things: functions, types, tracepoints, hooks, helpers; and
//! what they are like there. It asks the data that `cargo xtask where --update` captured from the
//! running kernels and their BTF, and starts no VM. Each architecture has its own.
//!
//! ```text
//!   AllNames        those of each architecture
//!   Names           all names on all kernels of one: where each is, and what is similar
//!   Kind            what a name can be the name of
//!   SeriesRange     series in a row: "6.1 to 6.19"
//!   History         what a name is like on each series
//!     KernelFunction  its forms, and how it can be attached to
//!     Struct          its size and fields
//!     Record          what a tracepoint hands over
//!   Successor       what came instead of a name that is gone: `data/successors.toml`
//!   CapturedNames   all names of one kernel, to be stored
//!     blocks          the text of a kernel's names, in parts
//!     merged_block    a part on all kernels
//!     packing         a part as the difference to the kernel before, compressed
//!     store           the file of one kernel
//! ```

mod all_names;
mod blocks;
mod capture;
mod function;
mod history;
mod kind;
mod merged_block;
mod names;
mod packing;
mod record;
mod series_range;
mod store;
mod structure;
mod successor;

pub use all_names::AllNames;
pub use capture::CapturedNames;
pub use function::KernelFunction;
pub use history::{History, Span};
pub use kind::Kind;
pub use names::Names;
pub use record::{Record, RecordField};
pub use series_range::{SeriesRange, find_ranges};
pub use store::{KernelVersion, stored_version, write_captures};
pub use structure::{Field, Struct};
pub use successor::Successor;
