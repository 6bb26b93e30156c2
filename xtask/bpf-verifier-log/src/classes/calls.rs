//! Calls: of helpers, of kernel functions, and of the program's own functions.

use super::class_text::ClassText;

pub static HELPER_ARG_TYPE: ClassText = ClassText {
    slug: "helper-arg-type",
    title: "a helper gets an argument of the wrong kind",
    rule: "Each argument of a helper has a type. `type=` is what the register holds, `expected=` \
           is what the helper accepts. `expected=map_ptr` with a number means that the map was \
           not relocated; a number where memory is expected is a kernel or user address; \
           `..._or_null` was not checked; `fp` where a kernel type is expected is a copy on the \
           stack.",
    fix_c: "Copy kernel data to the stack first (bpf_probe_read_kernel) if memory is expected; \
            pass the original pointer (bpf_get_current_task_btf() from Linux 5.11 on, an argument \
            of fentry) if a kernel type is. Put maps into SEC(\".maps\").",
    fix_rust: "Read the key into a local variable and pass `&key`; keep pointers with kernel type \
               as the context gave them; handle `None` before.",
};

pub static HELPER_NOT_ALLOWED: ClassText = ClassText {
    slug: "helper-not-allowed",
    title: "this helper is not available here",
    rule: "Each program type has its own list of helpers, which grows from kernel to kernel, and \
           some helpers are allowed at certain functions only (bpf_d_path, for example). `unknown \
           func` and `program of this type cannot use` mean the same; `invalid func unknown#N` is \
           a helper that this kernel is too old for.",
    fix_c: "Look up the helper's program types and first kernel in bpf-helpers(7); probe with \
            `bpftool feature probe`; use another helper or another program type.",
    fix_rust: "The same; note that methods of aya's contexts, and its logging, call helpers too.",
};

pub static LOCKDOWN: ClassText = ClassText {
    slug: "lockdown",
    title: "the kernel does not let programs read its memory",
    rule: "From Linux 5.8 on, programs of nearly every type may call bpf_probe_read_kernel and \
           bpf_probe_read_kernel_str (tracing programs from 5.5 on), so the type is hardly ever \
           the reason that they are refused. Likely the kernel is locked down: with lockdown in \
           mode `confidentiality` it takes these helpers, and bpf_probe_read and \
           bpf_probe_read_str, away from all programs, with the words that it has for a wrong \
           type. The other cause is a process without CAP_PERFMON, in programs that are not for \
           tracing.",
    fix_c: "`cat /sys/kernel/security/lockdown`: with `[confidentiality]` no program can read \
            kernel memory by address. Boot with `lockdown=integrity` or `lockdown=none` (Secure \
            Boot may choose the mode), or read through pointers with a kernel type, which is \
            allowed: fentry and tp_btf arguments, bpf_get_current_task_btf() (Linux 5.11). \
            Otherwise load with CAP_PERFMON.",
    fix_rust: "The same. `ctx.arg` of kprobes and the methods of aya's contexts call these \
               helpers too; fentry and btf_tracepoint programs can read their arguments directly.",
};

pub static MAP_TYPE_MISMATCH: ClassText = ClassText {
    slug: "map-type-mismatch",
    title: "this map type does not fit this helper",
    rule: "The number is the map type's in enum bpf_map_type: 1 hash, 2 array, 3 prog_array, 4 \
           perf_event_array, 27 ring buffer. Each helper works on certain types: \
           bpf_perf_event_output on perf event arrays, bpf_ringbuf_* on ring buffers, \
           bpf_tail_call on program arrays (up to Linux 6.12 the message for a tail call is \
           \"kernel subsystem misconfigured verifier\"), redirect helpers on their device maps.",
    fix_c: "Change the map's type, or the helper: bpf_ringbuf_output() for a ring buffer.",
    fix_rust: "Declare the map with the type that is used: `PerfEventArray`, `RingBuf`, \
               `ProgramArray`.",
};

pub static HELPER_PACKET_ARG: ClassText = ClassText {
    slug: "helper-packet-arg",
    title: "a helper does not take a pointer into the packet here",
    rule: "Programs that may not read the packet directly, and helpers that could change it, \
           refuse packet pointers as arguments.",
    fix_c: "Copy what you need to the stack or into a map value, and pass that. To send packet \
            bytes with bpf_perf_event_output, give their length in the flags (BPF_F_CTXLEN_MASK).",
    fix_rust: "Copy with `ctx.load_bytes()` to a buffer and pass that; or \
               `PerfEventByteArray::output` with the context.",
};

pub static GPL: ClassText = ClassText {
    slug: "gpl",
    title: "this function is only for programs under a GPL-compatible licence",
    rule: "Many tracing helpers and all kfuncs are for programs whose licence string is \
           compatible with the GPL, and LSM and struct_ops programs always need one. The loader \
           reads the string from the section `license`; libbpf takes a missing one as not GPL, \
           aya as GPL.",
    fix_c: "`char LICENSE[] SEC(\"license\") = \"Dual MIT/GPL\";` (or \"GPL\").",
    fix_rust: "`#[unsafe(link_section = \"license\")] #[unsafe(no_mangle)] static LICENSE: [u8; \
               13] = *b\"Dual MIT/GPL\\0\";`",
};

