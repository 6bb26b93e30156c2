#!/bin/sh
# In /proc/kallsyms of newer kernels, variables are marked like functions: jiffies is of the type T.
#
# Guess: the letter in /proc/kallsyms tells what a symbol is, as nm prints it: T and t are code, D, B and R are data. It
# has been like that since there is such a file, so a list of a kernel's functions is `grep -i ' t '`.
#
# Seen: up to 6.12 that holds. On 6.18 and 7.3 jiffies, init_task and nr_cpu_ids are T, although they are variables. Others
# (linux_banner, init_net) are still D or B. Nothing else tells the two apart in that file.
#
# Who meets it: whoever takes names of functions from /proc/kallsyms by their letter, to choose what to trace or to tell a
# user whether "there is such a function". The kernel's BTF says which names are functions (kind FUNC) and which are
# variables (VAR); /sys/kernel/tracing/available_filter_functions has functions only. Between these kernels, Debian's
# 6.16 already says T.
#
# Versions: Linux 6.12.117-1, 6.18.15-1~bpo13+1 and 7.3.4-1~bpo13+1 (cloud, amd64), all of Debian; QEMU
# 1:7.2+dfsg-7+deb12u18.
#
# Output:
#     6.12.117+deb13-cloud-amd64: vfs_read T linux_banner D init_net B jiffies D init_task D nr_cpu_ids D
#     6.18.15+deb13-cloud-amd64: vfs_read T linux_banner D init_net B jiffies T init_task T nr_cpu_ids T
#     7.3.4+deb13-cloud-amd64: vfs_read T linux_banner D init_net B jiffies T init_task T nr_cpu_ids T
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
    'linux-image-6.18.15+deb13-cloud-amd64=6.18.15-1~bpo13+1' 'linux-binary-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1'

mkdir -p guest/bin
cp qemu/root/bin/busybox guest/bin/
cat > guest/init <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc
mount -t proc proc /proc
said="$(uname -r):"
for name in vfs_read linux_banner init_net jiffies init_task nr_cpu_ids; do
    said="$said $name $(sed -n "s/^[0-9a-f]* \\(.\\) $name\$/\\1/p" /proc/kallsyms)"
done
echo "SEEN $said"
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
6.12.117+deb13-cloud-amd64: vfs_read T linux_banner D init_net B jiffies D init_task D nr_cpu_ids D
6.18.15+deb13-cloud-amd64: vfs_read T linux_banner D init_net B jiffies T init_task T nr_cpu_ids T
7.3.4+deb13-cloud-amd64: vfs_read T linux_banner D init_net B jiffies T init_task T nr_cpu_ids T
TEXT
cmp -s seen stated
