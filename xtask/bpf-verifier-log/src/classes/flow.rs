//! The shape of a program: its ends, its jumps, its loops, its length.

use super::class_text::ClassText;

pub static NO_EXIT_LAST_INSN: ClassText = ClassText {
    slug: "no-exit-last-insn",
    title: "a function ends without exit or jump",
    rule: "Each function must end in `exit` or in a jump. In Rust this is nearly always a panic \
           that is left in the binary: the panic handler never returns, so its code (and that of \
           functions like core::panicking::panic) ends without `exit`. In C it is a function that \
           runs off its end, for example after __builtin_unreachable(), or an external function \
           that was never linked.",
    fix_c: "Return on every path, remove __builtin_unreachable(), and see with `llvm-objdump -d` \
            which function ends without exit (use LLVM 22's: Debian 12's, which is 14, shows \
            signed division as unsigned and sign extension as a move).",
    fix_rust: "Find the panic: `cargo xtask explain --object FILE` names its line. Replace \
               indexing by `get()`, `unwrap` by `?` or `let else`, `a / b` by `checked_div` of \
               unsigned numbers, `copy_from_slice` by a fixed length; build with `--release`, \
               where overflow checks are off.",
};

pub static UNREACHABLE_INSN: ClassText = ClassText {
    slug: "unreachable-insn",
    title: "code can never be reached",
    rule: "The verifier refuses instructions that no path leads to. Compilers remove dead code, \
           so this is hand-written assembly, a kernel without support for function calls (before \
           4.16) or sections that were put together wrongly.",
    fix_c: "Remove the code after an unconditional jump or exit; compile with -O2; make functions \
            __always_inline on kernels before 4.16.",
    fix_rust: "Build with `--release` and an up-to-date bpf-linker.",
};

pub static JUMP_OUT_OF_RANGE: ClassText = ClassText {
    slug: "jump-out-of-range",
    title: "a jump or call leads out of the function",
    rule: "Jumps must stay within their function, and calls must lead to the first instruction of \
           one. A call of an external function that was never resolved looks like this, and so \
           does broken assembly.",
    fix_c: "Look for functions that are only declared (libc functions, too): define them or make \
            them static inline. Load with libbpf, which relocates calls between sections.",
    fix_rust: "Build with bpf-linker, and look for `extern \"C\"` functions without a definition.",
};

pub static LOOP_BACK_EDGE: ClassText = ClassText {
    slug: "loop-back-edge",
    title: "a loop, where this kernel or this user may have none",
    rule: "Before Linux 5.3 programs could have no loops, and that is still true for programs \
           that are loaded without CAP_BPF.",
    fix_c: "Load with CAP_BPF; before Linux 5.3, `#pragma unroll` with a constant bound. \
            bpf_loop() needs CAP_BPF too.",
    fix_rust: "Load with CAP_BPF; on an old kernel unroll by hand, or loop over a constant range \
               that LLVM unrolls.",
};

pub static INFINITE_LOOP: ClassText = ClassText {
    slug: "infinite-loop",
    title: "a loop does not seem to end",
    rule: "The verifier came to the same instruction twice with the same state, so nothing that \
           it can see makes progress. The counter may be reset, be kept where the verifier does \
           not follow it, or not change the condition. In Rust, `loop {}` in a panic handler that \
           can be reached looks like this.",
    fix_c: "Use a counter with a constant bound that changes in each round: `for (int i = 0; i < \
            MAX; i++)`, and break out of it; or bpf_loop() (Linux 5.17), or bpf_for() (6.4).",
    fix_rust: "`for i in 0..MAX` with a constant MAX. Look for a panic that is left in (`cargo \
               xtask explain --object FILE` names its line): its handler is a `loop {}`.",
};

pub static COMPLEXITY_INSNS: ClassText = ClassText {
    slug: "complexity-insns",
    title: "checking the program takes too many steps",
    rule: "The verifier walks through every path and gives up after 1,000,000 instructions \
           (131,072 before 5.2), however small the program. Branches within loops multiply the \
           paths; where the states differ a little at the same place, none can be left out. The \
           instruction at the end of the log is only where it stopped.",
    fix_c: "Move the loop's body into bpf_loop() (5.17) or use bpf_for() (6.4), which are checked \
            once. Split into global (non-static, __noinline) functions (Linux 5.6): each is \
            checked once, however often it is called, but the million is for all of them \
            together. Fewer branches in loops, smaller bounds, tail calls.",
    fix_rust: "Fewer rounds and no `match` in byte loops; `bpf_loop` (Linux 5.17) with an `extern \
               \"C\"` callback; tail calls through a `ProgramArray`. aya's logging in a loop is \
               expensive: take it out.",
};

