#!/bin/sh
# LSM programs that every kernel accepted are refused by newer ones: some pointers in trusted structures may now be NULL.
#
# Guess: the verifier learns, and a program that one version accepts is accepted by the later ones. Reading through a
# pointer that a kernel structure holds (dentry->d_inode->i_ino) needs no NULL check in BPF: a bad address reads as 0.
#
# Seen: for a few fields of structures that a program is given as trusted, the verifier came to demand the check, one kernel
# after the other: socket->sk in 6.12, dentry->d_inode in 6.18, vma->vm_mm and vma->vm_file in 7.3. An LSM program that
# reads through them without it is refused, "invalid mem access 'trusted_ptr_or_null_'", from then on. Where the verifier
# trusts less it demands less: dentry->d_parent is a plain pointer, and d_inode may be read through it as before.
#
# Who meets it: whoever ships one LSM object for several kernels, and tests it on the older ones: the kernel's own selftest
# for LSM of 6.12 is refused by 7.3. With the NULL check the program is accepted by all. Between these kernels, Debian's
# 6.16 already refuses d_inode, its 6.17 takes vm_mm, and its 6.19 refuses it.
#
# Versions: Linux 6.1.176-1, 6.12.117-1, 6.18.15-1~bpo13+1 and 7.3.4-1~bpo13+1 (cloud, amd64), bpftool 7.5.0+6.12.117-1, all of
# Debian; clang 1:22.1.8-1~deb12u1; QEMU 1:7.2+dfsg-7+deb12u18.
#
# Output:
#     6.1.0-50-cloud-amd64
#         accepted  file->f_inode->i_ino
#         accepted  dentry->d_parent->d_inode->i_ino
#         accepted  dentry->d_inode->i_ino
#         accepted  dentry->d_inode->i_ino, if d_inode
#         accepted  socket->sk->sk_mark
#         accepted  vma->vm_mm->start_stack
#         accepted  vma->vm_file->f_flags
#     6.12.117+deb13-cloud-amd64
#         accepted  file->f_inode->i_ino
#         accepted  dentry->d_parent->d_inode->i_ino
#         accepted  dentry->d_inode->i_ino
#         accepted  dentry->d_inode->i_ino, if d_inode
#         refused   socket->sk->sk_mark: trusted_ptr_or_null_sock
#         accepted  vma->vm_mm->start_stack
#         accepted  vma->vm_file->f_flags
#     6.18.15+deb13-cloud-amd64
#         accepted  file->f_inode->i_ino
#         accepted  dentry->d_parent->d_inode->i_ino
#         refused   dentry->d_inode->i_ino: trusted_ptr_or_null_inode
#         accepted  dentry->d_inode->i_ino, if d_inode
#         refused   socket->sk->sk_mark: trusted_ptr_or_null_sock
#         accepted  vma->vm_mm->start_stack
#         accepted  vma->vm_file->f_flags
#     7.3.4+deb13-cloud-amd64
#         accepted  file->f_inode->i_ino
#         accepted  dentry->d_parent->d_inode->i_ino
#         refused   dentry->d_inode->i_ino: trusted_ptr_or_null_inode
#         accepted  dentry->d_inode->i_ino, if d_inode
#         refused   socket->sk->sk_mark: trusted_ptr_or_null_sock
#         refused   vma->vm_mm->start_stack: trusted_ptr_or_null_mm_struct
#         refused   vma->vm_file->f_flags: trusted_ptr_or_null_file
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
fetch old-kernel bookworm -- download linux-image-6.1.0-50-cloud-amd64=6.1.176-1

# compile NAME HOOK STATEMENT: an object with an LSM program of this statement, which reads a number.
compile() {
    cat > program.c <<C
#define CORE __attribute__((preserve_access_index))
struct inode { unsigned long i_ino; } CORE;
struct dentry { struct dentry *d_parent; struct inode *d_inode; } CORE;
struct sock { unsigned int sk_mark; } CORE;
struct socket { struct sock *sk; } CORE;
struct file { unsigned int f_flags; struct inode *f_inode; } CORE;
struct mm_struct { unsigned long start_stack; } CORE;
struct vm_area_struct { struct mm_struct *vm_mm; struct file *vm_file; } CORE;
unsigned long number;
__attribute__((section("license"), used)) char _license[] = "GPL";
__attribute__((section("lsm/$2"), used)) int program(unsigned long *arguments) { $3 return 0; }
C
    LD_LIBRARY_PATH="$work/clang/root/usr/lib/llvm-22/lib:$work/clang/root/usr/lib/x86_64-linux-gnu" \
        "$work/clang/root/usr/lib/llvm-22/bin/clang" -target bpf -g -O2 -c program.c -o "guest/program-$count.o"
    echo "$1" >> guest/programs
    count=$((count + 1))
}
mkdir -p guest/bin guest/tool
count=0
compile 'file->f_inode->i_ino' file_open 'struct file *file = (void *)arguments[0]; number = file->f_inode->i_ino;'
dentry='struct dentry *dentry = (void *)arguments[1];'
compile 'dentry->d_parent->d_inode->i_ino' inode_unlink "$dentry number = dentry->d_parent->d_inode->i_ino;"
compile 'dentry->d_inode->i_ino' inode_unlink "$dentry number = dentry->d_inode->i_ino;"
compile 'dentry->d_inode->i_ino, if d_inode' inode_unlink \
    "$dentry struct inode *inode = dentry->d_inode; if (inode) number = inode->i_ino;"
