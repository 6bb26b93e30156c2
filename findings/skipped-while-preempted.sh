#!/bin/sh
# An attached program is not called while another thread of its CPU is preempted in a map operation, or in the program.
#
# Guess: a program on a tracepoint or a kprobe runs each time. Only an event that happens while a program of its kind runs
# on the same CPU is skipped, as where a kprobe's program would call the function that it probes. In a system call,
# nothing like that can be running.
#
# Seen: it need not be running; it is enough that it was begun. Two ordinary threads on one CPU, no real-time priority:
#   - Linux 6.18, and 7.3 for a kprobe: while the other thread was preempted in bpf(BPF_MAP_UPDATE_ELEM), of any map, the
#     CPU's bpf_prog_active is not 0, and no program of a kprobe or tracepoint runs there.
#   - Linux 7.3, the tracepoint of a system call: since 7.2 its program can be preempted itself (trace_call_bpf_faultable).
#     While it waits for its turn, the same program is skipped for all other threads of that CPU.
# About one call of 1000 is missed. The kernel counts each of them in the program's recursion_misses, which
# `bpftool prog show` prints. Debian's 6.12 misses none: it does not preempt what runs in the kernel (preempt=voluntary),
# while 6.18 and 7.3 do (CONFIG_PREEMPT_LAZY).
#
# Who meets it: whoever counts events exactly, or pairs entries with returns, while a user-space program reads maps on the
# same machine. A pair whose first half was skipped finds no entry in its map.
#
# Versions: Linux 6.12.117-1, 6.18.15-1~bpo13+1 and 7.3.4-1~bpo13+1 (cloud, amd64) of Debian; QEMU 1:7.2+dfsg-7+deb12u18.
#
# Output:
#     6.12.117+deb13-cloud-amd64
#         tracepoint, another thread makes the same call: sees all calls
#         tracepoint, another thread changes a map: sees all calls
#         kprobe, another thread makes the same call: sees all calls
#         kprobe, another thread changes a map: sees all calls
#     6.18.15+deb13-cloud-amd64
#         tracepoint, another thread makes the same call: sees all calls
#         tracepoint, another thread changes a map: misses some, and the kernel knows
#         kprobe, another thread makes the same call: sees all calls
#         kprobe, another thread changes a map: misses some, and the kernel knows
#     7.3.4+deb13-cloud-amd64
#         tracepoint, another thread makes the same call: misses some, and the kernel knows
#         tracepoint, another thread changes a map: sees all calls
#         kprobe, another thread makes the same call: sees all calls
#         kprobe, another thread changes a map: misses some, and the kernel knows
#
# Needs apt-get on amd64 Debian 12 or newer, and a C compiler with a static C library (gcc, libc6-dev). It takes some
# minutes. Exit code: 0 it is as stated, 1 it changed, 3 a package could not be had.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# apt with its own lists and packages, and the mirror of the machine's own apt.
sites=$(apt-get indextargets --no-release-info --format '$(SITE)' 'Created-By: Packages' | sort -u)
mirror=$(printf '%s\n' "$sites" | grep -m 1 '/debian/*$' || true)
security=$(printf '%s\n' "$sites" | grep -m 1 'debian-security' || true)
if [ -z "$mirror" ] || [ -z "$security" ]; then
    echo 'error: the machine'\''s apt configuration names no mirror of Debian and of its security updates' >&2
    exit 3
fi
key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'

# fetch DIRECTORY SUITE... -- ACTION PACKAGE...: packages of these suites, unpacked into DIRECTORY/root. The action is
# `install` for these and what they need, `download` for these alone.
fetch() {
    directory=$work/$1
    shift
    mkdir -p "$directory/lists/partial" "$directory/archives/partial" "$directory/state" "$directory/root"
    : > "$directory/status"
    : > "$directory/sources.list"
    while [ "$1" != -- ]; do
        case $1 in
            *-security) site=$security ;;
            *) site=$mirror ;;
        esac
        printf 'deb %s %s %s main\n' "$key" "$site" "$1" >> "$directory/sources.list"
        shift
    done
    shift
    own "$directory" update
    case $1 in
        install)
            shift
            own "$directory" install --download-only --no-install-recommends "$@"
            ;;
        *) (cd "$directory/archives" && own "$directory" "$@") ;;
    esac
    for package in "$directory"/archives/*.deb; do
        dpkg-deb -x "$package" "$directory/root"
    done
}
own() {
    directory=$1
    shift
    apt-get -qq -y -o Dir::Etc::sourcelist="$directory/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$directory/state" -o Dir::State::lists="$directory/lists" \
        -o Dir::State::status="$directory/status" -o Dir::Cache="$directory" -o Dir::Cache::archives="$directory/archives" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User=root "$@" > /dev/null || exit 3
}
fetch qemu bookworm bookworm-security -- install qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 busybox-static
fetch kernel trixie trixie-backports -- download linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1 \
    'linux-image-6.18.15+deb13-cloud-amd64=6.18.15-1~bpo13+1' 'linux-binary-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1'

# One thread makes system calls, now and then; another one of the same CPU works without a pause. The calls that a program
# saw are compared with those that were made.
cat > skipped.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* So many, or less if one was missed. */
#define CALLS 10000

