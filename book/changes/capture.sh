#!/bin/sh
# Makes the messages of the book's page "What changed": what today's releases say about code for older ones.
#
#   book/changes/capture.sh          prints the differences to book/changes/messages; exit code 1 if there are any
#   book/changes/capture.sh --write  writes the files again
#   ... cargo aya                    only these parts
#
# `old/` has code as tutorials have it. Each file is compiled with a release that accepts it, where one is known, and with
# the release that the course uses. What the second says is kept, under a heading with the name of the file.
#
# It runs outside CI: it compiles releases that the course does not depend on. It needs this checkout (for the kernels),
# apt-get on amd64 Debian 12, Rust 1.95 with rust-src, clang-22, and bpf-linker on PATH. Five minutes on two idle cores.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/messages"
# With CARGO_TARGET_DIR, a second run compiles less.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$work/target}" CARGO_TERM_COLOR=never
# That of the course, outside of its directory too.
export RUSTUP_TOOLCHAIN="${RUSTUP_TOOLCHAIN:-1.95.0}"

# crate NAME EDITION OLD-FORMS DEPENDENCY...: a crate with each of the old forms as a binary.
crate() {
    directory=$work/$1
    edition=$2
    forms=$here/old/$3
    mkdir -p "$directory/src/bin"
    cp "$forms"/*.rs "$directory/src/bin"
    shift 3
    {
        printf '[package]\nname = "old"\nversion = "0.1.0"\nedition = "%s"\nresolver = "3"\n' "$edition"
        printf '[profile.release]\ndebug = 2\ncodegen-units = 1\npanic = "abort"\n[dependencies]\n'
        printf '%s\n' "$@"
    } > "$directory/Cargo.toml"
}

# Without paths and numbers of this machine.
shorten() {
    sed -e 's|/[^ ]*/registry/src/[^/]*/||' -e "s|$work/||g" -e "s|/[^ ]*/build/[^/]*/out/|OUT_DIR/|" \
        -e 's|0x[0-9a-f]\{6,\}|0x0|g' -e '/^error: could not compile/d' -e '/^warning: `old`/d' \
        -e '/^For more information about/d' -e '/^Some errors have detailed/d' -e '/^$/d' -e 's/[[:space:]]*$//'
}

# check CRATE FORM ARGUMENT...: what cargo says about one old form.
check() {
    directory=$work/$1
    form=$2
    shift 2
    (cd "$directory" && cargo check --quiet --bin "$form" "$@" 2>&1 || true) | shorten
}

