#!/bin/sh
# The same program costs the verifier of Linux 7.3 almost twice the instructions that it cost Linux 6.12 and 6.18.
#
# Guess: each release of the verifier prunes paths at least as well as the one before it. What passes under the limit of a
# million instructions goes on passing, and numbers of `processed N insns` only go down.
#
# Seen: a program with eight branches that each add something to one index takes 797 instructions on Linux 6.12, 796 on 6.18,
# and 1453 on 7.3, although the compiled program is the same. One that computes its index without branches takes 15, 14 and
# 14: there the guess holds.
#
# Who meets it: whoever has a program that is close to the limit and is accepted on the kernels that it is tested on. It
# has to be measured on each kernel. Between these kernels, Debian's 6.17 has the old number and its 6.19 the new one.
#
# Versions: Linux 6.12.117-1, 6.18.15-1~bpo13+1 and 7.3.4-1~bpo13+1 (cloud, amd64), bpftool 7.5.0+6.12.117-1, all of Debian;
# clang 1:22.1.8-1~deb12u1; QEMU 1:7.2+dfsg-7+deb12u18.
#
# Output:
#     6.12.117+deb13-cloud-amd64
#         eight branches: 797
#         no branch: 15
#     6.18.15+deb13-cloud-amd64
#         eight branches: 796
#         no branch: 14
#     7.3.4+deb13-cloud-amd64
#         eight branches: 1453
#         no branch: 14
#
# Needs apt-get on amd64 Debian 12 or newer. Exit code: 0 it is as stated, 1 it changed, 3 a package could not
# be had.
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
fetch clang bookworm bookworm-security -- download clang-22=1:22.1.8-1~deb12u1 libclang-cpp22=1:22.1.8-1~deb12u1 \
    libllvm22=1:22.1.8-1~deb12u1 libz3-4 libedit2 libbsd0 libmd0 libxml2 libicu72 libtinfo6
fetch bpftool trixie -- install bpftool=7.5.0+6.12.117-1
fetch kernel trixie trixie-backports -- download linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1 \
    'linux-image-6.18.15+deb13-cloud-amd64=6.18.15-1~bpo13+1' 'linux-binary-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1'

# compile NAME STATEMENTS: an object with a program that computes `at` from `flags`, and reads a byte there.
compile() {
    cat > program.c <<C
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
struct __sk_buff { u32 len; u32 pkt_type; u32 mark; };
struct bytes { u8 bytes[256]; };
struct {
    int (*type)[2];
    u32 *key;
    struct bytes *value;
    int (*max_entries)[1];
} bytes __attribute__((section(".maps"), used));
static void *(*const lookup)(void *map, const void *key) = (void *)1;
__attribute__((section("license"), used)) char _license[] = "GPL";
#define ADD(flag, number) if (flags & (flag)) at += (number); __asm__ volatile("" : "+r"(at));
__attribute__((section("tc"), used)) int program(struct __sk_buff *skb) {
    u32 key = 0;
    struct bytes *found = lookup(&bytes, &key);
    if (!found) return 0;
    u64 flags = skb->mark, at = 0;
    $2
    return found->bytes[at];
}
C
    LD_LIBRARY_PATH="$work/clang/root/usr/lib/llvm-22/lib:$work/clang/root/usr/lib/x86_64-linux-gnu" \
        "$work/clang/root/usr/lib/llvm-22/bin/clang" -target bpf -mcpu=v2 -g -O2 -c program.c -o "guest/program-$count.o"
    echo "$1" >> guest/programs
    count=$((count + 1))
}
mkdir -p guest/bin guest/tool
count=0
compile 'eight branches' 'ADD(1, 3) ADD(2, 5) ADD(4, 6) ADD(8, 7) ADD(16, 9) ADD(32, 11) ADD(64, 13) ADD(128, 17)'
compile 'no branch' 'at = flags & 63;'

# The guest: busybox, and bpftool with its libraries.
cp qemu/root/bin/busybox guest/bin/
cp bpftool/root/usr/sbin/bpftool guest/tool/
find bpftool/root/usr/lib \( -name '*.so.[0-9]*' -o -name 'ld-linux*' \) -not -path '*/gconv/*' -exec cp -L {} guest/tool/ \;
cat > guest/init <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
echo "SEEN $(uname -r)"
number=0
while read -r name <&3; do
    /tool/ld-linux-x86-64.so.2 --library-path /tool /tool/bpftool --debug prog load "/program-$number.o" \
        "/sys/fs/bpf/$number" > /said 2>&1
    echo "SEEN     $name: $(sed -n 's/^processed \([0-9]*\) insns.*/\1/p' /said | tail -n 1)"
    number=$((number + 1))
done 3< /programs
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
    eight branches: 797
    no branch: 15
6.18.15+deb13-cloud-amd64
    eight branches: 796
    no branch: 14
7.3.4+deb13-cloud-amd64
    eight branches: 1453
    no branch: 14
TEXT
cmp -s seen stated