static int bpf(int command, union bpf_attr *attr)
{
    return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int new_array(void)
{
    union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 2 };
    return bpf(BPF_MAP_CREATE, &attr);
}

static uint64_t get(int map, uint32_t index)
{
    uint64_t value = 0;
    union bpf_attr attr = { .map_fd = map, .key = (uintptr_t)&index, .value = (uintptr_t)&value };
    bpf(BPF_MAP_LOOKUP_ELEM, &attr);
    return value;
}

static void set(int map, uint32_t index, uint64_t value)
{
    union bpf_attr attr = { .map_fd = map, .key = (uintptr_t)&index, .value = (uintptr_t)&value };
    bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int number_in(const char *path)
{
    char text[16] = "";
    int file = open(path, O_RDONLY);
    if (file < 0 || read(file, text, sizeof(text) - 1) <= 0) { perror(path); exit(1); }
    close(file);
    return atoi(text);
}

/* Index 0: how often the thread at index 1 was seen. The other map is for the other thread's operations. */
static int seen, others;
static atomic_int ends, map_operations;
static uint64_t made;

/* Counts the calls of one thread in `seen`. */
static int load(int type)
{
    struct bpf_insn program[] = {
        { .code = 0x85, .imm = 14 },                                          /* r0 = get_current_pid_tgid() */
        { .code = 0xbf, .dst_reg = 6, .src_reg = 0 },
        { .code = 0x67, .dst_reg = 6, .imm = 32 },
        { .code = 0x77, .dst_reg = 6, .imm = 32 },                            /* r6 = the thread */
        { .code = 0x62, .dst_reg = 10, .off = -4, .imm = 1 },
        { .code = 0x18, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = seen }, { 0 },
        { .code = 0xbf, .dst_reg = 2, .src_reg = 10 },
        { .code = 0x07, .dst_reg = 2, .imm = -4 },
        { .code = 0x85, .imm = 1 },                                           /* r0 = &seen[1] */
        { .code = 0x15, .dst_reg = 0, .off = 11 },
        { .code = 0x79, .dst_reg = 1, .src_reg = 0 },
        { .code = 0x5d, .dst_reg = 1, .src_reg = 6, .off = 9 },               /* another thread */
        { .code = 0x62, .dst_reg = 10, .off = -4, .imm = 0 },
        { .code = 0x18, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = seen }, { 0 },
        { .code = 0xbf, .dst_reg = 2, .src_reg = 10 },
        { .code = 0x07, .dst_reg = 2, .imm = -4 },
        { .code = 0x85, .imm = 1 },                                           /* r0 = &seen[0] */
        { .code = 0x15, .dst_reg = 0, .off = 2 },
        { .code = 0xb7, .dst_reg = 1, .imm = 1 },
        { .code = 0xdb, .dst_reg = 0, .src_reg = 1 },                         /* atomically, one more */
        { .code = 0xb7, .dst_reg = 0, .imm = 0 },
        { .code = 0x95 },
    };
    union bpf_attr attr = { .prog_type = type, .insns = (uintptr_t)program, .license = (uintptr_t)"GPL",
                            .insn_cnt = sizeof(program) / sizeof(*program) };
    int loaded = bpf(BPF_PROG_LOAD, &attr);
    if (loaded < 0) { perror("load"); exit(1); }
    return loaded;
}

static void stay_on_one_cpu(void)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void *other(void *nothing)
{
    stay_on_one_cpu();
    while (!ends) {
        if (map_operations) set(others, 0, 1);
        else syscall(SYS_getppid);
    }
    return nothing;
}

static void *caller(void *nothing)
{
    stay_on_one_cpu();
    set(seen, 0, 0);
    set(seen, 1, gettid());
    for (made = 0; made < CALLS && (made % 100 || get(seen, 0) == made); made++) {
        struct timespec pause = { .tv_nsec = 50000 + made * 7919 % 100000 };
        nanosleep(&pause, NULL);
        syscall(SYS_getppid);
    }
    return nothing;
}

static void run(const char *hook, int program, struct perf_event_attr *event)
{
    event->size = sizeof(*event);
    int attached = syscall(SYS_perf_event_open, event, -1, 0, -1, 0);
    if (attached < 0 || ioctl(attached, PERF_EVENT_IOC_SET_BPF, program)) { perror(hook); exit(1); }
    ioctl(attached, PERF_EVENT_IOC_ENABLE, 0);
    uint64_t before = 0;
    for (int number = 0; number < 2; number++) {
        map_operations = number;
        ends = 0;
        pthread_t threads[2];
        pthread_create(&threads[0], NULL, other, NULL);
        pthread_create(&threads[1], NULL, caller, NULL);
        pthread_join(threads[1], NULL);
        ends = 1;
        pthread_join(threads[0], NULL);
        struct bpf_prog_info info = { 0 };
        union bpf_attr attr = { .info = { .bpf_fd = program, .info_len = sizeof(info), .info = (uintptr_t)&info } };
        bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
        uint64_t missed = made - get(seen, 0), counted = info.recursion_misses - before;
        before = info.recursion_misses;
        printf("SEEN     %s, another thread %s: %s\n", hook, number ? "changes a map" : "makes the same call",
               missed == 0 ? "sees all calls" : counted < missed ? "misses some" : "misses some, and the kernel knows");
    }
    close(attached);
}

int main(void)
{
    seen = new_array();
    others = new_array();
    struct perf_event_attr tracepoint = {
        .type = PERF_TYPE_TRACEPOINT,
        .config = number_in("/sys/kernel/tracing/events/syscalls/sys_enter_getppid/id"),
    };
    run("tracepoint", load(BPF_PROG_TYPE_TRACEPOINT), &tracepoint);
    struct perf_event_attr kprobe = {
        .type = number_in("/sys/bus/event_source/devices/kprobe/type"),
        .config1 = (uintptr_t)"__x64_sys_getppid",
    };
    run("kprobe", load(BPF_PROG_TYPE_KPROBE), &kprobe);
}
C
mkdir -p guest/bin
cc -O1 -static -pthread -o guest/skipped skipped.c

# The guest: busybox, and that program.
cp qemu/root/bin/busybox guest/bin/
cat > guest/init <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tracefs tracefs /sys/kernel/tracing
echo "SEEN $(uname -r)"
/skipped
poweroff -f
SH
chmod +x guest/init
(cd guest && find . | "$work/qemu/root/bin/busybox" cpio -o -H newc 2> /dev/null) > initramfs

root=$work/qemu/root
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/pulseaudio
loader=$(find "$root" -name ld-linux-x86-64.so.2 -type f | head -n 1)
for release in 6.12.117+deb13-cloud-amd64 6.18.15+deb13-cloud-amd64 7.3.4+deb13-cloud-amd64; do
    QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" timeout 600 "$loader" --library-path "$libraries" \
        "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
        -machine q35 -accel tcg,thread=single -m 1024 -nodefaults -no-user-config -display none -serial stdio \
        -kernel "$(find kernel/root -name 'vmlinuz*' -path "*$release*")" -initrd initramfs \
        -append 'console=ttyS0 quiet nokaslr norandmaps' < /dev/null | tr -d '\r' | sed -n 's/^SEEN //p'
done > seen
cat seen
cat > stated <<'TEXT'
6.12.117+deb13-cloud-amd64
    tracepoint, another thread makes the same call: sees all calls
    tracepoint, another thread changes a map: sees all calls
    kprobe, another thread makes the same call: sees all calls
    kprobe, another thread changes a map: sees all calls
6.18.15+deb13-cloud-amd64
    tracepoint, another thread makes the same call: sees all calls
    tracepoint, another thread changes a map: misses some, and the kernel knows
    kprobe, another thread makes the same call: sees all calls
    kprobe, another thread changes a map: misses some, and the kernel knows
7.3.4+deb13-cloud-amd64
    tracepoint, another thread makes the same call: misses some, and the kernel knows
    tracepoint, another thread changes a map: sees all calls
    kprobe, another thread makes the same call: sees all calls
    kprobe, another thread changes a map: misses some, and the kernel knows
TEXT
cmp -s seen stated
