#!/bin/sh
# fentry on a function that ftrace does not know: the program loads, and attaching says EBUSY, with nothing that is busy.
#
# Guess: fentry takes any function that is in the kernel's BTF; that is how the verifier finds it and its arguments. Where
# the kernel cannot trace a function, loading the program fails and the verifier says so, or attaching fails with ENOENT.
#
# Seen: BTF describes thousands of functions that ftrace does not know, more than one in eight: those of the kernel's lib/,
# which is built without the call that ftrace uses (kstrtoull, copy_page_to_iter), and functions that are declared inline
# and of which the compiler made functions all the same (blk_account_io_start). A fentry program for these passes the
# verifier, which looks at BTF and at the address. Only attaching fails, with EBUSY: at the function's entry the kernel
# found other bytes than the five that it wanted to replace. A kprobe by the same name is refused with EINVAL, and for
# kprobe.multi libbpf 1.5 prints no reason. None says that the function cannot be traced: that it is missing in
# /sys/kernel/tracing/available_filter_functions is the only sign.
#
# Who meets it: whoever takes a function's name from BTF or from the kernel's source, and then looks for the other program
# that keeps the function busy. Tools of today do: biosnoop of bcc's libbpf-tools tries blk_account_io_start with fentry.
#
# Versions: Linux 6.12.117-1 and 7.3.4-1~bpo13+1 (cloud, amd64), bpftool 7.5.0+6.12.117-1, all of Debian 13; clang
# 1:22.1.8-1~deb12u1; QEMU 1:7.2+dfsg-7+deb12u18.
#
# Output:
#     6.12.117+deb13-cloud-amd64: 44554 functions with BTF, 5796 of them unknown to ftrace
#     vfs_read: fentry attached, kprobe attached, kprobe.multi attached
#     copy_page_to_iter: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
#     blk_account_io_start: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
#     kstrtoull: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
#     7.3.4+deb13-cloud-amd64: 49326 functions with BTF, 6890 of them unknown to ftrace
#     vfs_read: fentry attached, kprobe attached, kprobe.multi attached
#     copy_page_to_iter: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
#     blk_account_io_start: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
#     kstrtoull: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
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
    'linux-binary-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1'

# compile NAME SECTION: an object with one program in this section.
compile() {
    printf '__attribute__((section("license"), used)) char _license[] = "GPL";\n' > program.c
    printf '__attribute__((section("%s"), used)) int program(void *context) { return 0; }\n' "$2" >> program.c
    LD_LIBRARY_PATH="$work/clang/root/usr/lib/llvm-22/lib:$work/clang/root/usr/lib/x86_64-linux-gnu" \
        "$work/clang/root/usr/lib/llvm-22/bin/clang" -target bpf -g -O2 -c program.c -o "guest/$1.o"
}
mkdir -p guest/bin guest/tool
functions='vfs_read copy_page_to_iter blk_account_io_start kstrtoull'
for function in $functions; do
    for hook in fentry kprobe kprobe.multi; do
        compile "$hook-$function" "$hook/$function"
    done
done

# The guest: busybox, and bpftool with its libraries.
cp qemu/root/bin/busybox guest/bin/
cp bpftool/root/usr/sbin/bpftool guest/tool/
find bpftool/root/usr/lib \( -name '*.so.[0-9]*' -o -name 'ld-linux*' \) -not -path '*/gconv/*' -exec cp -L {} guest/tool/ \;
cat > guest/init <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
tool() {
    /tool/ld-linux-x86-64.so.2 --library-path /tool /tool/bpftool "$@"
}

# What attaching one program came to: bpftool loads it first, and pins it without a link if it cannot attach it.
attach() {
    mkdir /sys/fs/bpf/here
    tool prog loadall "/$1.o" /sys/fs/bpf/here autoattach > /said 2>&1
    loaded=$(ls /sys/fs/bpf/here)
    result=$(sed -n 's/^libbpf: .*failed to .*: //p' /said | head -n 1)
    if [ -z "$loaded" ]; then
        echo 'not loaded'
    elif grep -q 'does not support autoattach' /said; then
        echo "${result:-not attached}"
    else
        echo attached
    fi
    rm -r /sys/fs/bpf/here
}

cd /tmp
tool btf dump file /sys/kernel/btf/vmlinux | sed -n "s/^.* FUNC '\([^']*\)'.*/\1/p" | sort -u > in-btf
cut -d ' ' -f 1 /sys/kernel/tracing/available_filter_functions > traceable
# Functions of the kernel itself, without those that are there only while it starts.
grep -v '\[' /proc/kallsyms | sort > symbols
sed -n '/ _etext$/q; s/^[0-9a-f]* [tT] //p' symbols > in-kernel
cat > count <<'AWK'
FILENAME == "traceable" { traceable[$1] = 1; next }
FILENAME == "in-kernel" { there[$1] = 1; next }
$1 in there { all += 1; if (!($1 in traceable)) other += 1 }
END { print all " functions with BTF, " other " of them unknown to ftrace" }
AWK
echo "SEEN $(uname -r): $(awk -f count traceable in-kernel in-btf)"
for function in $(cat /functions); do
    line="$function: fentry $(attach "fentry-$function"), kprobe $(attach "kprobe-$function")"
    echo "SEEN $line, kprobe.multi $(attach "kprobe.multi-$function")"
done
poweroff -f
SH
echo "$functions" > guest/functions
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
6.12.117+deb13-cloud-amd64: 44554 functions with BTF, 5796 of them unknown to ftrace
vfs_read: fentry attached, kprobe attached, kprobe.multi attached
copy_page_to_iter: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
blk_account_io_start: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
kstrtoull: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
7.3.4+deb13-cloud-amd64: 49326 functions with BTF, 6890 of them unknown to ftrace
vfs_read: fentry attached, kprobe attached, kprobe.multi attached
copy_page_to_iter: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
blk_account_io_start: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
kstrtoull: fentry Device or resource busy, kprobe Invalid argument, kprobe.multi not attached
TEXT
cmp -s seen stated
