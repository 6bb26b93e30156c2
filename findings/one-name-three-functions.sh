#!/bin/sh
# A function name that three functions have: each way to attach has another answer, and one changed with libbpf.
#
# Guess: Linux has three functions c_start. A kprobe by that name has been refused as ambiguous for years (errno 99,
# EADDRNOTAVAIL), so everything that attaches by name refuses it, or everything takes the same function, on every kernel.
#
# Seen: kprobe refuses. fentry takes one function without a word. A fprobe event of tracefs takes all three. kprobe.multi
# depends on the loader: SEC("kprobe.multi/c_start") attaches to all three with bpftool 7.5 (libbpf 1.5) and to one with
# bpftool 7.8, from the same object, on the same kernel, and no message says so: older libbpf looks a name up as a pattern
# in the list of functions and hands over addresses; newer libbpf hands over a name without wildcards, and the kernel
# takes the first function that has it. "kprobe.multi/c_star*" still attaches to all three with both.
#
# Who meets it: whoever traces a static function, and moves to a newer bpftool or libbpf: two thirds of the events are
# gone. 246 names in the BTF of this 6.12 are those of several functions, 265 in 7.3.
#
# Versions: Linux 6.12.117-1 and 7.3.4-1~bpo13+1 (cloud, amd64), bpftool 7.5.0+6.12.117-1 and 7.8.0+7.3.4-1~bpo13+1, all of
# Debian 13; clang 1:22.1.8-1~deb12u1; QEMU 1:7.2+dfsg-7+deb12u18.
#
# Output:
#     6.12.117+deb13-cloud-amd64: 3 functions c_start
#     fprobe event: 3
#     bpftool 7.5: kprobe refused, fentry 1, kprobe.multi 3, with * 3
#     bpftool 7.8: kprobe refused, fentry 1, kprobe.multi 1, with * 3
#     7.3.4+deb13-cloud-amd64: 3 functions c_start
#     fprobe event: 3
#     bpftool 7.5: kprobe refused, fentry 1, kprobe.multi 3, with * 3
#     bpftool 7.8: kprobe refused, fentry 1, kprobe.multi 1, with * 3
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
fetch bpftool-7.5 trixie -- install bpftool=7.5.0+6.12.117-1
fetch bpftool-7.8 trixie trixie-backports -- install 'bpftool=7.8.0+7.3.4-1~bpo13+1'
fetch kernel trixie trixie-backports -- download linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1 \
    'linux-binary-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1'

# compile NAME SECTION: an object with one program in this section.
compile() {
    printf '__attribute__((section("license"), used)) char _license[] = "GPL";\n' > program.c
    printf '__attribute__((section("%s"), used)) int program(void *context) { return 0; }\n' "$2" >> program.c
    LD_LIBRARY_PATH="$work/clang/root/usr/lib/llvm-22/lib:$work/clang/root/usr/lib/x86_64-linux-gnu" \
        "$work/clang/root/usr/lib/llvm-22/bin/clang" -target bpf -g -O2 -c program.c -o "guest/$1.o"
}
mkdir -p guest/bin
compile kprobe kprobe/c_start
compile fentry fentry/c_start
compile multi kprobe.multi/c_start
compile pattern 'kprobe.multi/c_star*'

# The guest: busybox, and each bpftool with its own libraries.
cp qemu/root/bin/busybox guest/bin/
for version in 7.5 7.8; do
    mkdir "guest/$version"
    cp "bpftool-$version/root/usr/sbin/bpftool" "guest/$version/"
    find "bpftool-$version/root/usr/lib" \( -name '*.so.[0-9]*' -o -name 'ld-linux*' \) -not -path '*/gconv/*' \
        -exec cp -L {} "guest/$version/" \;
done
cat > guest/init <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
traced=/sys/kernel/tracing/enabled_functions

# How many functions one program attaches to: bpftool pins its link, and says so if there is none.
attach() {
    mkdir /sys/fs/bpf/here
    "/$version/ld-linux-x86-64.so.2" --library-path "/$version" "/$version/bpftool" prog loadall "/$1.o" \
        /sys/fs/bpf/here autoattach > /said 2>&1
    count=$(grep -c '^c_start ' $traced)
    grep -q 'EADDRNOTAVAIL\|Cannot assign requested address' /said && count=refused
    rm -r /sys/fs/bpf/here
    # A link ends a little later.
    while grep -q '^c_start ' $traced; do
        sleep 0.1
    done
}

echo "SEEN $(uname -r): $(grep -c ' c_start$' /proc/kallsyms) functions c_start"
echo 'f:probe c_start' > /sys/kernel/tracing/dynamic_events
echo 1 > /sys/kernel/tracing/events/fprobes/probe/enable
echo "SEEN fprobe event: $(grep -c '^c_start ' $traced)"
echo 0 > /sys/kernel/tracing/events/fprobes/probe/enable
echo > /sys/kernel/tracing/dynamic_events
for version in 7.5 7.8; do
    line="bpftool $version:"
    attach kprobe
    line="$line kprobe $count,"
    attach fentry
    line="$line fentry $count,"
    attach multi
    line="$line kprobe.multi $count,"
    attach pattern
    echo "SEEN $line with * $count"
done
poweroff -f
SH
chmod +x guest/init
(cd guest && find . | "$work/qemu/root/bin/busybox" cpio -o -H newc 2> /dev/null) > initramfs

root=$work/qemu/root
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/pulseaudio
loader=$(find "$root" -name ld-linux-x86-64.so.2 -type f | head -n 1)
for release in 6.12.117+deb13-cloud-amd64 7.3.4+deb13-cloud-amd64; do
    QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" timeout 600 "$loader" --library-path "$libraries" \
        "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
        -machine q35 -accel tcg,thread=single -m 1024 -nodefaults -no-user-config -display none -serial stdio \
        -kernel "$(find kernel/root -name 'vmlinuz*' -path "*$release*")" -initrd initramfs \
        -append 'console=ttyS0 quiet nokaslr norandmaps' < /dev/null | tr -d '\r' | sed -n 's/^SEEN //p'
done > seen
cat seen
cat > stated <<'TEXT'
6.12.117+deb13-cloud-amd64: 3 functions c_start
fprobe event: 3
bpftool 7.5: kprobe refused, fentry 1, kprobe.multi 3, with * 3
bpftool 7.8: kprobe refused, fentry 1, kprobe.multi 1, with * 3
7.3.4+deb13-cloud-amd64: 3 functions c_start
fprobe event: 3
bpftool 7.5: kprobe refused, fentry 1, kprobe.multi 3, with * 3
bpftool 7.8: kprobe refused, fentry 1, kprobe.multi 1, with * 3
TEXT
cmp -s seen stated
