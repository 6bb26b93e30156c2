//! Build script of the eBPF programs: `cargo build` in their directories would end in a page of
//! linker errors. `cargo check`, which editors run, works.

fn main() {
    println!("cargo::rerun-if-changed=../../common/kernel_only.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("bpf") {
        // The compiler that links shows it as the name of a file that is not there.
        let help = "an eBPF program is built with its lesson: cargo xtask run LESSON";
        println!("cargo::rustc-link-arg-bins={help}");
    }
}
