#!/bin/sh
# With an empty RUSTC_WORKSPACE_WRAPPER, cargo 1.95 builds a package again, and starts rustc five times at each build after.
#
# Guess: an empty RUSTC_WORKSPACE_WRAPPER is as none, but wins over one that a configuration file names. A build with
# nothing to do starts no rustc: cargo keeps what it has asked rustc (its version, its targets) in .rustc_info.json.
#
# Seen: no program is started in front of rustc, so as a wrapper it is as none. But cargo takes it for a wrapper without a
# name. It looks for the time of the file of that name, finds none, and therefore neither reads nor writes what it knows of
# rustc: "failed to calculate rustc fingerprint: failed to load metadata for path ``" with CARGO_LOG=cargo::util::rustc. A
# build with nothing to do starts rustc five times. And the packages of the workspace are others than without the variable:
# who switches between the two builds them again each time.
#
# Who meets it: whoever starts cargo from a program and cleans its environment, or empties the variable in one shell.
#
# Versions: cargo and rustc 1.95.0 on x86-64 Linux.
#
# Output:
#     no wrapper: rustc was started 0 times, the package is fresh
#     empty wrapper, first build: rustc was started 6 times
#     empty wrapper, nothing to do: rustc was started 5 times
#
# Needs rustup with Rust 1.95.0. Exit code: 0 it is as stated, 1 it changed, 3 that version is not there.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

case $(rustup run 1.95.0 rustc --version 2> /dev/null || rustc --version 2> /dev/null) in
    'rustc 1.95.0 '*) ;;
    *)
        echo 'error: Rust 1.95.0 is not installed; type: rustup toolchain install 1.95.0' >&2
        exit 3
        ;;
esac
toolchain=$(rustup run 1.95.0 rustc --print sysroot 2> /dev/null || rustc --print sysroot)

mkdir src
printf '[package]\nname = "small"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n' > Cargo.toml
echo 'fn main() {}' > src/main.rs
# A compiler that counts how often it is started.
printf '#!/bin/sh\necho >> "%s/started"\nexec "%s/bin/rustc" "$@"\n' "$work" "$toolchain" > counting
chmod +x counting

# build [VARIABLE=VALUE]: how often rustc was started.
build() {
    : > started
    env -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER -u CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER -u RUSTFLAGS \
        CARGO_HOME="$work/home" CARGO_TARGET_DIR="$work/target" RUSTC="$work/counting" "$@" \
        "$toolchain/bin/cargo" build --quiet --offline
    wc -l < started
}

build > /dev/null
none=$(build)
first=$(build RUSTC_WORKSPACE_WRAPPER=)
again=$(build RUSTC_WORKSPACE_WRAPPER=)
echo "no wrapper: rustc was started $none times, the package is fresh"
echo "empty wrapper, first build: rustc was started $first times"
echo "empty wrapper, nothing to do: rustc was started $again times"
[ "$none" -eq 0 ] && [ "$first" -eq 6 ] && [ "$again" -eq 5 ]
