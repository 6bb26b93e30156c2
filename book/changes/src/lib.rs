//! The new forms that the book's page "What changed" shows. Nothing calls them: compiling them with
//! the releases of the course is what they are for. `old/` has the old forms, `capture.sh` what the
//! compiler says about those.

pub mod user_aya;
pub mod user_libbpf;
