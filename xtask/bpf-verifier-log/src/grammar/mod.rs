//! Recognises the messages of the verifier, and of the compilers, linkers and loaders around it.

pub mod btf_line;
pub mod message_age;
pub mod needle;
pub mod table;
pub mod template;
pub mod words;
