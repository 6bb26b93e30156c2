#!/bin/sh
# Fuzzes what the tool reads of strangers, one target after the other, with coverage:
#
#   xtask/fuzz/fuzz.sh                      each target for 10 minutes
#   xtask/fuzz/fuzz.sh 60 guest_frames ...  these for 60 seconds each
#   xtask/fuzz/fuzz.sh seeds                only what they begin with
#   xtask/fuzz/fuzz.sh coverage             the lines that the inputs so far reach, by target
#
# XTASK_FUZZ_CORPUS is a directory for the inputs, in place of xtask/fuzz/corpus.
#
# What they begin with is made from what is here already: logs of the gallery and of tests, objects
# that the lessons' build made, lines as a guest sends them. Needs cargo-fuzz:
#
#   cargo install cargo-fuzz --version 0.13.1 --locked
#
# The coverage needs tools of the LLVM that rustc has, too: in Debian the package llvm-22. LLVM_BIN
# says where they are, if not in /usr/lib/llvm-22/bin.
set -eu

cd "$(dirname "$0")/../.."
fuzz=xtask/fuzz
corpus=${XTASK_FUZZ_CORPUS:-$fuzz/corpus}
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

# What a loader says of one program: its name, the result, and what came of attaching it.
load_line() {
    printf '{"load":{"object":"a.o","program":"%s","section":"s","library":"libbpf","result":%s,"attach":%s}}\n' \
        "$(printf %s "$1" | tr -d '"{}')" "$2" "$3"
}

# A frame of a guest: its kind, its length as four bytes, its payload.
frame() {
    printf '%s%b%s' "$1" "\\0$(printf %o "${#2}")\\0000\\0000\\0000" "$2"
}

# Plans that end in other ways than well: what a guest may say, in an order that it may not.
make_plans() {
    for news in '"Unpacked"' '"Removed"' '{"Awake":{"release":"6.12"}}' '{"Started":1}' \
        '{"Started":9}' '"WantsInput"' '{"Finished":0}' '{"Finished":7}' '{"LeftBehind":["a\u001b"]}' \
        '{"Observed":{"Err":"why"}}' '{"KernelComplained":["a","b"]}' \
        '{"Ready":{"version":1,"release":"r","not_loaded":["m"],"uptime":{"secs":1,"nanos":2}}}' \
        '{"Ended":{"step":0,"outcome":"Flooded","micros":1,"token":0}}' \
        '{"Ended":{"step":0,"outcome":"TimedOut","micros":1,"token":0}}' \
        '{"Ended":{"step":0,"outcome":{"Killed":9},"micros":1,"token":0}}' \
        '{"Ended":{"step":0,"outcome":{"NotStarted":"why"},"micros":1,"token":0}}' \
        '{"Ended":{"step":1,"outcome":{"Exited":0},"micros":1,"token":0}}' \
        '{"Ended":{"step":0,"outcome":{"Exited":0},"micros":1,"token":7}}'; do
        {
            frame N '{"Started":0}'
            frame 2 'x'
            frame N "$news"
            frame N '{"Ended":{"step":0,"outcome":{"Exited":0},"micros":42,"token":0}}'
            frame N '{"Started":1}'
            frame N "$news"
            frame N '{"Ended":{"step":1,"outcome":{"Exited":1},"micros":42,"token":0}}'
            frame N '{"Finished":0}'
        } > "$corpus/guest_frames/seed-plan-$(printf %s "$news" | cksum | tr ' ' -)"
    done
}

make_seeds() {
    for target in verifier_log verifier_cost log_reports cost_tables; do
        find xtask/bpf-verifier-log/tests/logs xtask/bpf-verifier-log/tests/inputs \
            xtask/bpf-verifier-log/tests/cost lessons/07-verifier-pitfalls/logs \
            -type f -size -32k | copy_into "$target"
    done
    # What `verify --json --cost` prints, and of that the costs as `explain --cost --json` does.
    verdicts=xtask/src/commands/verify/snapshots
    verdicts=$verdicts/xtask__commands__verify__tests__json_has_a_line_for_each_load.snap
    sed '1,/^---$/d; 1,/^---$/d' "$verdicts" > "$corpus/cost_tables/seed-verdicts"
    sed -n 's/.*"cost":\({.*}\),"verdict".*/{"version":1,"programs":[\1,\1]}/p' "$verdicts" \
        > "$corpus/cost_tables/seed-costs"
    for target in forbidden_calls loader_object host_files; do
        find target -name '*.bpf.o' -size -64k | copy_into "$target"
    done
    # Programs that aya-build linked, with debug information. Those of Linux are for host_files.
    find target/ebpf -path '*-unknown-none/release/deps/*' -type f -size +1k -size -64k \
        ! -name '*.d' ! -name '*.rlib' ! -name '*.rmeta' | copy_into forbidden_calls
    find .cache/kernels -name 'veth.ko' -o -name 'act_bpf.ko' | copy_into host_files
    # A bzImage as far as the host looks at it: a mark, where the release is, the release.
    {
        head -c 514 /dev/zero
        printf 'HdrS\0\0\0\0\0\0\0\0\0\1'
        head -c 240 /dev/zero
        printf '6.12.1-test (me@here) #1 SMP'
    } > "$corpus/host_files/seed-bzimage"
    head -c 65536 /bin/true > "$corpus/host_files/seed-program"
    printf '\177ELF, then Linux version 6.12.1-test (me@here) #1 SMP' > "$corpus/host_files/seed-vmlinux"
    mkdir -p "$corpus/guest_frames" "$corpus/verdict_reports"
    for line in 'Kernel panic - not syncing: x' 'Oops: 0000 [#1]' 'BUG: unable to handle' \
        'general protection fault, x' 'INFO: rcu detected stall' 'fine'; do
        printf '[    1.0] %s\r\n[    1.1] more\n' "$line"
    done > "$corpus/guest_frames/seed-console"
    make_plans
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
    {
        for attach in '"attached"' '"runs_on_demand"' '{"needs_target":{"what":"w"}}' \
            '{"not_tried":{"why":"w"}}' '{"refused":{"missing":null,"error":"e"}}'; do
            load_line "p-$attach" '{"accepted":{"instructions":2,"machine_code":9,"processed":7}}' \
                "$attach"
        done
        for kind in function traceable_function tracepoint raw_tracepoint lsm_hook program_type \
            attach_type program_flag map_type struct_ops module; do
            missing='{"kind":"'$kind'","name":"n"}'
            load_line "$kind" '{"failed":{"why":"w|`x``y","missing":'$missing'}}' null
            load_line "a-$kind" '{"accepted":{"instructions":null,"machine_code":null,"processed":null}}' \
                '{"refused":{"missing":'$missing',"error":"e"}}'
        done
        load_line '' '{"failed":{"why":"<b>\u001b[2J\n]]>&amp;"}}' null
    } > "$corpus/verdict_reports/seed-answers"
}

# The files that a target is about: what it reads with, not all that it is built of.
about() {
    log=xtask/bpf-verifier-log/src
    case $1 in
        verifier_log) echo $log/input $log/log $log/grammar $log/explain ;;
        verifier_cost) echo $log/cost ;;
        log_reports) echo $log/report ;;
        cost_tables)
            for name in comparison input table; do
                echo xtask/src/commands/explain/cost_$name.rs
            done
            ;;
        forbidden_calls) echo xtask/forbidden-calls/src ;;
        loader_object) echo xtask/object-loader/src/object_file.rs xtask/object-loader/src/origin.rs ;;
        guest_frames)
            echo xtask/plan/src/frame.rs xtask/testvm/src/plan_progress.rs xtask/testvm/src/console.rs
            ;;
        host_files)
            echo xtask/kernel/src/lib.rs xtask/src/commands/try_binary/binary.rs
            echo xtask/shared-libraries/src/lib.rs xtask/testvm/src/image/module_info.rs
            ;;
        verdict_reports)
            for name in junit kernel_result kernel_verdict markdown verdict_json; do
                echo xtask/src/commands/verify/$name.rs
            done
            echo xtask/src/pipeline/loader.rs xtask/src/pipeline/line_buffer.rs
            ;;
    esac
}

