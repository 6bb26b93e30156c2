//! Registers and the stack.

use super::class_text::ClassText;

pub static UNINIT_STACK: ClassText = ClassText {
    slug: "uninit-stack",
    title: "bytes of the stack are read that were never written",
    rule: "A helper gets a struct on the stack (a map key, a value, an event) of which not every \
           byte was written, or the program reads such bytes itself. Padding between fields is \
           the usual cause: setting all fields, and even `= {}`, need not write it. Since Linux \
           6.3 processes with CAP_PERFMON may read stack that was never written. On 5.10.262 and \
           6.1.176 they may do so only above the deepest byte that the program wrote; below it, \
           root is refused too, and a buffer that a helper is to fill counts as read when its \
           length is not a constant.",
    fix_c: "`struct key k; __builtin_memset(&k, 0, sizeof(k));` before the fields are set, or \
            explicit padding fields that are set too. `char buffer[64] = {};` for a buffer of \
            which a helper fills a part. A field of a kernel struct that was copied to the stack \
            (`BPF_CORE_READ(task, ns).inum`) is read at the offset that it has in the running \
            kernel, beyond the copy if the struct has changed: read the field itself, \
            `BPF_CORE_READ(task, ns.inum)`.",
    fix_rust: "Start from `let mut key: Key = unsafe { core::mem::zeroed() };`, or give the \
               `#[repr(C)]` struct explicit `_pad: [u8; 7]` fields.",
};

pub static UNINIT_REG: ClassText = ClassText {
    slug: "uninit-reg",
    title: "a register is read that has no value",
    rule: "At the start, only R1 (the context) and R10 (the stack) have values; a call leaves R1 \
           to R5 without any. A program that is declared with several C arguments finds only the \
           context in R1: `R2 !read_ok` is its second argument. `R0 !read_ok` at `exit` means \
           that a path has no return value.",
    fix_c: "Use BPF_KPROBE(), BPF_PROG() or PT_REGS_PARM2(ctx) to get arguments. Return a value \
            on every path. Initialise variables.",
    fix_rust: "Give the program one argument, its context, and take the rest from it: \
               `ctx.arg::<i32>(1)`. Return on every path.",
};

pub static STACK_LIMIT: ClassText = ClassText {
    slug: "stack-limit",
    title: "the stack of 512 bytes is too small",
    rule: "A program and all functions that it calls share 512 bytes of stack. From Linux 6.16 on \
           each function has its own 512 bytes in kprobe, uprobe, tracepoint, raw tracepoint, \
           perf_event, fentry and fexit programs; XDP, tc, socket, cgroup, LSM and iterator \
           programs still share them. Each function's part is rounded up (to 32 bytes; with a JIT \
           since about 6.8 to 16), and a call chain counts in full. Large structs and arrays as \
           local variables are the cause, and in Rust also values that are moved, since each move \
           may be a copy.",
    fix_c: "Keep large data in a per-CPU array map with one element and work on the pointer that \
            the lookup returns. Let sibling calls replace nested ones; mark small functions \
            static __always_inline.",
    fix_rust: "Use a `PerCpuArray<Event>` as scratch space and write through `get_ptr_mut(0)`, \
               instead of building an Event on the stack or copying one with `*map.get()?`. Pass \
               `&mut`, not values.",
};

pub static STACK_BOUNDS: ClassText = ClassText {
    slug: "stack-bounds",
    title: "an access is outside the 512 bytes of stack",
    rule: "The stack reaches from R10-512 to R10-1. A local object that needs more, or an index \
           that leaves its array, goes past it. LLVM warns of the first case but may go on. A \
           third cause is CO-RE: a struct that was copied to the stack has the size of the \
           vmlinux.h that it was compiled with, and its field is then read at the offset that it \
           has in the running kernel.",
    fix_c: "Move the object into a per-CPU array map. For a field of a copied struct, read the \
            field itself: `BPF_CORE_READ(task, ns.inum)` in place of `BPF_CORE_READ(task, \
            ns).inum`. For an index: check it against the array's length, also for negative \
            values.",
    fix_rust: "Move the object into a `PerCpuArray`; large values that are passed or returned by \
               value are copied to the stack. Check indexes.",
};

pub static STACK_POINTER_ESCAPE: ClassText = ClassText {
    slug: "stack-pointer-escape",
    title: "a pointer into the stack would outlive its function",
    rule: "A function cannot return a pointer to its own stack, and cannot store a pointer in the \
           stack frame of its caller: the frame may be gone when the pointer is used.",
    fix_c: "Let the caller own the buffer and pass its address down; return a number or a map \
            value.",
    fix_rust: "Take `&mut` from the caller instead of returning a reference or storing one.",
};

pub static STACK_ARGS: ClassText = ClassText {
    slug: "stack-args",
    title: "a function gets more arguments than registers can carry",
    rule: "Calls pass five arguments in R1 to R5. More are passed on the stack only by kernels \
           newer than 6.18, and only where kernel, JIT and compiler support it; each must be \
           written before the call.",
    fix_c: "Put the arguments into a struct and pass its address, or make the function static \
            __always_inline.",
    fix_rust: "Pass a reference to a struct, or use `#[inline(always)]`.",
};