pub static COMPLEXITY_JUMPS: ClassText = ClassText {
    slug: "complexity-jumps",
    title: "too many branches wait to be checked",
    rule: "Each conditional jump leaves a path for later, and at most 8192 may wait at a time. A \
           loop with several ways out, unrolled or not, collects them.",
    fix_c: "As for too many instructions: fewer exits from loops, bpf_loop() (Linux 5.17) or \
            bpf_for() (6.4), global functions (5.6), tail calls.",
    fix_rust: "Fewer `?`, `break` and `match` within loops; `bpf_loop` (Linux 5.17); tail calls.",
};

pub static UNKNOWN_OPCODE: ClassText = ClassText {
    slug: "unknown-opcode",
    title: "an instruction that this kernel does not have",
    rule: "8d is a call through a register: a function pointer, a vtable, or a call that was not \
           inlined at -O0. Other codes are newer instructions (-mcpu=v3, v4) or bytes that are no \
           program at all, because a call was never resolved.",
    fix_c: "Compile with -O2, `-mcpu=v2` or v3 for old kernels and `-fno-jump-tables`; replace \
            function pointers by a switch.",
    fix_rust: "No `dyn Trait`, no fn pointers, no `core::fmt` in the eBPF program; use generics \
               and `match`. Build with `--release`.",
};

pub static MALFORMED_INSN: ClassText = ClassText {
    slug: "malformed-insn",
    title: "an instruction is malformed",
    rule: "A field of the instruction that must be 0 is not, a constant is out of range (a shift \
           by 64, a division by 0), R10 is written, or the two halves of a 64-bit constant do not \
           belong together. Compilers do not emit that for the kernel they are told: it is a \
           newer instruction on an old kernel, hand-written assembly, or an object that was not \
           relocated.",
    fix_c: "Compile for the oldest kernel (`-mcpu=v2`); load with libbpf, which relocates; check \
            inline assembly.",
    fix_rust: "Build for the oldest kernel (`-C target-cpu=v2`), and load with aya's \
               `Ebpf::load`.",
};

pub static ATOMICS_RESERVED: ClassText = ClassText {
    slug: "atomics-reserved",
    title: "an atomic operation that this kernel or this memory does not allow",
    rule: "Linux before 5.12 knows only one atomic operation, addition without a result. \
           Fetching, exchange and compare need 5.12 and -mcpu=v3, and exist for 4 and 8 bytes \
           only. Load-acquire and store-release need 6.15 and -mcpu=v4; before, they are \
           \"BPF_ATOMIC uses invalid atomic opcode\", or for 1 and 2 bytes an unknown opcode. \
           Context and packet cannot be changed atomically.",
    fix_c: "For 5.10: `__sync_fetch_and_add(p, 1);` without use of its result, compiled with \
            -mcpu=v2 (newer clangs emit the fetching form for v3). Otherwise a per-CPU map, or \
            bpf_spin_lock. For a result under v3, use `__sync_fetch_and_add` or \
            `__ATOMIC_SEQ_CST`: clang 22.1.8 compiles a relaxed `__atomic_fetch_add` into the \
            form without a result, and goes on with the number that was added.",
    fix_rust: "Use a `PerCpuArray` or `PerCpuHashMap` and add without atomics. On this target \
               Rust 1.95 has no AtomicU32 and no `fetch_add`: AtomicU64 and AtomicUsize can be \
               loaded and stored, and that only with `-C target-cpu=v4`.",
};

pub static JUMP_TABLE: ClassText = ClassText {
    slug: "jump-table",
    title: "a jump table is malformed",
    rule: "Indirect jumps (`gotox`, newer than Linux 6.18) go through a map of the type \
           insn_array, and every entry that the index can reach must be an instruction of the \
           same function.",
    fix_c: "Compile with -fno-jump-tables, or load with a libbpf that knows insn_array maps.",
    fix_rust: "Compile without jump tables (`-C jump-tables=no`), or write the `match` as `if`s.",
};

pub static LD_ABS: ClassText = ClassText {
    slug: "ld-abs",
    title: "a classic packet load (LD_ABS, LD_IND) where it is not allowed",
    rule: "The old loads of packet bytes end the program when they fail. They exist for socket \
           filters and tc programs only, expect the skb in R6, and must not be used while a lock \
           or a reference is held.",
    fix_c: "Use bpf_skb_load_bytes() instead of load_byte(), load_half() and load_word().",
    fix_rust: "Use `ctx.load::<u16>(offset)`.",
};
