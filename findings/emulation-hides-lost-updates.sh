#!/bin/sh
# Two CPUs that QEMU emulates in one thread add to one number, and nothing is lost, though the addition is not atomic.
#
# Guess: `count += 1` through a pointer to a map's value is a load, an addition and a store. Two CPUs that each do it two
# million times lose some counts wherever they run: at least where one CPU is stopped between the load and the store.
#
# Seen: natively they do (two cores, Linux 6.18: 154,371 of four million). With `-accel tcg,thread=single`, none: QEMU turns
# to the other CPU, and takes interrupts, between two blocks of translated code, and the three instructions are one block.
# A call of a helper between load and store ends a block, and does lose. An atomic addition loses nothing anywhere.
#
# Who meets it: whoever tries out in an emulated VM whether a program's counting is safe on several CPUs. A test there
# cannot fail for a plain `+= 1`, however long it runs.
#
# Versions: Linux 6.12.117-1 (cloud, amd64) of Debian; QEMU 1:7.2+dfsg-7+deb12u18.
#
# Output:
#     plain addition: loses none
#     a helper is called between load and store: loses some
#     atomic addition: loses none
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
fetch kernel trixie -- download linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1

# Two threads, each on a CPU of its own, run a program again and again; it adds 1 to a number that both share.
cat > lost.c <<'C'
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* On each CPU: 200 calls of the kernel, each of which runs the program 10,000 times. */
#define CALLS 200
#define REPEAT 10000

static int map;

static int bpf(int command, union bpf_attr *attr)
{
    return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static void set(uint64_t value)
{
    uint32_t index = 0;
    union bpf_attr attr = { .map_fd = map, .key = (uintptr_t)&index, .value = (uintptr_t)&value };
    bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static uint64_t get(void)
{
    uint32_t index = 0;
    uint64_t value = 0;
    union bpf_attr attr = { .map_fd = map, .key = (uintptr_t)&index, .value = (uintptr_t)&value };
    bpf(BPF_MAP_LOOKUP_ELEM, &attr);
    return value;
}

static int load(struct bpf_insn *add, unsigned length)
{
    struct bpf_insn program[32] = {
        { .code = 0x62, .dst_reg = 10, .off = -4, .imm = 0 },
        { .code = 0x18, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map }, { 0 },
        { .code = 0xbf, .dst_reg = 2, .src_reg = 10 },
        { .code = 0x07, .dst_reg = 2, .imm = -4 },
        { .code = 0x85, .imm = 1 },                                           /* r0 = the number's address */
        { .code = 0x15, .dst_reg = 0, .off = length + 1 },
        { .code = 0xbf, .dst_reg = 6, .src_reg = 0 },
    };
    unsigned end = 8;
    for (unsigned i = 0; i < length; i++) program[end++] = add[i];
    program[end++] = (struct bpf_insn){ .code = 0xb7, .dst_reg = 0, .imm = 0 };
    program[end++] = (struct bpf_insn){ .code = 0x95 };
    union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = (uintptr_t)program,
                            .license = (uintptr_t)"GPL", .insn_cnt = end };
    int loaded = bpf(BPF_PROG_LOAD, &attr);
    if (loaded < 0) { perror("load"); exit(1); }
    return loaded;
}

struct work { int program, cpu; };

static void *run_often(void *argument)
{
    struct work *work = argument;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(work->cpu, &cpus);
    sched_setaffinity(0, sizeof(cpus), &cpus);
    char packet[64] = { 0 };
    for (int i = 0; i < CALLS; i++) {
        union bpf_attr attr = { .test = { .prog_fd = work->program, .data_in = (uintptr_t)packet,
                                          .data_size_in = sizeof(packet), .repeat = REPEAT } };
        if (bpf(BPF_PROG_TEST_RUN, &attr)) { perror("run"); exit(1); }
    }
    return NULL;
}

static void try(const char *what, struct bpf_insn *add, unsigned length)
{
    int program = load(add, length);
    struct work works[2] = { { program, 0 }, { program, 1 } };
    pthread_t threads[2];
    set(0);
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, run_often, &works[i]);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    printf("SEEN %s: loses %s\n", what, get() == 2ull * CALLS * REPEAT ? "none" : "some");
    close(program);
}

int main(void)
{
    union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 };
    map = bpf(BPF_MAP_CREATE, &attr);
    struct bpf_insn plain[] = {
        { .code = 0x79, .dst_reg = 1, .src_reg = 6 },
        { .code = 0x07, .dst_reg = 1, .imm = 1 },
        { .code = 0x7b, .dst_reg = 6, .src_reg = 1 },
    };
    try("plain addition", plain, 3);
    struct bpf_insn call[] = {
        { .code = 0x79, .dst_reg = 7, .src_reg = 6 },
        { .code = 0x85, .imm = 7 },                                           /* get_prandom_u32() */
        { .code = 0x07, .dst_reg = 7, .imm = 1 },
        { .code = 0x7b, .dst_reg = 6, .src_reg = 7 },
    };
    try("a helper is called between load and store", call, 4);
    struct bpf_insn atomic[] = {
        { .code = 0xb7, .dst_reg = 1, .imm = 1 },
        { .code = 0xdb, .dst_reg = 6, .src_reg = 1 },
    };
    try("atomic addition", atomic, 2);
}
C
mkdir -p guest/bin
cc -O1 -static -pthread -o guest/lost lost.c

# The guest: busybox, and that program.
cp qemu/root/bin/busybox guest/bin/
cat > guest/init <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
/lost
poweroff -f
SH
chmod +x guest/init
(cd guest && find . | "$work/qemu/root/bin/busybox" cpio -o -H newc 2> /dev/null) > initramfs

root=$work/qemu/root
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/pulseaudio
loader=$(find "$root" -name ld-linux-x86-64.so.2 -type f | head -n 1)
QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" timeout 600 "$loader" --library-path "$libraries" \
    "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
    -machine q35 -accel tcg,thread=single -smp 2 -m 512 -nodefaults -no-user-config -display none -serial stdio \
    -kernel "$(find kernel/root -name 'vmlinuz*')" -initrd initramfs \
    -append 'console=ttyS0 quiet nokaslr norandmaps' < /dev/null | tr -d '\r' | sed -n 's/^SEEN //p' > seen
cat seen
cat > stated <<'TEXT'
plain addition: loses none
a helper is called between load and store: loses some
atomic addition: loses none
TEXT
cmp -s seen stated
