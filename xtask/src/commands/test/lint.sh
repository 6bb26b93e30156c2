#!/usr/bin/env bash
# Stands in for rustc while cargo builds: Clippy reads a crate of the workspace, and no machine code
# is made of it.
#
# `cargo clippy` has all that the workspace is built upon checked once more, although the tests need
# the same crates compiled. With this, Clippy reads what was compiled for them.
#
# Cargo calls it as RUSTC_WORKSPACE_WRAPPER, with rustc and its arguments. A plain sh may lose
# variables with a hyphen in their names, such as CARGO_BIN_EXE_bpf-explain.
set -eu

rustc=$1
shift
clippy=${rustc%rustc}clippy-driver

name='' kind=bin directory='' extra='' previous=''
for argument in "$@"; do
    case $previous in
    --crate-name) name=$argument ;;
    --crate-type) kind=$argument ;;
    --out-dir) directory=$argument ;;
    esac
    case $argument in
    extra-filename=*) extra=${argument#*=} ;;
    esac
    previous=$argument
done

# Without a directory, it is a question about rustc. Build scripts run, so they and what only they
# use are compiled.
[ -n "$directory" ] || exec "$clippy" "$rustc" "$@"
case $name in
build_script_* | lesson_build) exec "$clippy" "$rustc" "$@" --deny warnings ;;
esac

for argument in "$@"; do
    shift
    case $argument in
    --emit=*) argument=--emit=dep-info,metadata ;;
    # What was read only has the one file.
    *=*.rlib)
        file=${argument#*=}
        [ ! -s "${file%.rlib}.rmeta" ] || argument=${argument%.rlib}.rmeta
        ;;
    esac
    set -- "$@" "$argument"
done
"$clippy" "$rustc" "$@" --deny warnings

# Without the file that it wants, or with one of an earlier call, cargo would come again.
case $kind in
lib | rlib) file=lib$name$extra.rlib ;;
cdylib) file=lib$name.so ;;
*) file=$name$extra ;;
esac
touch "$directory/$file"