pub static GLOBAL_FUNC_ARG: ClassText = ClassText {
    slug: "global-func-arg",
    title: "a global function's argument does not fit",
    rule: "A function that is not static is checked on its own, knowing nothing about its \
           arguments but their types in BTF: a pointer may be NULL, and points to as many bytes \
           as its type has. Where the types are not clear (void pointers, unknown structs), or a \
           caller passes something else than declared, it is refused.",
    fix_c: "Make the function `static`, or declare its arguments: `__arg_ctx` and `__arg_nonnull` \
            (Linux 6.8), `__arg_trusted` and `__arg_arena` (6.9); check pointers for NULL within \
            it.",
    fix_rust: "Mark functions that take pointers `#[inline(always)]`, and do not export them with \
               `#[unsafe(no_mangle)]`.",
};

pub static GLOBAL_FUNC_RETURN: ClassText = ClassText {
    slug: "global-func-return",
    title: "a global function returns what it may not",
    rule: "A global function must return a number; up to Linux 6.18 void is refused too. A struct \
           or a pointer cannot be returned, because its callers are checked without looking into \
           it.",
    fix_c: "Make the function static, or return an int and pass results through a pointer \
            argument.",
    fix_rust: "Mark it `#[inline(always)]`, or return an integer.",
};

pub static CALL_DEPTH_RECURSION: ClassText = ClassText {
    slug: "call-depth-recursion",
    title: "calls are nested too deeply, or recursive",
    rule: "At most 8 functions may be nested, the program itself included (16 from Linux 7.2 on), \
           and none may call itself, not even through others.",
    fix_c: "Make inner functions static __always_inline; turn recursion into a bounded loop, \
            bpf_loop() (Linux 5.17) or a tail call.",
    fix_rust: "`#[inline(always)]` on small functions, `--release` (iterators nest deeply without \
               optimisation), loops instead of recursion.",
};

pub static TAIL_CALL_RULES: ClassText = ClassText {
    slug: "tail-call-rules",
    title: "a tail call where it is not allowed",
    rule: "A tail call replaces the running program, so the program may leave nothing open: no \
           lock, no reference, no frame that is too large (256 bytes in all frames below a \
           function that makes one). With functions in the program it needs the JIT, and Linux \
           5.10 or later on x86; it cannot be made from callbacks.",
    fix_c: "Release everything before the call, call from the main program, make functions \
            __always_inline on old kernels, and enable the JIT. \"not allowed in subprogs without \
            BTF\": compile with -g, and check whether the loader warned that the kernel refused \
            the BTF.",
    fix_rust: "Call `PROGRAMS.tail_call(&ctx, i)` from the entry function, and inline the rest on \
               old kernels. Functions need their types for it: `debug = 2`, and bpf-linker's \
               `--btf`.",
};

pub static CALLBACKS: ClassText = ClassText {
    slug: "callbacks",
    title: "a callback breaks the rules for callbacks",
    rule: "Callbacks of bpf_loop (Linux 5.17), bpf_for_each_map_elem (5.13), timers (5.15) and \
           others must be static functions with BTF, and most must return 0 (go on) or 1 (stop) \
           on every path. They need the JIT, and no tail call may be made in them.",
    fix_c: "`static long cb(__u64 i, void *ctx) { ...; return 0; }`, and never another return \
            value than 0 or 1.",
    fix_rust: "`unsafe extern \"C\" fn cb(i: u64, ctx: *mut c_void) -> i64` that returns the \
               constants 0 or 1; link with `--btf`.",
};

pub static EXCEPTIONS: ClassText = ClassText {
    slug: "exceptions",
    title: "an exception or its callback breaks the rules for exceptions",
    rule: "bpf_throw() (Linux 6.7) ends a program through its exception callback. There can be \
           one for a program; it must be a global function with a single integer argument, and \
           cannot be called directly.",
    fix_c: "`SEC(\"...\") __exception_cb(handler)` with `__noinline int handler(u64 cookie)`; no \
            bpf_throw in callbacks. libbpf's headers do not have the macro: it is \
            `__attribute__((btf_decl_tag(\"exception_callback:handler\")))`.",
    fix_rust: "bpf_throw is not reachable from aya; link a C object for it, or return an error \
               code.",
};

pub static KFUNC_NOT_ALLOWED: ClassText = ClassText {
    slug: "kfunc-not-allowed",
    title: "this kernel function cannot be called from this program",
    rule: "A kfunc is registered for certain program types, and for some only at certain attach \
           points. It also needs the JIT, BTF in the kernel, and for a few special capabilities.",
    fix_c: "Look where the kernel registers it (register_btf_kfunc_id_set) and use such a program \
            type; guard it with bpf_ksym_exists(). Enable the JIT.",
    fix_rust: "Kfuncs need BTF-typed externs, which rustc does not emit: use a helper, or link a \
               C object.",
};

