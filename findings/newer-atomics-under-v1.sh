#!/bin/sh
# clang -mcpu=v1 does not keep the newer atomic instructions out of an eBPF program, up to clang 19.
#
# Guess: -mcpu=v1 or v2 restricts clang to the instructions of that version. If the source needs a newer one, as the result
# of __sync_fetch_and_add does (version 3), clang says so, and whatever compiles is right for old kernels.
#
# Seen: clang 14, 16 and 19 emit the instruction, atomic_fetch_add, for v1 and v2 as well, without a warning. The object is
# refused only by the kernel: Linux 5.10 says "BPF_STX uses reserved fields", 6.1 accepts it. clang 22 refuses the source
# under v1 and v2 ("Invalid usage of the XADD return value"), so a program that compiled for years stops to compile, and
# people take the newer clang for the culprit.
#
# Who meets it: whoever builds for old kernels with -mcpu=v2, and whoever moves from clang 19 to a newer one.
#
# Versions: clang 1:14.0.6-12, 1:16.0.6-15~deb12u1, 1:19.1.7-3~deb12u1, 1:22.1.8-1~deb12u1, all of Debian 12 (amd64).
# The kernels were asked once, with the object of clang 14 (-mcpu=v2): 5.10.0-46 and 6.1.0-50.
#
# Output:
#     clang 14 -mcpu=v1: atomic_fetch_add
#     clang 14 -mcpu=v2: atomic_fetch_add
#     clang 16 -mcpu=v1: atomic_fetch_add
#     clang 16 -mcpu=v2: atomic_fetch_add
#     clang 19 -mcpu=v1: atomic_fetch_add
#     clang 19 -mcpu=v2: atomic_fetch_add
#     clang 22 -mcpu=v1: error: Invalid usage of the XADD return value
#     clang 22 -mcpu=v2: error: Invalid usage of the XADD return value
#
# Needs apt-get on amd64 Debian 12 or newer. Nothing is loaded into the kernel.
# Exit code: 0 it is as stated, 1 it changed, 3 a package could not be had.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# apt with its own lists and packages, and the mirrors of the machine's own apt.
mkdir -p etc lists/partial cache/archives/partial state root
sites=$(apt-get indextargets --no-release-info --format '$(SITE)' 'Created-By: Packages' | sort -u)
security=$(printf '%s\n' "$sites" | grep -m 1 'debian-security' || true)
main=$(printf '%s\n' "$sites" | grep -m 1 '/debian/*$' || true)
if [ -z "$security" ] || [ -z "$main" ]; then
    echo 'error: the machine'\''s apt configuration names no mirror of Debian and of its security updates' >&2
    exit 3
fi
key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
printf 'deb %s %s bookworm-security main\ndeb %s %s bookworm main\n' "$key" "$security" "$key" "$main" > etc/sources.list
own() {
    apt-get -qq -o Dir::Etc::sourcelist="$work/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$work/state" -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null \
        -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
own update && own download clang-14=1:14.0.6-12 libclang-cpp14 libllvm14 clang-16=1:16.0.6-15~deb12u1 libclang-cpp16 \
    libllvm16 clang-19=1:19.1.7-3~deb12u1 libclang-cpp19 libllvm19 clang-22=1:22.1.8-1~deb12u1 libclang-cpp22 \
    libllvm22 libz3-4 libedit2 libbsd0 libmd0 libxml2 libicu72 libtinfo6 || exit 3
for package in *.deb; do
    dpkg-deb -x "$package" root
done

cat > number.bpf.c <<'C'
unsigned long long next;

__attribute__((section("socket"), used)) int number(void *context)
{
	return __sync_fetch_and_add(&next, 1) & 1;
}
C
for version in 14 16 19 22; do
    for cpu in v1 v2; do
        llvm=$work/root/usr/lib/llvm-$version
        LD_LIBRARY_PATH="$llvm/lib:$work/root/usr/lib/x86_64-linux-gnu" "$llvm/bin/clang" -target bpf -O2 "-mcpu=$cpu" \
            -S number.bpf.c -o number.s 2> said || true
        found=$(grep -oh 'atomic_fetch_add' number.s 2> missing | head -1) || true
        error=$(grep -o 'error: Invalid.*' said) || true
        echo "clang $version -mcpu=$cpu: ${error:-$found}"
    done
done | tee seen

[ "$(grep -c 'clang 1.*: atomic_fetch_add$' seen)" = 6 ] || exit 1
[ "$(grep -c 'clang 22.*: error: Invalid usage of the XADD return value$' seen)" = 2 ] || exit 1
