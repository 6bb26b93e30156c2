#!/bin/sh
# A #[btf_map] ring buffer of aya-ebpf with a type for its records makes the whole object unreadable for libbpf.
#
# Guess: #[btf_map] describes maps as C programs do; that is what it is for. libbpf opens such an object, whatever type the
# records have: a ring buffer has no values, so the type is a note for the compiler and for people.
#
# Seen: the description has the record's type as the type of a value, and 0 as the size of a value. libbpf takes the second
# for a contradiction of the first and opens nothing of the object. With RingBuf<(), 4096>, and the record's type at each
# call (output_untyped::<Event>), it opens. aya 0.14 opens both, so nobody notices before bpftool or libbpf is used.
#
# Who meets it: whoever writes the eBPF program with aya-ebpf, and wants bpftool, a skeleton, or a loader that is not aya.
#
# Versions: aya-ebpf 0.2.1, rustc 1.95 (LLVM 22), clang 1:22.1.8-1~deb12u1, bpftool 7.1.0+6.1 of Debian 12 (amd64).
# The same with bpf-linker 0.13 instead of clang, and with libbpf 1.5 and 1.7.
#
# Output:
#     RingBuf<Event, 4096>: libbpf: map 'EVENTS': conflicting value size 72 != 0.
#     RingBuf<(), 4096>: a skeleton is made
#
# Needs apt-get on amd64 Debian 12 or newer, and Rust 1.95 with its component rust-src. Nothing is loaded into the kernel.
# Exit code: 0 it is as stated, 1 it changed, 3 a package could not be had.
set -eu

version=1:22.1.8-1~deb12u1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# apt with its own lists and packages, and the mirrors of the machine's own apt.
mkdir -p etc lists/partial cache/archives/partial state root
sites=$(apt-get indextargets --no-release-info --format '$(SITE)' 'Created-By: Packages' | sort -u)
security=$(printf '%s\n' "$sites" | grep -m 1 'debian-security' || true)
main=$(printf '%s\n' "$sites" | grep -m 1 '/debian/*$' || true)
if [ -z "$security" ] || [ -z "$main" ]; then
    echo 'error: the machine'\''s apt configuration names no mirror of Debian and of its security updates' >&2
    exit 3
fi
key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
printf 'deb %s %s bookworm-security main\ndeb %s %s bookworm main\n' "$key" "$security" "$key" "$main" > etc/sources.list
own() {
    apt-get -qq -o Dir::Etc::sourcelist="$work/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$work/state" -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null \
        -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
own update && own download "clang-22=$version" "libclang-cpp22=$version" "libllvm22=$version" libz3-4 libedit2 \
    libbsd0 libmd0 libxml2 libicu72 libtinfo6 'bpftool=7.1.0+6.1*' libelf1 libcap2 zlib1g || exit 3
for package in *.deb; do
    dpkg-deb -x "$package" root
done
export LD_LIBRARY_PATH="$work/root/usr/lib/llvm-22/lib:$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu"

mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "ring"
version = "0.1.0"
edition = "2024"

[lib]
path = "src/lib.rs"

[dependencies]
aya-ebpf = "=0.2.1"

[profile.release]
debug = 2
codegen-units = 1
panic = "abort"
TOML

# Makes an object with one map, of this type, and one program; prints what bpftool says of it.
try() {
    cat > src/lib.rs <<RUST
#![no_std]

use aya_ebpf::{btf_maps::RingBuf, macros::btf_map};

#[repr(C)]
pub struct Event {
    pub bytes: [u8; 72],
}

#[btf_map]
static EVENTS: $1 = RingBuf::new();

#[unsafe(no_mangle)]
#[unsafe(link_section = "xdp")]
pub extern "C" fn pass() -> i32 {
    2
}
RUST
    LD_LIBRARY_PATH= CARGO_TARGET_DIR="$work/target" RUSTC_BOOTSTRAP=1 RUSTFLAGS='--cfg=bpf_target_arch="x86_64"' \
        cargo rustc --quiet --release --target bpfel-unknown-none -Z build-std=core -- --emit=obj || exit 3
    # For this target, rustc's objects are LLVM bitcode.
    cp target/bpfel-unknown-none/release/deps/ring-*.o ring.bc
    root/usr/lib/llvm-22/bin/clang -target bpf -O2 -Wno-override-module -c -x ir ring.bc -o ring.o
    if root/usr/sbin/bpftool gen skeleton ring.o > skeleton.h 2> said; then
        echo 'a skeleton is made'
    else
        grep -m 1 '^libbpf' said || true
    fi
}

typed=$(try 'RingBuf<Event, 4096>')
untyped=$(try 'RingBuf<(), 4096>')
echo "RingBuf<Event, 4096>: $typed"
echo "RingBuf<(), 4096>: $untyped"

[ "$typed" = "libbpf: map 'EVENTS': conflicting value size 72 != 0." ] || exit 1
[ "$untyped" = 'a skeleton is made' ] || exit 1
