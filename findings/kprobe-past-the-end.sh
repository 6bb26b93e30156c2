#!/bin/sh
# A kprobe on vfs_read plus more than the size of vfs_read is not refused: it is put into another function.
#
# Guess: the kernel knows from kallsyms where a function ends. An offset past that end is a mistake, and is refused like a
# name that does not exist, on every kernel; a return probe with an offset is refused in any case.
#
# Seen: the offset is only added to the address. Of the 512 offsets after the end of vfs_read a quarter is taken: those
# where an instruction starts. The probe then lies in another function, its event is called after vfs_read, and it counts
# calls of the other. A return probe is taken where a function starts. Whether one far offset is refused is chance, and
# differs between kernels: 6.1 refuses vfs_read+1000000 because no instruction starts there, 6.12 refuses it for another
# reason (EINVAL), and 7.3 puts it into a function of ext4. With a BPF program on SEC("kprobe/vfs_read+1000000") it is the same, and
# `bpftool link` then shows "vfs_read+0xf4240".
#
# Who meets it: whoever keeps an offset into a function when the kernel changes. In Debian's 5.10 the function after
# vfs_read starts after 400 bytes, in its 6.1 after 784: an offset that was right on one can be in vfs_write on the other.
#
# Versions: Linux 6.1.176-1, 6.12.117-1 and 7.3.4-1~bpo13+1 (cloud, amd64) of Debian; QEMU 1:7.2+dfsg-7+deb12u18.
#
# Output:
#     6.1.0-50-cloud-amd64: vfs_read, then after 784 bytes __kernel_write_iter
#     the next 512 offsets: 114 taken
#     return probe at vfs_read+784: in __kernel_write_iter+0x0
#     vfs_read+1000000: Invalid or incomplete multibyte or wide character
#     100 writes, event p_vfs_read_1920: counted
#     6.12.117+deb13-cloud-amd64: vfs_read, then after 896 bytes __kernel_write_iter
#     the next 512 offsets: 122 taken
#     return probe at vfs_read+896: in __kernel_write_iter+0x4
#     vfs_read+1000000: Invalid argument
#     100 writes, event p_vfs_read_2208: counted
#     7.3.4+deb13-cloud-amd64: vfs_read, then after 896 bytes __kernel_write_iter
#     the next 512 offsets: 121 taken
#     return probe at vfs_read+896: in __kernel_write_iter+0x4
#     vfs_read+1000000: in ext4_ext_insert_extent+0xe00
#     100 writes, event p_vfs_read_2208: counted
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
fetch kernel trixie trixie-backports -- download linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1 \
    'linux-binary-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1'
fetch old-kernel bookworm -- download linux-image-6.1.0-50-cloud-amd64=6.1.176-1

mkdir -p guest/bin
cp qemu/root/bin/busybox guest/bin/
cat > guest/init <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
cd /sys/kernel/tracing || poweroff -f
grep -v '\[' /proc/kallsyms | sort > /symbols
start=$(sed -n 's/ T vfs_read$//p' /symbols)

# Where the probe was put: the kernel's own list of kprobes has function and offset.
place() {
    sed -n 's/^[0-9a-f]* *[kr] *\([^ ]*\) .*/\1/p' /sys/kernel/debug/kprobes/list
}
try() {
    if echo "$1" > kprobe_events 2> /said; then
        echo "in $(place)"
    else
        sed 's/.*write error: //' /said
    fi
    echo > kprobe_events
}

# The functions behind it, without the padding that newer kernels have before each.
following=$(sed '1,/ T vfs_read$/d' /symbols | grep -v ' __pfx_' | head -n 1)
size=$((0x${following%% *} - 0x$start))
write=$((0x$(sed -n 's/ T vfs_write$//p' /symbols) - 0x$start))
echo "SEEN $(uname -r): vfs_read, then after $size bytes ${following##* }"

offset=$size
taken=0
while [ $offset -lt $((size + 512)) ]; do
    if echo "p vfs_read+$offset" 2> /dev/null > kprobe_events; then
        taken=$((taken + 1))
    fi
    echo > kprobe_events
    offset=$((offset + 1))
done
echo "SEEN the next 512 offsets: $taken taken"
echo "SEEN return probe at vfs_read+$size: $(try "r vfs_read+$size")"
echo "SEEN vfs_read+1000000: $(try 'p vfs_read+1000000')"

# Calls of vfs_write that are counted as one of vfs_read.
echo "p vfs_read+$write" > kprobe_events
echo 1 > events/kprobes/enable
number=0
while [ $number -lt 100 ]; do
    echo > /dev/null
    number=$((number + 1))
done
echo 0 > events/kprobes/enable
counted=$(awk '{ print ($2 >= 100 ? "counted" : "not counted") }' kprobe_profile)
echo "SEEN 100 writes, event $(ls events/kprobes | grep vfs): $counted"
poweroff -f
SH
chmod +x guest/init
(cd guest && find . | "$work/qemu/root/bin/busybox" cpio -o -H newc 2> /dev/null) > initramfs

root=$work/qemu/root
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/pulseaudio
loader=$(find "$root" -name ld-linux-x86-64.so.2 -type f | head -n 1)
for release in 6.1.0-50-cloud-amd64 6.12.117+deb13-cloud-amd64 7.3.4+deb13-cloud-amd64; do
    QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" timeout 600 "$loader" --library-path "$libraries" \
        "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
        -machine q35 -accel tcg,thread=single -m 1024 -nodefaults -no-user-config -display none -serial stdio \
        -kernel "$(find kernel/root old-kernel/root -name 'vmlinuz*' -path "*$release*")" -initrd initramfs \
        -append 'console=ttyS0 quiet nokaslr norandmaps' < /dev/null | tr -d '\r' | sed -n 's/^SEEN //p'
done > seen
cat seen
cat > stated <<'TEXT'
6.1.0-50-cloud-amd64: vfs_read, then after 784 bytes __kernel_write_iter
the next 512 offsets: 114 taken
return probe at vfs_read+784: in __kernel_write_iter+0x0
vfs_read+1000000: Invalid or incomplete multibyte or wide character
100 writes, event p_vfs_read_1920: counted
6.12.117+deb13-cloud-amd64: vfs_read, then after 896 bytes __kernel_write_iter
the next 512 offsets: 122 taken
return probe at vfs_read+896: in __kernel_write_iter+0x4
vfs_read+1000000: Invalid argument
100 writes, event p_vfs_read_2208: counted
7.3.4+deb13-cloud-amd64: vfs_read, then after 896 bytes __kernel_write_iter
the next 512 offsets: 121 taken
return probe at vfs_read+896: in __kernel_write_iter+0x4
vfs_read+1000000: in ext4_ext_insert_extent+0xe00
100 writes, event p_vfs_read_2208: counted
TEXT
cmp -s seen stated
