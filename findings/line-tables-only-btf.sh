#!/bin/sh
# With -gline-tables-only, clang writes BTF in which a function's type does not exist, and differs from build to build.
#
# Guess: line tables are not types, so the object has no BTF, or BTF with a FUNC_PROTO without parameters. In any case the
# same source and the same compiler make the same object.
#
# Seen: the .BTF section has each function, and no type for any of them. The number that stands for a function's type is
# what happened to be in the compiler's memory: 32764, 32766, 32767, a different one from build to build. With -g it is 2,
# a FUNC_PROTO. The kernel refuses such BTF ("Invalid type_id"). libbpf 1.1 then says "BTF is optional, ignoring" and loads
# an XDP program without it; aya 0.14 loads no LSM or fentry program from such an object. rustc 1.95 with bpf-linker 0.13
# does the same to crates that are built with debug = "line-tables-only" or debug = 1.
#
# Who meets it: whoever reduces debug information to make objects smaller or links faster, for one crate or for all, and
# whoever wants builds that can be reproduced.
#
# Versions: clang 1:22.1.8-1~deb12u1 of Debian 12 (amd64).
#
# Output (the first of the two types differs each time):
#     clang version 22.1.8
#     -gline-tables-only: 1 function, 0 prototypes, its type is 32766
#     -g: 1 function, 1 prototype, its type is 2
#
# Needs apt-get on amd64 Debian 12 or newer, and its address space randomisation for the numbers to differ.
# Exit code: 0 it is as stated, 1 it changed, 3 the compiler could not be had.
set -eu

version=1:22.1.8-1~deb12u1
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
own update && own download "clang-22=$version" "libclang-cpp22=$version" "libllvm22=$version" libz3-4 libedit2 \
    libbsd0 libmd0 libxml2 libicu72 libtinfo6 || exit 3
for package in *.deb; do
    dpkg-deb -x "$package" root
done
clang() {
    LD_LIBRARY_PATH="$work/root/usr/lib/llvm-22/lib:$work/root/usr/lib/x86_64-linux-gnu" \
        "$work/root/usr/lib/llvm-22/bin/clang" "$@"
}

cat > two.c <<'C'
int two(int number) { return number + 2; }
C

# How often a kind of type occurs in an assembly file.
count() {
    grep -c "# BTF_KIND_$2(id" "$1" || true
}

# The third number of a function's entry in BTF.
type_of_function() {
    grep -A 2 '# BTF_KIND_FUNC(id' "$1" | sed -n '3s/[[:space:]]*\.long[[:space:]]*\([0-9]*\).*/\1/p'
}

clang --version | sed -n 's/.*\(clang version [0-9.]*\).*/\1/p'
clang -target bpf -O2 -gline-tables-only -S two.c -o lines.s
clang -target bpf -O2 -g -S two.c -o full.s
lines=$(type_of_function lines.s)
full=$(type_of_function full.s)
echo "-gline-tables-only: $(count lines.s FUNC) function, $(count lines.s FUNC_PROTO) prototypes, its type is $lines"
echo "-g: $(count full.s FUNC) function, $(count full.s FUNC_PROTO) prototype, its type is $full"

[ "$(count lines.s FUNC) $(count lines.s FUNC_PROTO)" = '1 0' ] || exit 1
# Types are numbered from 1, and there are only a few.
[ "$lines" -gt 100 ] || exit 1
[ "$(count full.s FUNC) $(count full.s FUNC_PROTO) $full" = '1 1 2' ] || exit 1
