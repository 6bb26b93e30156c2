//! What the course needs from a machine, and how each thing gets there: looks at what a command
//! needs, and fetches, builds or installs what is missing.
//!
//! What is local to the checkout goes into its cache without asking; packages of the system's are
//! installed after a yes. Each part is made under a temporary name, checked, and renamed; a broken
//! run is continued by the next.
//!
//! ```text
//!   Requirement    what each can be asked: is it met, what would be done about it, how is it met
//!     rust_src, bpf_linker, clang, libbpf_build, qemu, kernels, guest_tools, browser,
//!     cargo_deny; for guests of another architecture: cross_compiler, rust_std, cross_libraries
//!   cross_tools    the compilers for other architectures on this machine
//!   rustup         adds to the toolchain
//!   guest_needs    which of them guests of an architecture need
//!   meeting        meets what is missing
//!   Reporter       to whom it tells what it does
//!   SetupSite      where the work is done, with a lock
//!   apt, packages  Debian's packages in the cache; the system's own packages
//!   CrateSource    a crate that a program is built from
//!   exposure       what other users of the machine could change
//!   record, links  what was made, and where it is found
//!   lean_link      the script that cargo starts as bpf-linker
//! ```

mod apt;
pub mod bpf_linker;
pub mod browser;
pub mod cargo_deny;
pub mod clang;
mod command;
mod crate_source;
mod cross_compiler;
mod cross_libraries;
mod cross_tools;
pub mod exposure;
mod fault;
mod guest_needs;
mod guest_tools;
pub mod kernels;
mod kernels_lock;
mod lean_link;
mod libbpf_build;
mod links;
mod meeting;
mod outside_cargo;
pub mod packages;
mod part;
pub mod qemu;
mod record;
mod reporter;
mod requirement;
pub mod rust_src;
pub mod rust_std;
mod rustup;
mod site;
pub mod space;
mod step;
mod vmlinux;

pub use bpf_linker::BpfLinker;
pub use browser::Browser;
pub use cargo_deny::CargoDeny;
pub use clang::Clang;
pub use guest_needs::{cross_build_needs, shell_needs, vm_needs};
pub use guest_tools::GuestTools;
pub use kernels::{DebianKernel, require_kernel};
pub use libbpf_build::LibbpfBuild;
pub use meeting::{all_needs, meet_missing, meet_whole, plan_need};
pub use part::Part;
pub use qemu::Qemu;
pub use reporter::Reporter;
pub use requirement::{Need, Requirement};
pub use rust_src::RustSrc;