# Of a file that is in two crates, that counts which was run.
choose_lines='
    BEGIN { count = split(about, paths, " ") }
    NF < 10 || !/%/ { next }
    {
        for (i = 1; i <= count; i++) {
            at = index("/" $1, "/" paths[i])
            name = substr("/" $1, at + 1)
            if (at && (!(name in missed) || $9 + 0 < missed[name])) {
                lines[name] = $8
                missed[name] = $9 + 0
            }
        }
    }
    function show(name, lines, missed) {
        printf "%-58s %6d %6d %7.1f %%\n", name, lines, missed, 100 * (lines - missed) / lines
    }
    END {
        for (name in lines) {
            if (lines[name] > 0) {
                show("  " name, lines[name], missed[name])
                all_lines += lines[name]
                all_missed += missed[name]
            }
        }
        if (all_lines > 0) show(target, all_lines, all_missed)
    }
'

# Prints for each file of each target: lines, those not reached, and the share that was reached.
show_coverage() {
    tools=${LLVM_BIN:-/usr/lib/llvm-22/bin}
    triple=$(rustc -vV | sed -n 's/^host: //p')
    for target in $all; do
        cargo fuzz coverage --dev --sanitizer none --fuzz-dir "$fuzz" --llvm-path "$tools" \
            "$target" "$corpus/$target" > "$fuzz/coverage/$target.log" 2>&1
        "$tools/llvm-cov" report "target/$triple/coverage/$triple/debug/$target" \
            -instr-profile="$fuzz/coverage/$target/coverage.profdata" |
            awk -v target="$target" -v about="$(about "$target" | tr '\n' ' ')" "$choose_lines"
    done
}

make_seeds
if [ "${1:-}" = seeds ]; then
    exit
fi
if [ "${1:-}" = coverage ]; then
    shift
    [ $# -eq 0 ] || all=$*
    mkdir -p "$fuzz/coverage"
    show_coverage
    exit
fi
seconds=${1:-600}
if [ $# -gt 1 ]; then
    shift
    all=$*
fi
for target in $all; do
    cargo fuzz run --sanitizer none --fuzz-dir "$fuzz" "$target" "$corpus/$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=1500 \
        -malloc_limit_mb=512 -print_final_stats=1
done
