#!/bin/sh
# A relaxed atomic addition whose result is used gives back the number that was added, not the old value.
#
# Guess: with -mcpu=v3, which has atomic operations with a result, clang compiles
#     old = __atomic_fetch_add(&counter, 5, __ATOMIC_RELAXED);
# into the instruction that fetches, as it does for __ATOMIC_SEQ_CST. At worst it would refuse, as it does with -mcpu=v2.
#
# Seen: it emits the older instruction, which adds and returns nothing, and goes on with the register that held the
# number: `old` is 5 on every call. No compiler warns, and Linux 5.10 to 7.3 accept the program. __atomic_fetch_sub and
# the 32-bit forms are affected too, at -O0 as at -O2, with v3 as with v4; __atomic_add_fetch gives twice the number.
# Acquire, acq_rel and seq_cst additions, __sync_fetch_and_add (which is sequentially consistent) and a relaxed
# __atomic_fetch_or are compiled correctly. rustc 1.95.0, which brings its own LLVM, makes the same mistake with
# `atomic_xadd`.
#
# Who meets it: whoever hands out numbers or counts references with __atomic_fetch_add in C, or takes a ticket from a
# shared counter. clang 20 and newer compile for v3 when they are not told otherwise.
#
# Versions: clang 1:22.1.8-1~deb12u1 of Debian 12 (amd64); rustc 1.95.0 (59807616e 2026-04-14).
#
# Output:
#     clang version 22.1.8
#     relaxed: lock *(u64 *)(r1 + 0) += r0
#     seq_cst: r0 = atomic_fetch_add((u64 *)(r1 + 0), r0)
#     rustc 1.95.0
#     relaxed: lock *(u64 *)(r1 + 0) += r0
#     seq_cst: r0 = atomic_fetch_add((u64 *)(r1 + 0), r0)
#
# Needs apt-get on amd64 Debian 12 or newer. The part for Rust runs where rustup has 1.95.0, and is left out elsewhere.
# Exit code: 0 it is as stated, 1 it changed, 3 the compilers could not be installed.
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

cat > counter.c <<'C'
long counter;
long relaxed(void) { return __atomic_fetch_add(&counter, 5, __ATOMIC_RELAXED); }
long seq_cst(void) { return __atomic_fetch_add(&counter, 5, __ATOMIC_SEQ_CST); }
C

# Without a core library: two functions around the compiler's own operation.
cat > counter.rs <<'RUST'
#![feature(no_core, lang_items, intrinsics, rustc_attrs, adt_const_params, auto_traits)]
#![no_core]
#![crate_type = "lib"]
#![allow(internal_features, incomplete_features)]
#[lang = "pointee_sized"] pub trait PointeeSized {}
#[lang = "meta_sized"] pub trait MetaSized: PointeeSized {}
#[lang = "sized"] pub trait Sized: MetaSized {}
#[lang = "freeze"] pub unsafe auto trait Freeze {}
#[lang = "copy"] pub trait Copy {}
impl Copy for u64 {}
#[lang = "legacy_receiver"] pub trait LegacyReceiver {}
impl<T: PointeeSized> LegacyReceiver for &T {}
#[lang = "eq"] pub trait PartialEq<Rhs: PointeeSized = Self>: PointeeSized { fn eq(&self, other: &Rhs) -> bool; }
#[lang = "structural_peq"] pub trait StructuralPartialEq {}
#[lang = "const_param_ty"] pub trait ConstParamTy_: StructuralPartialEq + PointeeSized {}
pub enum AtomicOrdering { Relaxed = 0, Release = 1, Acquire = 2, AcqRel = 3, SeqCst = 4 }
impl StructuralPartialEq for AtomicOrdering {}
impl ConstParamTy_ for AtomicOrdering {}
#[rustc_intrinsic]
pub unsafe fn atomic_xadd<T: Copy, U: Copy, const ORD: AtomicOrdering>(at: *mut T, number: U) -> T;
#[unsafe(no_mangle)]
pub unsafe fn relaxed(counter: *mut u64) -> u64 {
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, 5) }
}
#[unsafe(no_mangle)]
pub unsafe fn seq_cst(counter: *mut u64) -> u64 {
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(counter, 5) }
}
RUST

# The instruction that adds, in one function of an assembly file.
adds() {
    sed -n "/^$2:/,/exit/p" "$1" | sed -n 's/^[[:space:]]*\(.*(u64 \*)(r1 + 0).*\)$/\1/p'
}

changed=0
judge() {
    for function in relaxed seq_cst; do
        echo "$function: $(adds "$1" $function)"
    done
    [ "$(adds "$1" relaxed)" = 'lock *(u64 *)(r1 + 0) += r0' ] || changed=1
    [ "$(adds "$1" seq_cst)" = 'r0 = atomic_fetch_add((u64 *)(r1 + 0), r0)' ] || changed=1
}

clang --version | sed -n 's/.*\(clang version [0-9.]*\).*/\1/p'
clang -target bpf -mcpu=v3 -O2 -S counter.c -o c.s
judge c.s

rustc=$(rustup which --toolchain 1.95.0 rustc 2>/dev/null || rustup which rustc 2>/dev/null || true)
case $([ -n "$rustc" ] && "$rustc" --version) in
    'rustc 1.95.0 '*)
        echo 'rustc 1.95.0'
        RUSTC_BOOTSTRAP=1 "$rustc" --edition 2024 --target bpfel-unknown-none -C target-cpu=v3 -C panic=abort -O \
            --emit=asm counter.rs -o rust.s
        judge rust.s
        ;;
    *) echo 'rustc 1.95.0: not here, left out' ;;
esac

exit $changed
