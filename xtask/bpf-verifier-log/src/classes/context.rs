//! What a program gets and gives back, and where it may sleep, lock and release.

use super::class_text::ClassText;

pub static CTX_ACCESS: ClassText = ClassText {
    slug: "ctx-access",
    title: "the context is read or written where this program type does not allow it",
    rule: "The context looks like a struct, but each access is checked against a list: which \
           fields this program type may read or write on this kernel, and with which width. In \
           fentry, tp_btf and LSM programs the context is an array of the function's arguments, 8 \
           bytes each, and only those that exist can be read. The first 8 bytes of a tracepoint's \
           context are not for programs. Compilers cause it by joining or splitting loads.",
    fix_c: "Check that the section name fits the function and the struct, and that the field \
            exists for this type on the oldest kernel; read it once through a volatile pointer if \
            the compiler changes its width. Use BPF_PROG() with the real prototype.",
    fix_rust: "Check the program macro and the argument's index (`ctx.arg(2)` is the third); use \
               the context's methods instead of fields of `ctx.skb.skb`. For tracepoints, \
               `ctx.read_at(offset)` with offset 8 or more.",
};

pub static CTX_MODIFIED: ClassText = ClassText {
    slug: "ctx-modified",
    title: "the context is accessed through a pointer that was moved",
    rule: "Fields of the context are translated to fields of a kernel struct, so each access \
           needs a constant offset from the original pointer. An index, or a pointer that the \
           compiler computed for two branches together, is no such offset.",
    fix_c: "Read the fields into variables before branching on them; a `switch` with constant \
            fields instead of an index; `asm volatile(\"\" : \"+r\"(ctx));` keeps the compiler \
            from joining the branches.",
    fix_rust: "`ctx.arg(0)`, `ctx.arg(1)` with constants, in separate `match` arms; read into \
               variables first.",
};

pub static RETURN_RANGE: ClassText = ClassText {
    slug: "return-range",
    title: "the program may return a value that it must not",
    rule: "Some program types may return certain numbers only, and the verifier must see that for \
           every path: 0 or 1 for cgroup programs (0 to 3 for egress), 0 for fentry and fexit; \
           from Linux 6.12 on also 0 or an error number down to -4095 for LSM hooks that return \
           int, which older kernels do not check. `smin` and `smax` (or the first parentheses on \
           older kernels) are what R0 can be, the rest is what is allowed.",
    fix_c: "Return the constants of this program type on each path. For a computed value: `return \
            ret ? -EPERM : 0;`; if the compiler turns that into arithmetic, use `if` with two \
            returns.",
    fix_rust: "Return constants: `if allowed { 0 } else { -EPERM }`, and not what a helper \
               returned.",
};

pub static SLEEPABLE_CONTEXT: ClassText = ClassText {
    slug: "sleepable-context",
    title: "something that may sleep is used where sleeping is not allowed, or an RCU or \
            preemption section is left open",
    rule: "Functions that may sleep can be called only from sleepable programs, and not within an \
           RCU, preemption or IRQ section or while a lock is held. Each such section must be \
           closed on every path, before the program ends, and not nested wrongly. Other kfuncs \
           are allowed only within one. \"... is not sleepable\" is the opposite: the program \
           asks to sleep (`fentry.s`, `lsm.s`), and what it attaches to is not on the kernel's \
           list of functions that may sleep.",
    fix_c: "\"might sleep in a non-sleepable prog\": make the program sleepable \
            (`SEC(\"fentry.s/...\")`, `lsm.s`, and `uprobe.s`, which 5.10 does not have), or use \
            the variant that does not sleep (bpf_probe_read_user instead of bpf_copy_from_user). \
            \"is not sleepable\": drop the `.s`, or attach to another function. Pair \
            bpf_rcu_read_lock() with bpf_rcu_read_unlock() on every path.",
    fix_rust: "`#[lsm(hook = \"...\", sleepable)]`, `#[fentry(sleepable)]`, \
               `#[uprobe(sleepable)]`, or the helper that does not sleep. \"is not sleepable\": \
               take `sleepable` out.",
};

pub static LOCK_RULES: ClassText = ClassText {
    slug: "lock-rules",
    title: "a lock is not taken and released as the rules demand",
    rule: "While bpf_spin_lock is held, a program may do little: no second lock, no helper or \
           function call that is not on the short list, no return. It must be released on every \
           path, and it is the same lock in the same map value. IRQ sections are restored in \
           reverse order.",
    fix_c: "Compute before the lock, lock, copy, unlock; inline functions that are called in \
            between; unlock before every return.",
    fix_rust: "aya's maps have no lock methods; call `bpf_spin_lock` and `bpf_spin_unlock` around \
               plain stores only, or use atomics or per-CPU maps.",
};

pub static UNRELEASED_REF: ClassText = ClassText {
    slug: "unreleased-ref",
    title: "something that was acquired is not released on every path",
    rule: "A ring buffer record, a socket from bpf_sk_lookup_*, a kernel object from an acquiring \
           kfunc must be submitted, discarded or released before the program ends, on every path \
           that got it. `alloc_insn` is the instruction that acquired it.",
    fix_c: "Call bpf_ringbuf_submit()/discard(), bpf_sk_release(), bpf_*_release() before each \
            return; `goto out;` to one place that does.",
    fix_rust: "Call `entry.submit(0)` or `entry.discard(0)` before each `return` and each `?`: \
               dropping an entry does not discard it. Do what can fail before `reserve`.",
};

pub static RELEASE_NOT_OWNED: ClassText = ClassText {
    slug: "release-not-owned",
    title: "something is released or used that this program does not hold",
    rule: "A releasing function takes only what an acquiring one returned, once, and unchanged. \
           Releasing twice, releasing on a path where the acquisition failed, or using it \
           afterwards is refused.",
    fix_c: "Check the acquired pointer for NULL, release it exactly once, and do not touch it \
            afterwards.",
    fix_rust: "Release in one place; `submit` and `discard` consume the entry for this reason.",
};
