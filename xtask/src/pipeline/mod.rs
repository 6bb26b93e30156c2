//! What several commands do.
//!
//! ```text
//!   own_build      goes on as this checkout's own xtask if another checkout's was started
//!   needs          what a command needs of this machine, met before it begins
//!   selection      which kernels a command is for
//!   build          cargo, for the lessons and for programs of the course's own
//!   build_times    what cargo is to build again although its time is newer
//!   bare_boot      a boot that does nothing, to compare with
//!   pending_build  a lesson's build beside the start of its VM
//!   guest_init     the guest's init, built when its source has changed
//!   cross_build    what cargo needs to build for another architecture than this machine's
//!   lesson_kernels which of the chosen kernels a lesson can run on
//!   demo           a lesson's demo as a plan for a VM
//!   conversation   the user's terminal, tied to a program in a guest
//!   memory         how much of it a guest gets
//!   host           lessons without a VM
//!   parallel       the same work on several kernels
//!   answer_build   the programs of an exercise
//!   source_record  the text from which a program of an exercise was built last
//!   answer_file    the files of an answer
//!   judging        an answer to an exercise, judged in a VM or here
//!   judged_place   where an answer is judged
//!   judge_guest    a guest with the judge, which waits for answers
//!   rejection      the answer that the verifier rejected at the last check
//!   line_buffer    lines of a program's output, which comes in pieces
//!   machine_fault  a compiler that failed because of this machine
//!   loader         object files for a guest, and what the verifier made of them
//!   name_capture   all names of a kernel, for `where`
//!   forbidden      lines of an object file that no kernel accepts
//! ```

pub mod answer_build;
pub mod answer_file;
pub mod bare_boot;
pub mod build;
pub mod build_times;
pub mod conversation;
pub mod cross_build;
pub mod demo;
pub mod forbidden;
pub mod guest_init;
pub mod host;
pub mod judge_guest;
pub mod judged_place;
pub mod judging;
pub mod lesson_kernels;
pub mod line_buffer;
pub mod loader;
pub mod machine_fault;
pub mod memory;
pub mod name_capture;
pub mod needs;
pub mod own_build;
pub mod parallel;
pub mod pending_build;
pub mod rejection;
pub mod selection;
pub mod source_record;