# compare FORMS OLD-CRATE NEW-CRATE "OLD RELEASE" "NEW RELEASE" ARGUMENT...
compare() {
    forms=$here/old/$1 old=$2 new=$3 old_release=$4 new_release=$5
    shift 5
    for file in "$forms"/*.rs; do
        form=$(basename "$file" .rs)
        # What neither release of the registry accepts is older than both.
        accepted="$old_release accepts it"
        if check "$old" "$form" "$@" | grep -q '^error'; then
            accepted="$old_release refuses it too"
        fi
        printf '=== %s: %s (%s)\n' "$form" "$new_release" "$accepted"
        check "$new" "$form" "$@"
        echo
    done
}

capture_cargo() {
    crate too-new 2021 aya 'aya = "=0.16.0"'
    sed -i '/resolver/d' "$work/too-new/Cargo.toml"
    echo '=== aya = "=0.16.0", Rust 1.95'
    check too-new xdp-flags
    crate mixed 2021 aya-ebpf 'aya-ebpf = "=0.2.1"'
    sed -i '/resolver/d' "$work/mixed/Cargo.toml"
    printf '\n=== aya-ebpf = "=0.2.1" in a crate of edition 2021, Rust 1.95\n'
    check mixed bpf-context
    crate yanked 2021 aya 'aya-log-ebpf = "=0.1.1"'
    printf '\n=== aya-log-ebpf = "=0.1.1"\n'
    check yanked xdp-flags
    crate bpf-crate 2021 aya 'aya-bpf = "0.1"'
    printf '\n=== aya-bpf = "0.1"\n'
    check bpf-crate xdp-flags
    crate tokio 2021 aya 'aya = { version = "=0.14.0", features = ["async_tokio"] }'
    printf '\n=== aya = { version = "=0.14.0", features = ["async_tokio"] }\n'
    check tokio xdp-flags
    crate novendor 2021 libbpf-rs 'libbpf-rs = { version = "=0.27.2", features = ["novendor"] }'
    printf '\n=== libbpf-rs = { version = "=0.27.2", features = ["novendor"] }\n'
    check novendor lookup
}

capture_aya() {
    crate aya-old 2021 aya 'anyhow = "1"' 'aya = { version = "=0.13.1", features = ["async_tokio"] }' 'aya-log = "=0.2.1"'
    crate aya-new 2021 aya 'anyhow = "1"' 'aya = "=0.14.0"' 'aya-log = "=0.3.0"'
    compare aya aya-old aya-new 'aya 0.13.1 with aya-log 0.2.1' 'aya 0.14.0 with aya-log 0.3.0'
}

capture_aya_ebpf() {
    crate ebpf-old 2021 aya-ebpf 'aya-ebpf = "=0.1.1"' 'aya-log-ebpf = "=0.1.0"'
    crate ebpf-new 2021 aya-ebpf 'aya-ebpf = "=0.2.1"' 'aya-log-ebpf = "=0.2.0"'
    export RUSTC_BOOTSTRAP=1 RUSTFLAGS='--cfg=bpf_target_arch="x86_64"'
    compare aya-ebpf ebpf-old ebpf-new 'aya-ebpf 0.1.1' 'aya-ebpf 0.2.1' \
        --release --target bpfel-unknown-none -Z build-std=core
    unset RUSTC_BOOTSTRAP RUSTFLAGS
}

capture_libbpf_rs() {
    for version in 0.23.3 0.27.2; do
        crate "libbpf-$version" 2021 libbpf-rs 'anyhow = "1"' "libbpf-rs = \"=$version\"" '[build-dependencies]' \
            "libbpf-cargo = \"=$version\""
        cp "$here"/old/libbpf-rs/skeleton/* "$work/libbpf-$version/"
    done
    compare libbpf-rs libbpf-0.23.3 libbpf-0.27.2 'libbpf-rs 0.23.3' 'libbpf-rs 0.27.2'
}

# clang 14 to 19, libbpf's headers and bpftool of Debian 12, unpacked and not installed.
unpack_debian() {
    cp "$here"/old/c/*.bpf.c "$work/"
    mkdir "$work/packages" "$work/root"
    (cd "$work/packages" && for version in 14 16 19; do
        apt-get -qq download "clang-$version" "libclang-cpp$version" "libllvm$version" "libclang-common-$version-dev"
    done && apt-get -qq download libbpf-dev libbpf1 bpftool) 2> "$work/apt"
    for package in "$work"/packages/*.deb; do
        dpkg-deb -x "$package" "$work/root"
    done
}

# clang VERSION FORM ARGUMENT...: compiles it to FORM.o in the current directory.
clang_of() {
    version=$1
    form=$2
    shift 2
    libraries=$work/root/usr/lib/llvm-$version/lib:$work/root/usr/lib/x86_64-linux-gnu
    program=$work/root/usr/lib/llvm-$version/bin/clang
    if [ "$version" = 22 ]; then
        libraries=
        program=clang-22
    fi
    LD_LIBRARY_PATH=$libraries "$program" -target bpf -O2 "-I$work/root/usr/include" \
        -I/usr/include/x86_64-linux-gnu "$@" -c "$form.bpf.c" -o "$form.o" 2>&1 | head -4 | shorten
}

capture_clang() {
    for form in atomic signed-division; do
        for version in 14 16 19 22; do
            for cpu in v1 v2 v3 v4; do
                printf '=== %s: clang %s -mcpu=%s\n' "$form" "$version" "$cpu"
                said=$(clang_of "$version" "$form" -g "-mcpu=$cpu")
                printf '%s\n\n' "${said:-compiles}"
            done
        done
    done
    for form in no-map-def old-include; do
        printf '=== %s: clang 22\n' "$form"
        clang_of 22 "$form" -g
        echo
    done
    printf '=== atomic: clang 22 without -I/usr/include/x86_64-linux-gnu\n'
    clang-22 -target bpf -O2 "-I$work/root/usr/include" -c atomic.bpf.c -o atomic.o 2>&1 | head -4 | shorten
}

capture_libbpf() {
    for form in legacy-map no-debug-info; do
        printf '=== %s: bpftool gen skeleton, libbpf 1.1\n' "$form"
        debug=-g
        if [ "$form" = no-debug-info ]; then debug=-g0; fi
        clang_of 22 "$form" "$debug"
        "$work/root/usr/sbin/bpftool" gen skeleton "$form.o" 2>&1 > skeleton.h | shorten
        echo
    done
}

# Objects of other toolchains on three of the course's kernels.
capture_kernels() {
    export CARGO_PROFILE_DEV_PANIC=unwind
    clang_of 22 old-section -g
    clang_of 22 legacy-map -g
    clang_of 14 atomic -g -mcpu=v2
    mv atomic.o atomic-clang-14.o
    clang_of 22 signed-division -g -mcpu=v4
    mv signed-division.o signed-division-v4.o
    for object in old-section legacy-map atomic-clang-14 signed-division-v4; do
        printf '=== %s: cargo xtask verify\n' "$object"
        (cd "$here" && env -u CARGO_TARGET_DIR cargo xtask verify --kernel 5.10,6.1,6.12 "$work/$object.o" 2> "$work/verify" \
            || true) | sed '/ is rejected on Linux /,$d' | shorten
        echo
    done
}

# A program that logs, of an old and a new aya-log-ebpf, with the new aya-log.
capture_log() {
    crate ebpf-old 2021 log 'aya-ebpf = "=0.1.1"' 'aya-log-ebpf = "=0.1.0"'
    crate ebpf-new 2021 log 'aya-ebpf = "=0.2.1"' 'aya-log-ebpf = "=0.2.0"'
    for release in old new; do
        directory=$work/ebpf-$release
        rm "$directory/src/bin/loader.rs"
        (cd "$directory" && RUSTC_BOOTSTRAP=1 \
            RUSTFLAGS='--cfg=bpf_target_arch="x86_64" -C debuginfo=2 -C link-arg=--btf' cargo build --quiet --release \
            --target bpfel-unknown-none -Z build-std=core --bin seen)
        cp "$CARGO_TARGET_DIR/bpfel-unknown-none/release/seen" "$work/$release.bpf.o"
    done
    crate loader 2021 log 'anyhow = "1"' 'aya = "=0.14.0"' 'aya-log = "=0.3.0"' 'log = { version = "0.4", features = ["std"] }'
    rm "$work/loader/src/bin/seen.rs"
    (cd "$work/loader" && cargo build --quiet)
    cp "$CARGO_TARGET_DIR/debug/loader" "$work/load"
    for release in old new; do
        for logger in kept dropped; do
            printf '=== %s aya-log-ebpf, aya-log 0.3.0, the logger is %s: Linux 6.12\n' "$release" "$logger"
            (cd "$here" && env -u CARGO_TARGET_DIR cargo xtask try --kernel 6.12 --file "$work/$release.bpf.o" \
                "$work/load" "$work/$release.bpf.o" "$logger" 2> "$work/try" || true) | grep -v '^verif\|^stack\|^processed' \
                | sed -e 's/fd [0-9]* is/fd 4 is/' -e 's/process [0-9]* by/process 1234 by/' | shorten
            echo
        done
    done
}

write=
if [ "${1:-}" = --write ]; then
    write=yes
    shift
fi
[ $# -gt 0 ] || set -- cargo aya aya_ebpf libbpf_rs clang libbpf kernels log
unpack_debian
cd "$work"
changed=0
for part in "$@"; do
    echo "$part ..." >&2
    (set +e; "capture_$part") > "$work/messages/$part.txt"
    if [ "$write" ]; then
        mkdir -p "$here/messages"
        cp "$work/messages/$part.txt" "$here/messages/"
    else
        diff -u "$here/messages/$part.txt" "$work/messages/$part.txt" || changed=1
    fi
done
exit "$changed"
