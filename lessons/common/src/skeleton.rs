//! The skeleton that libbpf-cargo generated from a program in C.

/// Includes `OUT_DIR/NAME.skel.rs` as the module `skeleton`.
#[macro_export]
macro_rules! include_skeleton {
    ($name:literal) => {
        #[expect(
            clippy::allow_attributes,
            clippy::allow_attributes_without_reason,
            clippy::undocumented_unsafe_blocks,
            clippy::unwrap_used,
            reason = "libbpf-cargo writes this file"
        )]
        mod skeleton {
            include!(concat!(env!("OUT_DIR"), "/", $name, ".skel.rs"));
        }
    };
}
