#!/bin/sh
# Two CPUs of an emulated machine wait for each other. On x86-64, with the instruction that says so, a thousand turns take
# some milliseconds. On arm64, with the instruction that Rust waits with, they take seconds: as long as with none at all.
#
# Guess: `std::hint::spin_loop()` is made for such loops, and tells an emulator on both architectures that it may turn to
# another CPU. Where it does nothing, a turn costs what a time slice costs; but no architecture has it do nothing.
#
# Seen: QEMU with one thread for all CPUs (`thread=single`) leaves a CPU that executes `pause` (x86-64) or `yield` (arm64) and
# goes on with the next. With neither, a turn lasts until something interrupts the CPU that spins: about 4 ms, a thousand
# times as long. On x86-64 Rust's hint is `pause`. On arm64 it is not `yield`, as the Arm manual would have it, but
# `isb sy`: real CPUs do nothing at `yield`, and rest for a moment at `isb`. For QEMU `isb` is no reason to go on with
# another CPU. So the same source, which takes 3 ms on one emulated machine, takes 8 s on the other.
#
# Who meets it: whoever tests code with spin-waits, or whose libraries have some, on emulated arm64 machines. A test that
# has time limits fails there, and nothing says why.
#
# Versions: QEMU 1:7.2+dfsg-7+deb12u18; Linux 6.12.117-1 (cloud, amd64 and arm64); clang 1:22.1.8-1~deb12u1. What Rust's hint
# is was looked up in the assembly of rustc 1.95.0 (`rustc -O --emit asm --target aarch64-unknown-linux-gnu`).
#
# Output, in milliseconds:
#     x86_64 no hint: 8441
#     x86_64 pause: 3
#     aarch64 no hint: 7893
#     aarch64 isb: 7854
#     aarch64 yield: 6
# The numbers differ from run to run. What is stated: below 1000 for `pause` and `yield`, above 2000 for the others.
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
fetch amd64 qemu bookworm bookworm-security -- install qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3 \
    qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 busybox-static
fetch amd64 clang bookworm bookworm-security -- download clang-22=1:22.1.8-1~deb12u1 lld-22=1:22.1.8-1~deb12u1 \
    libclang-cpp22=1:22.1.8-1~deb12u1 libllvm22=1:22.1.8-1~deb12u1 libz3-4 libedit2 libbsd0 libmd0 libxml2 libicu72 libtinfo6
fetch amd64 amd64 trixie -- download linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1
fetch arm64 arm64 trixie -- download linux-image-6.12.117+deb13-cloud-arm64=6.12.117-1

# The guest's only program. Two processes share a page, each on a CPU of its own, and take turns.
cat > init.c <<'C'
typedef unsigned long word;
#ifdef __x86_64__
enum { WRITE = 1, MMAP = 9, FORK = 57, AFFINITY = 203, CLOCK = 228, REBOOT = 169, EXIT = 60, WAIT = 61 };
static word call(word number, word a, word b, word c, word d, word e, word f)
{
	register word r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return number;
}
#define HINTS { "no hint", "pause" }
#define WAIT_1 "pause"
#define WAIT_2 ""
enum { COUNT = 2 };
#else
enum { WRITE = 64, MMAP = 222, FORK = 220, AFFINITY = 122, CLOCK = 113, REBOOT = 142, EXIT = 93, WAIT = 260 };
static word call(word number, word a, word b, word c, word d, word e, word f)
{
	register word x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
	register word x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#define HINTS { "no hint", "isb", "yield" }
#define WAIT_1 "isb sy"
#define WAIT_2 "yield"
enum { COUNT = 3 };
#endif
enum { TURNS = 1000 };
static volatile int *turn;

static void take_turns(int hint, int own)
{
	word cpus = 1ul << own;

	call(AFFINITY, 0, sizeof(cpus), (word)&cpus, 0, 0, 0);
	for (int i = 0; i < TURNS; i++) {
		while (*turn != own) {
			if (hint == 1)
				__asm__ volatile(WAIT_1);
			else if (hint == 2)
				__asm__ volatile(WAIT_2);
		}
		*turn = !own;
	}
}

static word milliseconds(void)
{
	word time[2];

	call(CLOCK, 1, (word)time, 0, 0, 0, 0);
	return time[0] * 1000 + time[1] / 1000000;
}

static void print(const char *text)
{
	word length = 0;

	while (text[length])
		length++;
	call(WRITE, 1, (word)text, length, 0, 0, 0);
}

void start(void)
{
	static const char *hints[] = HINTS;
	char digits[24];

	turn = (volatile int *)call(MMAP, 0, 4096, 3, 0x21, -1ul, 0);
	for (int hint = 0; hint < COUNT; hint++) {
		*turn = 0;
		word begin = milliseconds();
		/* SIGCHLD for arm64's clone; x86-64's fork has no arguments. */
		word child = call(FORK, 17, 0, 0, 0, 0, 0);
		if (!child) {
			take_turns(hint, 1);
			call(EXIT, 0, 0, 0, 0, 0, 0);
		}
		take_turns(hint, 0);
		word took = milliseconds() - begin;
		call(WAIT, child, 0, 0, 0, 0, 0);
		char *at = digits + sizeof(digits);
		*--at = 0;
		do
			*--at = '0' + took % 10;
		while (took /= 10);
		print("SEEN ");
		print(hints[hint]);
		print(": ");
		print(at);
		print("\n");
	}
	call(REBOOT, 0xfee1dead, 672274793, 0x4321fedc, 0, 0, 0);
}
C

root=$work/qemu/root
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/pulseaudio
loader=$(find "$root" -name ld-linux-x86-64.so.2 -type f | head -n 1)
llvm=$work/clang/root/usr/lib/llvm-22

# boot MACHINE ARCHITECTURE OPTION...: builds the program for a machine, and runs it there.
boot() {
    machine=$1
    architecture=$2
    shift 2
    mkdir "guest-$machine"
    LD_LIBRARY_PATH="$llvm/lib:$work/clang/root/usr/lib/x86_64-linux-gnu" "$llvm/bin/clang" -target "$machine-linux-gnu" -O2 \
        -ffreestanding -fno-stack-protector -fno-pic -c init.c -o "$machine.o"
    LD_LIBRARY_PATH="$llvm/lib:$work/clang/root/usr/lib/x86_64-linux-gnu" "$llvm/bin/ld.lld" -static -e start "$machine.o" \
        -o "guest-$machine/init"
    (cd "guest-$machine" && find . | "$work/qemu/root/bin/busybox" cpio -o -H newc 2> /dev/null) > initramfs
    QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu" timeout 600 "$loader" --library-path "$libraries" \
        "$root/usr/bin/qemu-system-$machine" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
        -accel tcg,thread=single -smp 2 -m 512 -nodefaults -no-user-config -display none -serial stdio \
        -kernel "$(find "$architecture/root" -name 'vmlinuz*')" -initrd initramfs "$@" < /dev/null | tr -d '\r' | sed -n "s/^SEEN /$machine /p"
}
boot x86_64 amd64 -machine q35 -append 'console=ttyS0 quiet' > measured
boot aarch64 arm64 -machine virt,gic-version=3 -cpu max,pauth-impdef=on -append 'console=ttyAMA0 quiet' >> measured
cat measured
awk '
    / (pause|yield): / && $NF < 1000 { quick++ }
    / (no hint|isb): / && $NF > 2000 { slow++ }
    END { exit !(NR == 5 && quick == 2 && slow == 3) }
' measured