compile 'socket->sk->sk_mark' socket_bind 'struct socket *socket = (void *)arguments[0]; number = socket->sk->sk_mark;'
area='struct vm_area_struct *area = (void *)arguments[0];'
compile 'vma->vm_mm->start_stack' file_mprotect "$area number = area->vm_mm->start_stack;"
compile 'vma->vm_file->f_flags' file_mprotect "$area number = area->vm_file->f_flags;"

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
    if /tool/ld-linux-x86-64.so.2 --library-path /tool /tool/bpftool prog load "/program-$number.o" \
        "/sys/fs/bpf/$number" > /said 2>&1; then
        echo "SEEN     accepted  $name"
    else
        echo "SEEN     refused   $name: $(sed -n 's/.*=\(trusted_ptr_or_null_[a-z_]*\).*/\1/p' /said | head -n 1)"
    fi
    number=$((number + 1))
done 3< /programs
poweroff -f
SH
chmod +x guest/init
(cd guest && find . | "$work/qemu/root/bin/busybox" cpio -o -H newc 2> /dev/null) > initramfs

root=$work/qemu/root
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/pulseaudio
loader=$(find "$root" -name ld-linux-x86-64.so.2 -type f | head -n 1)
for release in 6.1.0-50-cloud-amd64 6.12.117+deb13-cloud-amd64 6.18.15+deb13-cloud-amd64 7.3.4+deb13-cloud-amd64; do
    QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" timeout 600 "$loader" --library-path "$libraries" \
        "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
        -machine q35 -accel tcg,thread=single -m 1024 -nodefaults -no-user-config -display none -serial stdio \
        -kernel "$(find kernel/root old-kernel/root -name 'vmlinuz*' -path "*$release*")" -initrd initramfs \
        -append 'console=ttyS0 quiet nokaslr norandmaps' < /dev/null | tr -d '\r' | sed -n 's/^SEEN //p'
done > seen
cat seen
cat > stated <<'TEXT'
6.1.0-50-cloud-amd64
    accepted  file->f_inode->i_ino
    accepted  dentry->d_parent->d_inode->i_ino
    accepted  dentry->d_inode->i_ino
    accepted  dentry->d_inode->i_ino, if d_inode
    accepted  socket->sk->sk_mark
    accepted  vma->vm_mm->start_stack
    accepted  vma->vm_file->f_flags
6.12.117+deb13-cloud-amd64
    accepted  file->f_inode->i_ino
    accepted  dentry->d_parent->d_inode->i_ino
    accepted  dentry->d_inode->i_ino
    accepted  dentry->d_inode->i_ino, if d_inode
    refused   socket->sk->sk_mark: trusted_ptr_or_null_sock
    accepted  vma->vm_mm->start_stack
    accepted  vma->vm_file->f_flags
6.18.15+deb13-cloud-amd64
    accepted  file->f_inode->i_ino
    accepted  dentry->d_parent->d_inode->i_ino
    refused   dentry->d_inode->i_ino: trusted_ptr_or_null_inode
    accepted  dentry->d_inode->i_ino, if d_inode
    refused   socket->sk->sk_mark: trusted_ptr_or_null_sock
    accepted  vma->vm_mm->start_stack
    accepted  vma->vm_file->f_flags
7.3.4+deb13-cloud-amd64
    accepted  file->f_inode->i_ino
    accepted  dentry->d_parent->d_inode->i_ino
    refused   dentry->d_inode->i_ino: trusted_ptr_or_null_inode
    accepted  dentry->d_inode->i_ino, if d_inode
    refused   socket->sk->sk_mark: trusted_ptr_or_null_sock
    refused   vma->vm_mm->start_stack: trusted_ptr_or_null_mm_struct
    refused   vma->vm_file->f_flags: trusted_ptr_or_null_file
TEXT
cmp -s seen stated
