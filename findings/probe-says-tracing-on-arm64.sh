#!/bin/sh
# `bpftool feature probe` says that a kernel of arm64 has programs of the types tracing and LSM. It loads them, and can
# attach none.
#
# Guess: where fentry and LSM programs do not work, the probe says that their types are not available; and if such a program
# can be loaded there at all, attaching it fails with an error that names what is missing.
#
# Seen: Linux on arm64 attaches programs of these two types from 6.4 on; before, it has no BPF trampoline. With 5.10 and 6.1
# the probe says "available" for both types, since it only loads a program and looks at the error. A fentry program for
# vfs_read passes the verifier as well. Attaching it fails with error 524, which is ENOTSUPP inside the kernel and has no
# name in user space. The kernel's configuration says no more: CONFIG_BPF_LSM and CONFIG_FTRACE are set. aya's
# `is_program_supported` tries to attach as well, and answers "no" on the same kernels: two libraries, two answers.
#
# Who meets it: whoever asks libbpf (libbpf_probe_bpf_prog_type, or bpftool) whether fentry can be used and falls back to
# kprobes if not, and whose users have boards or servers with a kernel of that time.
#
# Versions: Linux 5.10.223-1, 6.1.176-1 and 6.12.117-1 (cloud, arm64), bpftool 7.5.0+6.12.117-1 with libbpf 1.5; clang
# 1:22.1.8-1~deb12u1; QEMU 1:7.2+dfsg-7+deb12u18; aya 0.14.0 was asked with the same kernels, and is not part of this
# script.
#
# Output:
#     5.10.0: probe: tracing is available
#     5.10.0: probe: lsm is available
#     5.10.0: fentry/vfs_read: loaded: yes, attaching says unknown error (-524)
#     6.1.0: probe: tracing is available
#     6.1.0: probe: lsm is available
#     6.1.0: fentry/vfs_read: loaded: yes, attaching says unknown error (-524)
#     6.12.117: probe: tracing is available
#     6.12.117: probe: lsm is available
#     6.12.117: fentry/vfs_read: loaded: yes, attached
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

# fetch ARCHITECTURE DIRECTORY SUITE... -- ACTION PACKAGE...: packages of these suites, unpacked into DIRECTORY/root. The
# action is `install` for these and what they need, `download` for these alone.
fetch() {
    architecture=$1
    directory=$work/$2
    shift 2
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
    own update
    case $1 in
        install)
            shift
            own install --download-only --no-install-recommends "$@"
            ;;
        *) (cd "$directory/archives" && own "$@") ;;
    esac
    for package in "$directory"/archives/*.deb; do
        dpkg-deb -x "$package" "$directory/root"
    done
}
own() {
    apt-get -qq -y -o Dir::Etc::sourcelist="$directory/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$directory/state" -o Dir::State::lists="$directory/lists" \
        -o Dir::State::status="$directory/status" -o Dir::Cache="$directory" -o Dir::Cache::archives="$directory/archives" \
        -o APT::Architecture="$architecture" -o APT::Architectures::="$architecture" -o Acquire::Check-Valid-Until=false \
        -o Debug::NoLocking=1 -o APT::Sandbox::User=root "$@" > /dev/null || exit 3
}
fetch amd64 qemu bookworm bookworm-security -- install qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3 busybox-static
fetch amd64 clang bookworm bookworm-security -- download clang-22=1:22.1.8-1~deb12u1 \
    libclang-cpp22=1:22.1.8-1~deb12u1 libllvm22=1:22.1.8-1~deb12u1 libz3-4 libedit2 libbsd0 libmd0 libxml2 libicu72 libtinfo6
fetch arm64 tools trixie -- install bpftool=7.5.0+6.12.117-1 busybox-static
fetch arm64 kernels bullseye bookworm trixie -- download linux-image-5.10.0-32-cloud-arm64-unsigned=5.10.223-1 \
    linux-image-6.1.0-50-cloud-arm64=6.1.176-1 linux-image-6.12.117+deb13-cloud-arm64=6.12.117-1

mkdir -p guest/bin guest/tool
cat > program.c <<'C'
__attribute__((section("license"), used)) char _license[] = "GPL";
__attribute__((section("fentry/vfs_read"), used)) int program(void *context) { return 0; }
C
LD_LIBRARY_PATH="$work/clang/root/usr/lib/llvm-22/lib:$work/clang/root/usr/lib/x86_64-linux-gnu" \
    "$work/clang/root/usr/lib/llvm-22/bin/clang" -target bpf -g -O2 -c program.c -o guest/program.o

# The guest: busybox, and bpftool with its libraries.
cp tools/root/bin/busybox guest/bin/ 2> /dev/null || cp tools/root/usr/bin/busybox guest/bin/
cp tools/root/usr/sbin/bpftool guest/tool/
find tools/root/usr/lib \( -name '*.so.[0-9]*' -o -name 'ld-linux*' \) -not -path '*/gconv/*' -exec cp -L {} guest/tool/ \;
cat > guest/init <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
tool() {
    /tool/ld-linux-aarch64.so.1 --library-path /tool /tool/bpftool "$@"
}
release=$(uname -r)
release=${release%%[-+]*}
tool feature probe kernel | sed -n "s/^eBPF program_type \(tracing\|lsm\) /SEEN $release: probe: \1 /p"
mkdir /sys/fs/bpf/here
tool prog loadall /program.o /sys/fs/bpf/here autoattach > /said 2>&1
loaded=no
[ -n "$(ls /sys/fs/bpf/here)" ] && loaded=yes
result=$(sed -n 's/^libbpf: .*failed to attach: /attaching says /p' /said | head -n 1)
echo "SEEN $release: fentry/vfs_read: loaded: $loaded, ${result:-attached}"
poweroff -f
SH
chmod +x guest/init
(cd guest && find . | "$work/qemu/root/bin/busybox" cpio -o -H newc 2> /dev/null) > initramfs

root=$work/qemu/root
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/pulseaudio
loader=$(find "$root" -name ld-linux-x86-64.so.2 -type f | head -n 1)
for release in 5.10.0 6.1.0 6.12.117; do
    QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" timeout 600 "$loader" --library-path "$libraries" \
        "$root/usr/bin/qemu-system-aarch64" -L "$root/usr/share/qemu" \
        -machine virt,gic-version=3 -cpu max,pauth-impdef=on -accel tcg,thread=single -m 1024 -nodefaults \
        -no-user-config -display none -serial stdio \
        -kernel "$(find kernels/root -name 'vmlinuz*' -path "*$release*")" -initrd initramfs \
        -append 'console=ttyAMA0 quiet' < /dev/null | tr -d '\r' | sed -n 's/^SEEN //p'
done > seen
cat seen
cat > stated <<'TEXT'
5.10.0: probe: tracing is available
5.10.0: probe: lsm is available
5.10.0: fentry/vfs_read: loaded: yes, attaching says unknown error (-524)
6.1.0: probe: tracing is available
6.1.0: probe: lsm is available
6.1.0: fentry/vfs_read: loaded: yes, attaching says unknown error (-524)
6.12.117: probe: tracing is available
6.12.117: probe: lsm is available
6.12.117: fentry/vfs_read: loaded: yes, attached
TEXT
cmp -s seen stated
