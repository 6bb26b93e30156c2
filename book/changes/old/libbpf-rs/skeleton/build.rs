use libbpf_cargo::SkeletonBuilder;

fn main() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap()).join("opens.skel.rs");
    SkeletonBuilder::new()
        .source("opens.bpf.c")
        .clang("clang-22")
        .clang_args(["-I/usr/include/x86_64-linux-gnu"])
        .build_and_generate(&out)
        .unwrap();
}
