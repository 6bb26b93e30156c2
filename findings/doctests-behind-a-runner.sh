#!/bin/sh
# With a runner configured, `cargo test` can exit with 0 although one doctest failed and most were never run.
#
# Guess: target.TRIPLE.runner starts the programs of tests in another way, as in a VM. Each doctest is still a test of its
# own, in a process of its own: one that ends with std::process::exit(0) passes, and one that fails makes cargo fail.
#
# Seen: from edition 2024 on, rustdoc merges the doctests into one program, which starts itself again for each of them. It
# is told where it lies by a variable of the environment, and rustdoc sets this variable only if there is no runner. With a
# runner, be it `env`, which passes everything on, the program says "No rustdoc doctest environment variable provided so
# doctests will be run in the same process", and does that. The first doctest that calls exit(0) ends all of them, and
# cargo reports no failure. Other things that a process has one of are shared too: statics, the working directory, the
# limits. A doctest marked `standalone_crate`, and every doctest of edition 2021, has its own process as before.
#
# Who meets it: whoever has a runner in .cargo/config.toml (sudo, a VM, an emulator, a board) and doctests that show how
# a program ends. No --target is needed: a runner for the host's own triple is taken too.
#
# Versions: cargo and rustdoc 1.95.0 on x86-64 Linux.
#
# Output:
#     edition 2024, no runner: 1 passed; 1 failed; cargo exits with 101
#     edition 2024, runner env: no result; cargo exits with 0
#     edition 2021, runner env: 1 passed; 1 failed; cargo exits with 101
#
# Needs rustup with Rust 1.95.0. Exit code: 0 it is as stated, 1 it changed, 3 that version is not there.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

case $(rustup run 1.95.0 rustdoc --version 2> /dev/null || rustdoc --version 2> /dev/null) in
    'rustdoc 1.95.0 '*) ;;
    *)
        echo 'error: Rust 1.95.0 is not installed; type: rustup toolchain install 1.95.0' >&2
        exit 3
        ;;
esac
toolchain=$(rustup run 1.95.0 rustc --print sysroot 2> /dev/null || rustc --print sysroot)
triple=$("$toolchain/bin/rustc" -vV | sed -n 's/^host: //p')

mkdir src .cargo
cat > src/lib.rs <<'RUST'
//! ```
//! std::process::exit(0);
//! ```
//!
//! ```
//! assert_eq!(1 + 1, 3);
//! ```
RUST

# try EDITION [RUNNER]: runs the two doctests, and says what came of it.
try() {
    printf '[package]\nname = "documented"\nversion = "0.0.0"\nedition = "%s"\n' "$1" > Cargo.toml
    : > .cargo/config.toml
    [ -z "${2-}" ] || printf '[target.%s]\nrunner = ["%s"]\n' "$triple" "$2" > .cargo/config.toml
    code=0
    env -u RUSTFLAGS -u RUSTDOCFLAGS CARGO_TARGET_DIR="$work/target" PATH="$toolchain/bin:$PATH" \
        cargo test --doc --offline -- --test-threads=1 > out 2> err || code=$?
    result=$(sed -n 's/^test result: FAILED\. \(.* failed;\).*/\1/p' out)
    echo "edition $1, ${2:+runner }${2:-no runner}: ${result:-no result;} cargo exits with $code"
}

{
    try 2024
    try 2024 env
    try 2021 env
} > seen
cat seen
cat > stated <<'TEXT'
edition 2024, no runner: 1 passed; 1 failed; cargo exits with 101
edition 2024, runner env: no result; cargo exits with 0
edition 2021, runner env: 1 passed; 1 failed; cargo exits with 101
TEXT
cmp -s seen stated
