//! Lets this program stand between libbpf and two of libbpf's own functions; `shared_types` says
//! why.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for function in ["btf__load_vmlinux_btf", "btf__free"] {
        println!("cargo:rustc-link-arg-bins=-Wl,--wrap={function}");
    }
}
