#!/bin/sh
# Where the guest randomises addresses, QEMU 7.2 translates a program again in every process that runs it.
#
# Guess: QEMU without KVM keys translated code by the physical page that it comes from. A guest that runs the same
# program 300 times from its page cache has the program, the loader and the C library translated once: processes share
# the pages, wherever they map them. Address space randomisation in the guest changes nothing that costs time.
#
# Seen: QEMU 7.2 keeps a translation for one virtual address only. After 300 runs of /bin/true its cache holds 8 times
# as many blocks as with `norandmaps`, where the program and the C library lie at the same addresses in each process.
# QEMU 10.0 has no such difference: there the randomised guest needs as few blocks as the other one.
#
# Who meets it: whoever runs tests in an emulated guest that starts many processes. The kernel parameter `norandmaps`
# is enough. The VM of this course has it: 310 answers to exercises were judged in 91 s of CPU time instead of 159.
#
# Versions: QEMU 1:7.2+dfsg-7+deb12u18 and 1:10.0.13+ds-0+deb13u1, Linux 6.1.176-1 (cloud, amd64), all of Debian.
#
# Output (the last digits differ from run to run):
#     bookworm: 684684 blocks translated, 79949 with norandmaps
#     trixie: 80665 blocks translated, 80310 with norandmaps
#
# Needs apt-get on amd64 Debian 12 or newer. Exit code: 0 it is as stated, 1 it changed, 3 a package could not
# be had.
set -eu

kernel=6.1.0-50-cloud-amd64
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

# fetch SUITE PACKAGE...: these and what they need, unpacked into the directory SUITE.
fetch() {
    suite=$1
    shift
    mkdir -p "$suite/lists/partial" "$suite/cache/archives/partial" "$suite/state" "$suite/root"
    key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
    printf 'deb %s %s %s main\ndeb %s %s %s-security main\n' "$key" "$mirror" "$suite" "$key" "$security" "$suite" \
        > "$suite/sources.list"
    : > "$suite/status"
    for action in update "install --download-only --no-install-recommends $*"; do
        # The action is several words.
        # shellcheck disable=SC2086
        apt-get -qq -y -o Dir::Etc::sourcelist="$work/$suite/sources.list" -o Dir::Etc::sourceparts=/dev/null \
            -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
            -o Dir::State="$work/$suite/state" -o Dir::State::lists="$work/$suite/lists" \
            -o Dir::State::status="$work/$suite/status" -o Dir::Cache="$work/$suite/cache" \
            -o Debug::NoLocking=1 -o APT::Sandbox::User=root $action > /dev/null || exit 3
    done
    for package in "$suite"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$suite/root"
    done
}
fetch bookworm qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 busybox-static coreutils
(cd bookworm && apt-get -qq -o Dir::Etc::sourcelist="$work/bookworm/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$work/bookworm/lists" -o Dir::State::status="$work/bookworm/status" \
    -o Dir::Cache="$work/bookworm/cache" -o APT::Sandbox::User=root download "linux-image-$kernel=6.1.176-1") || exit 3
dpkg-deb -x bookworm/linux-image-*.deb kernel
fetch trixie qemu-system-x86=1:10.0.13+ds-0+deb13u1

# The guest: a shell that runs a small program 300 times, from the page cache.
mkdir -p guest/bin guest/lib64 guest/lib/x86_64-linux-gnu
cp bookworm/root/bin/busybox bookworm/root/bin/true guest/bin/
cp bookworm/root/lib/x86_64-linux-gnu/libc.so.6 guest/lib/x86_64-linux-gnu/
cp -L bookworm/root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 guest/lib64/
cat > guest/init <<'SH'
#!/bin/busybox sh
number=0
while [ $number -lt 300 ]; do
    /bin/true
    number=$((number + 1))
done
echo "ran $number"
/bin/busybox sleep 1000
SH
chmod +x guest/init
(cd guest && find . | "$work/bookworm/root/bin/busybox" cpio -o -H newc 2> /dev/null) > initramfs

# blocks SUITE PARAMETER: how many blocks of code are in the cache of translations in the end.
blocks() {
    root=$work/$1/root
    libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/pulseaudio
    loader=$(find "$root" -name ld-linux-x86-64.so.2 -type f | head -n 1)
    : > serial
    {
        while ! grep -q '^ran 300' serial; do
            sleep 0.2
        done
        echo 'info jit'
        echo quit
    } | QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" "$loader" --library-path "$libraries" \
        "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
        -machine q35 -accel tcg,thread=single -m 256 -nodefaults -no-user-config -display none \
        -serial file:serial -monitor stdio -kernel "kernel/boot/vmlinuz-$kernel" -initrd initramfs \
        -append "console=ttyS0 quiet nokaslr $2" > "monitor-$1" 2>&1
    sed -n 's/^TB count *\([0-9]*\).*/\1/p' "monitor-$1" | head -n 1
}

status=0
for suite in bookworm trixie; do
    random=$(blocks $suite '')
    fixed=$(blocks $suite norandmaps)
    echo "$suite: $random blocks translated, $fixed with norandmaps"
    if [ "$suite" = bookworm ]; then
        [ "$random" -gt $((fixed * 5)) ] || status=1
    else
        [ "$random" -lt $((fixed * 5 / 4)) ] || status=1
    fi
done
exit $status
