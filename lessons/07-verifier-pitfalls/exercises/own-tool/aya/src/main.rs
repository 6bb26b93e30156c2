//! The user-space program: write all of it.

fn main() {}
