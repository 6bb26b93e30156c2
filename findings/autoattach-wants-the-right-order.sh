#!/bin/sh
# Whether `bpftool prog loadall OBJECT DIRECTORY autoattach` works depends on which program comes first in the object.
#
# Guess: bpftool loads the object, attaches what can be attached, and pins the rest as programs. It makes the directory if
# it is not there, as it does without autoattach, or says that it is not there. The order of programs has no influence.
#
# Seen: if the first program is one that bpftool cannot attach by itself (XDP, tc, cgroup), it says "falling back to
# pinning", then "Error: failed to pin all programs", and nothing is loaded. With the programs the other way round both are
# pinned, as only the pinning of links makes the directory. With the directory made before, or without autoattach, the
# order is of no importance.
#
# Who meets it: whoever adds an XDP program at the top of a file with tracing programs, or autoattach to a line that worked.
#
# Versions: bpftool 7.5.0+6.12.117-1 and 7.8.0+7.3.4-1~bpo13+1 of Debian 13, Linux 6.12.117-1 (cloud, amd64); clang
# 1:22.1.8-1~deb12u1; QEMU 1:7.2+dfsg-7+deb12u18. bpftool 7.1 of Debian 12 has no autoattach.
#
# Output:
#     bpftool 7.5, xdp-first, autoattach: Error: failed to pin all programs
#     bpftool 7.5, xdp-first, autoattach, directory made before: 2 pinned
#     bpftool 7.5, xdp-first: 2 pinned
#     bpftool 7.5, kprobe-first, autoattach: 2 pinned
#     bpftool 7.5, kprobe-first, autoattach, directory made before: 2 pinned
#     bpftool 7.5, kprobe-first: 2 pinned
#     bpftool 7.8, xdp-first, autoattach: Error: failed to pin all programs
#     bpftool 7.8, xdp-first, autoattach, directory made before: 2 pinned
#     bpftool 7.8, xdp-first: 2 pinned
#     bpftool 7.8, kprobe-first, autoattach: 2 pinned
#     bpftool 7.8, kprobe-first, autoattach, directory made before: 2 pinned
#     bpftool 7.8, kprobe-first: 2 pinned
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
fetch kernel trixie -- download linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1

# compile NAME SECTION...: an object with a program in each section, in this order.
compile() {
    object=$1
    shift
    printf '__attribute__((section("license"), used)) char _license[] = "GPL";\n' > program.c
    for section in "$@"; do
        printf '__attribute__((section("%s"), used)) int %s(void *context) { return 2; }\n' "$section" \
            "${section%%/*}_program" >> program.c
    done
    LD_LIBRARY_PATH="$work/clang/root/usr/lib/llvm-22/lib:$work/clang/root/usr/lib/x86_64-linux-gnu" \
        "$work/clang/root/usr/lib/llvm-22/bin/clang" -target bpf -g -O2 -c program.c -o "guest/$object.o"
}
mkdir -p guest/bin
compile xdp-first xdp kprobe/vfs_read
compile kprobe-first kprobe/vfs_read xdp

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

# load OBJECT [WORD]: what bpftool says, or what it has pinned.
load() {
    if "/$version/ld-linux-x86-64.so.2" --library-path "/$version" "/$version/bpftool" prog loadall "/$1.o" \
        /sys/fs/bpf/here $2 > /said 2>&1; then
        echo "$(ls /sys/fs/bpf/here | wc -l) pinned"
    else
        grep '^Error' /said
    fi
    rm -rf /sys/fs/bpf/here
}

for version in 7.5 7.8; do
    for object in xdp-first kprobe-first; do
        echo "SEEN bpftool $version, $object, autoattach: $(load $object autoattach)"
        mkdir /sys/fs/bpf/here
        echo "SEEN bpftool $version, $object, autoattach, directory made before: $(load $object autoattach)"
        echo "SEEN bpftool $version, $object: $(load $object '')"
    done
done
poweroff -f
SH
chmod +x guest/init
(cd guest && find . | "$work/qemu/root/bin/busybox" cpio -o -H newc 2> /dev/null) > initramfs

root=$work/qemu/root
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/pulseaudio
loader=$(find "$root" -name ld-linux-x86-64.so.2 -type f | head -n 1)
QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" timeout 600 "$loader" --library-path "$libraries" \
    "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
    -machine q35 -accel tcg,thread=single -m 1024 -nodefaults -no-user-config -display none -serial stdio \
    -kernel "$(find kernel/root -name 'vmlinuz*')" -initrd initramfs \
    -append 'console=ttyS0 quiet nokaslr norandmaps' < /dev/null | tr -d '\r' | sed -n 's/^SEEN //p' > seen
cat seen
cat > stated <<'TEXT'
bpftool 7.5, xdp-first, autoattach: Error: failed to pin all programs
bpftool 7.5, xdp-first, autoattach, directory made before: 2 pinned
bpftool 7.5, xdp-first: 2 pinned
bpftool 7.5, kprobe-first, autoattach: 2 pinned
bpftool 7.5, kprobe-first, autoattach, directory made before: 2 pinned
bpftool 7.5, kprobe-first: 2 pinned
bpftool 7.8, xdp-first, autoattach: Error: failed to pin all programs
bpftool 7.8, xdp-first, autoattach, directory made before: 2 pinned
bpftool 7.8, xdp-first: 2 pinned
bpftool 7.8, kprobe-first, autoattach: 2 pinned
bpftool 7.8, kprobe-first, autoattach, directory made before: 2 pinned
bpftool 7.8, kprobe-first: 2 pinned
TEXT
cmp -s seen stated
