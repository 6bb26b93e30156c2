#!/bin/sh
# Fuzzes what the tool reads of strangers, one target after the other, with coverage:
#
#   xtask/fuzz/fuzz.sh                      each target for 10 minutes
#   xtask/fuzz/fuzz.sh 60 guest_frames ...  these for 60 seconds each
#   xtask/fuzz/fuzz.sh seeds                only what they begin with
#
# What they begin with is made from what is here already: logs of the gallery and of tests, objects
# that the lessons' build made, lines as a guest sends them. Needs cargo-fuzz:
#
#   cargo install cargo-fuzz --version 0.13.1 --locked
set -eu

cd "$(dirname "$0")/../.."
fuzz=xtask/fuzz
corpus=$fuzz/corpus
all="verifier_log verifier_cost log_reports cost_tables forbidden_calls loader_object
    guest_frames host_files verdict_reports"

# What is built is what learners run: numbers that overflow are a panic there.
export RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export CARGO_PROFILE_RELEASE_DEBUG=line-tables-only

# Copies files to a corpus under names that do not depend on where they were.
copy_into() {
    mkdir -p "$corpus/$1"
    while read -r file; do
        cp "$file" "$corpus/$1/seed-$(cksum < "$file" | tr ' ' -)"
    done
}

# A frame of a guest: its kind, its length as four bytes, its payload.
frame() {
    printf '%s%b%s' "$1" "\\0$(printf %o "${#2}")\\0000\\0000\\0000" "$2"
}

make_seeds() {
    for target in verifier_log verifier_cost log_reports cost_tables; do
        find xtask/bpf-verifier-log/tests/logs xtask/bpf-verifier-log/tests/inputs \
            xtask/bpf-verifier-log/tests/cost lessons/07-verifier-pitfalls/logs \
            -type f -size -32k | copy_into "$target"
    done
    for target in forbidden_calls loader_object host_files; do
        find target -name '*.bpf.o' -size -64k | copy_into "$target"
    done
    # Programs that aya-build linked, with debug information. Those of Linux are for host_files.
    find target/ebpf -path '*-unknown-none/release/deps/*' -type f -size +1k -size -64k \
        ! -name '*.d' ! -name '*.rlib' ! -name '*.rmeta' | copy_into forbidden_calls
    find .cache/kernels -name 'veth.ko' -o -name 'act_bpf.ko' | copy_into host_files
    mkdir -p "$corpus/guest_frames" "$corpus/verdict_reports"
    {
        frame N '{"Started":0}'
        frame 1 'a line'
        frame N '"WantsInput"'
        frame N '{"Observed":{"Ok":{"programs":[],"without_btf":1,"missed":0}}}'
        frame N '{"Ended":{"step":0,"outcome":{"Exited":0},"micros":42,"token":0}}'
        frame N '{"Started":1}'
        frame 2 'an error'
        frame N '{"Ended":{"step":1,"outcome":"TimedOut","micros":42,"token":0}}'
        frame N '{"LeftBehind":["a map"]}'
        frame N '{"KernelComplained":["a warning"]}'
        frame N '{"Finished":0}'
    } > "$corpus/guest_frames/seed-plan"
    cat > "$corpus/verdict_reports/seed-lines" <<'LINES'
{"programs":{"object":"a.o","programs":[{"program":"p","section":"xdp"}]}}
{"begin":{"object":"a.o","program":"p","phase":"load"}}
{"load":{"object":"a.o","program":"p","section":"xdp","library":"aya","result":{"failed":{"why":"x"}}}}
{"load":{"object":"a.o","program":"q","section":"tc","library":null,"result":{"rejected":{"error":"e","log":"0: (bf) r0 = r2\nR2 !read_ok\n"}}}}
{"load":{"object":"a.o","program":"r","section":"tc","library":"libbpf","result":{"accepted":{"instructions":2,"machine_code":null,"processed":2}},"attach":{"refused":{"missing":{"kind":"function","name":"f"},"error":"e"}},"notes":["n"]}}
{"end":{"object":"a.o"}}
LINES
}

make_seeds
if [ "${1:-}" = seeds ]; then
    exit
fi
seconds=${1:-600}
if [ $# -gt 1 ]; then
    shift
    all=$*
fi
for target in $all; do
    cargo fuzz run --sanitizer none --fuzz-dir "$fuzz" "$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=1500 \
        -malloc_limit_mb=512 -print_final_stats=1
done