pub static KFUNC_MISSING: ClassText = ClassText {
    slug: "kfunc-missing",
    title: "the running kernel has no such kernel function or variable",
    rule: "The program refers to a kernel symbol by its BTF, and this kernel does not have it, \
           has it in a module that is not loaded, or has it with another prototype.",
    fix_c: "Declare it `__ksym __weak`, and call it only after `if (bpf_ksym_exists(f))`; load \
            the module; give a fallback for older kernels.",
    fix_rust: "rustc does not emit such references; they come from C objects that are linked in.",
};

pub static KFUNC_NULL_ARG: ClassText = ClassText {
    slug: "kfunc-null-arg",
    title: "a pointer that may be NULL is passed where it must not be",
    rule: "The function requires a pointer to a living object, and the register may hold NULL on \
           this path.",
    fix_c: "`if (!p) return 0;` right before the call, on the same variable.",
    fix_rust: "`if p.is_null() { return 0 }` right before the call.",
};

pub static KFUNC_ARG: ClassText = ClassText {
    slug: "kfunc-arg",
    title: "a kernel function gets an argument of the wrong kind",
    rule: "Kfuncs take their arguments' types from the kernel's BTF. The message names the \
           argument (`arg#0` is the first, since 7.2 it is `R1`) and what was expected: a number, \
           the context, memory followed by its length, a callback, or a pointer to a certain \
           kernel struct.",
    fix_c: "Compare the call with the function's prototype in vmlinux.h; suffixes there matter: \
            `__sz` is a length, `__k` a constant, `__ign` anything, `__nullable` may be NULL.",
    fix_rust: "Kfuncs are called from linked C objects; check the prototype there.",
};

pub static CONST_ARG: ClassText = ClassText {
    slug: "const-arg",
    title: "an argument must be a constant that is known when the program is loaded",
    rule: "Some sizes and flags decide about types, so the verifier must know them exactly; a \
           variable will not do, even a bounded one.",
    fix_c: "Pass a literal or sizeof; inline the function in between, so that the constant \
            arrives.",
    fix_rust: "Pass a `const`, and mark the functions in between `#[inline(always)]`.",
};

pub static CONST_STRING: ClassText = ClassText {
    slug: "const-string",
    title: "a string argument must be in a read-only map",
    rule: "Format strings and other constant strings must be literals in .rodata \
           (`expected=map_value` and `type=fp` say the same), known when the program is loaded, \
           ended by a 0, and with format specifiers that bpf_snprintf() and bpf_trace_printk() \
           know.",
    fix_c: "`static const char fmt[] = \"...\";`, or a literal through bpf_printk() or \
            BPF_SNPRINTF() (Linux 5.13); not an array on the stack.",
    fix_rust: "A `static FORMAT: [u8; N] = *b\"...\\0\"`, passed by its address.",
};

pub static READONLY_MEMORY: ClassText = ClassText {
    slug: "readonly-memory",
    title: "memory is written that may only be read",
    rule: "The register points to memory that programs of this type may only read: a packet in a \
           socket filter, a kernel object, a read-only buffer. Helpers and kfuncs that write into \
           their argument count as well.",
    fix_c: "Copy to the stack, change the copy, and write it back through a helper such as \
            bpf_skb_store_bytes(). Use a program type that may write (tc, XDP).",
    fix_rust: "`ctx.store()` in tc programs; otherwise change a copy.",
};

pub static BUILTIN_CALL: ClassText = ClassText {
    slug: "builtin-call",
    title: "the compiler put in a call of a function that does not exist in eBPF",
    rule: "For copies and clears of large or variable size, clang calls memcpy, memset and \
           others, and for 128-bit or floating-point arithmetic functions of the compiler's \
           library. There is no such library in the kernel.",
    fix_c: "`__builtin_memcpy` with a small constant size, `#pragma unroll`, or copy in 8-byte \
            steps; no floating point, no __int128, no signed division before -mcpu=v4.",
    fix_rust: "Copy fixed sizes; avoid u128, f32 and f64 and large values that are copied.",
};

pub static LLVM_UNSUPPORTED: ClassText = ClassText {
    slug: "llvm-unsupported",
    title: "the compiler cannot express this in eBPF",
    rule: "LLVM's backend has no form for it: more than five arguments, structs that are returned \
           by value, variable arguments, arrays of variable length, signed division (before \
           -mcpu=v4). \"Cannot select: ... AtomicLoad\" is a load or store of an atomic type, \
           which exists from -mcpu=v4 on.",
    fix_c: "Pass a pointer to a struct; static __always_inline; arrays of constant size; unsigned \
            division.",
    fix_rust: "`#[inline(always)]`, references instead of large values, unsigned division. In \
               place of an atomic, `core::ptr::read_volatile`, or a per-CPU map.",
};
