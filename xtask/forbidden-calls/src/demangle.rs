//! Names of functions, as the source has them.

/// `core::panicking::panic_bounds_check`; what is no Rust name stays as it is.
pub fn demangle_name(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
