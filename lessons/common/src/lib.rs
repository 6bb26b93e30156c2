//! What the lessons share and none of them teaches.
//!
//! ```text
//!   problem         how a lesson fails: what is missing, what to type, the exit code
//!   architecture    what is called differently on each architecture
//!   machine         what a lesson needs of this machine, checked before the kernel says only EPERM
//!   implementation  aya or libbpf: the value of --impl
//!   stop            Ctrl-C ends a lesson's loop, not the lesson: it detaches and sums up
//!   process_tree    a command and all that descend from it
//!   wait            waits until a condition is true
//!   skeleton        includes what libbpf-cargo generated
//!   ring_buffer     the records of a ring buffer, read by aya or by libbpf
//!   record          the bytes of a record as a struct
//!   trace_pipe      what bpf_printk wrote
//!   tracepoint_format  where each field is in the record of a tracepoint
//!   kallsyms        which functions the running kernel has
//!   kprobe          whether the kernel would place a kprobe on a function
//!   btf             where a field is in a struct of the running kernel
//!   elf             where a function is in a program or library
//!   register        where the kernel keeps a register of a program that it has interrupted
//!   prototype       a function or a field of the running kernel, declared in C
//!   cost            what eBPF programs add to a call
//!   histogram       how often something took how long
//!   text            bytes and numbers of the kernel, fit for a terminal
//!   screen          standard output
//!   output_file     a file that is written at the end, and opened at the beginning
//! ```

mod implementation;
mod kprobe;
mod output_file;
mod problem;
mod screen;
mod skeleton;
mod stop;
mod wait;

pub mod architecture;
pub mod btf;
pub mod cost;
pub mod elf;
pub mod histogram;
pub mod kallsyms;
pub mod machine;
pub mod process_tree;
pub mod prototype;
pub mod record;
pub mod register;
pub mod ring_buffer;
pub mod text;
pub mod trace_pipe;
pub mod tracepoint_format;

pub use implementation::Implementation;
pub use output_file::OutputFile;
pub use problem::{NotReady, exit_code};
pub use screen::say;
pub use stop::Stop;
pub use wait::{wait_for_last_line, wait_until};
