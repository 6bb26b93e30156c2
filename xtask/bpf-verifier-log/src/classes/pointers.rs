//! What may be done with a pointer, and with what is none.

use super::class_text::ClassText;

pub static SCALAR_DEREF: ClassText = ClassText {
    slug: "scalar-deref",
    title: "a number is used as a pointer",
    rule: "The register holds what the verifier knows only as a number (`scalar`, up to Linux \
           5.17 `inv`), and memory cannot be read through a number. Addresses that come out of \
           kernel structs, of pt_regs, of a tracepoint's fields or from user space are such \
           numbers in a kprobe, a tracepoint or a perf program. A pointer also becomes a number \
           when it is cut to 32 bits, computed with, mixed with a number on another branch, or, \
           for packets, when a helper moved the packet.",
    fix_c: "Read through a helper: `bpf_probe_read_kernel(&pid, sizeof(pid), &task->pid)` (Linux \
            5.5; before, bpf_probe_read) or BPF_CORE_READ(task, pid); for user memory \
            bpf_probe_read_user (Linux 5.5; before, bpf_probe_read as well). Or use \
            fentry, tp_btf (Linux 5.5) or LSM (5.7) programs, whose arguments have types. Read \
            data pointers from the context again after a helper that changes the packet.",
    fix_rust: "`unsafe { bpf_probe_read_kernel(field) }?` (Linux 5.5; before, bpf_probe_read) \
               with `field = &raw const (*sk).field`, instead of `(*sk).field`; \
               `bpf_probe_read_user` for user memory. Do not turn a pointer into an integer of 32 \
               bits and back.",
};

pub static POINTER_DEREF: ClassText = ClassText {
    slug: "pointer-deref",
    title: "a pointer of a kind that cannot be read through is dereferenced",
    rule: "The name in quotation marks is the kind of pointer that the register holds. Some kinds \
           only may be passed on (map_ptr, pkt_end, func), some only may be read in certain \
           programs. Typical: data_end is read instead of data, or a map itself instead of a \
           value that was looked up in it.",
    fix_c: "Look up the value first (`bpf_map_lookup_elem(&map, &key)`), swap data and data_end \
            if they were mixed up, or read with bpf_probe_read_kernel.",
    fix_rust: "Use the map's methods (`MAP.get(&key)`, `MAP.get_ptr_mut(0)`) instead of its \
               address, and check that data and data_end are not mixed up.",
};

pub static MAP_VALUE_OR_NULL: ClassText = ClassText {
    slug: "map-value-or-null",
    title: "a pointer that may be NULL is used without a check",
    rule: "A lookup, a reservation or a kptr can fail, and then the pointer is NULL; its type \
           ends in `_or_null` until the program compares it with 0. `trusted_ptr_or_null_` is \
           also the type of arguments that may be NULL: of BTF tracepoints from Linux 6.12.117 on \
           (`sched_pi_setprio`), of LSM hooks from 7.0 on (`mmap_file`); older kernels let the \
           program read through them. The check counts for this register and its copies (they \
           share an id), not for a second lookup, and old kernels forget it for copies that were \
           made by spilling to the stack or by arithmetic.",
    fix_c: "`struct val *v = bpf_map_lookup_elem(&map, &key); if (!v) return 0;` and then use \
            this v, without a second lookup and without arithmetic before the check.",
    fix_rust: "`let Some(v) = MAP.get_ptr_mut(0) else { return 0 };` instead of \
               `unwrap_unchecked`; `Option::None` is the NULL.",
};

pub static PTR_ARITH_PROHIBITED: ClassText = ClassText {
    slug: "ptr-arith-prohibited",
    title: "arithmetic is not allowed on this kind of pointer",
    rule: "Only pointers to memory of known size (map values, packet, stack, context within \
           limits) may be moved, and only by addition and subtraction. data_end, map pointers, \
           sockets and pointers that may be NULL may not; neither may a pointer be subtracted \
           from a number. A shift by 32 on a pointer comes from a cast to 32 bits and back.",
    fix_c: "Compare `data + len > data_end` instead of computing with data_end. Check for NULL \
            before adding. Keep pointers in `void *` or `long`, never in u32.",
    fix_rust: "`if data + len > data_end` instead of `data_end - len`; handle `None` before \
               `.add()`; never `ptr as u32`.",
};

pub static PTR_BITWISE_OP: ClassText = ClassText {
    slug: "ptr-bitwise-op",
    title: "bits of a pointer are changed, or a part of it is copied",
    rule: "And, or, shifts, 32-bit moves and sign extension on a pointer would make something \
           that is no valid pointer any more, or leak its value. Often a mask that was meant for \
           the index is applied to the sum, or the compiler keeps a pointer in a 32-bit variable.",
    fix_c: "Mask the index before adding it: `p + (i & MASK)`. Use 64-bit types for everything \
            that may hold a pointer. No tags in the low bits.",
    fix_rust: "`ptr.add(i & MASK)`, not `((ptr as usize + i) & MASK)`; usize for addresses, never \
               u32.",
};

pub static BPF_TRAP_AND_POINTER_MERGE: ClassText = ClassText {
    slug: "bpf-trap-and-pointer-merge",
    title: "one instruction gets values of different kinds, or code after undefined behaviour is \
            reached",
    rule: "\"same insn cannot be used with different pointers\": on different branches, the same \
           load or store gets different kinds of pointers (for example context and map value), \
           and the kernel would have to translate the instruction in two ways. \"unexpected \
           __bpf_trap()\": LLVM 21 and later puts a call of __bpf_trap where code can only be \
           reached through undefined behaviour, such as an uninitialised variable or a missing \
           return.",
    fix_c: "Access memory in each branch separately instead of merging the pointers first. For \
            the trap: initialise variables, return on every path, build with -Wall and look at \
            -Wuninitialized.",
    fix_rust: "Do the access within each `match` arm. For the trap: look for \
               `unreachable_unchecked`, `MaybeUninit::assume_init` and panics that end in such \
               code.",
};

pub static REGISTER_SPILL: ClassText = ClassText {
    slug: "register-spill",
    title: "a pointer on the stack is written or read in parts",
    rule: "A pointer may be kept on the stack only in a whole, aligned slot of 8 bytes, and read \
           back only as a whole. A write of a part, or one at a variable offset across it, would \
           make a forged pointer.",
    fix_c: "Do not put pointers into packed or 4-byte-aligned structs, and do not overwrite parts \
            of a struct that holds one; make arrays next to it separate variables.",
    fix_rust: "Keep pointers out of `#[repr(packed)]` structs, and do not cast them `as u32`.",
};

pub static LEAKS_ADDR: ClassText = ClassText {
    slug: "leaks-addr",
    title: "a kernel address would leave the kernel",
    rule: "Without CAP_PERFMON, a program must not store a pointer in a map, in the packet or in \
           the context, add it there atomically, return it, or pass it where user space can see \
           it. A variable that is returned uninitialised can be one.",
    fix_c: "Store a value that was read through the pointer, not the pointer. Return a plain \
            number on every path. Load with CAP_PERFMON if the address really is what you want.",
    fix_rust: "Write `(*ptr).field` or an id into the map, not `ptr as u64`; load with \
               CAP_PERFMON if the address is wanted.",
};

pub static BTF_STRUCT_ACCESS: ClassText = ClassText {
    slug: "btf-struct-access",
    title: "a kernel struct is accessed where it has no such field, or in a way that is not \
            allowed",
    rule: "Pointers with a kernel type (fentry, tp_btf, LSM, kfuncs) can be read directly, but \
           only fields of exactly that type with their own size, and only few may be written. A \
           cast to a larger struct, an index into a field, per-CPU or user pointers and most \
           fields of struct bpf_map are refused.",
    fix_c: "Read with BPF_CORE_READ(), or convert first: bpf_skc_to_tcp_sock() (Linux 5.9), \
            bpf_rdonly_cast() or bpf_core_cast() (6.2). Write only through helpers and kfuncs; \
            bpf_per_cpu_ptr() (5.10) for per-CPU data.",
    fix_rust: "Read with `bpf_probe_read_kernel(&(*ptr).field)`, at an offset that fits the \
               running kernel.",
};

pub static MODIFIED_POINTER: ClassText = ClassText {
    slug: "modified-pointer",
    title: "a pointer must be passed exactly as it was received",
    rule: "Helpers and kfuncs that release an object or need a trusted one accept only the \
           pointer itself, without any offset added: not a pointer to a member, and not one that \
           was moved. Some kinds of memory may be accessed at constant offsets only.",
    fix_c: "Pass the pointer that the acquiring call returned. For an embedded struct, take the \
            address through a BPF-typed load of the pointer, or put the member first.",
    fix_rust: "Keep the original pointer in a variable and pass that one.",
};

pub static RCU_OR_TRUSTED: ClassText = ClassText {
    slug: "rcu-or-trusted",
    title: "a kernel pointer is not trusted enough for this call",
    rule: "Many kfuncs and some helpers accept only pointers that are surely alive: arguments of \
           tp_btf, fentry or struct_ops (trusted), ones that were acquired, or ones that were \
           read within an RCU section. A pointer that was read from another struct, kept in a map \
           or copied by bpf_probe_read loses that.",
    fix_c: "Take the object from the program's arguments, acquire it (bpf_task_acquire, \
            bpf_cgroup_acquire...), or read it between bpf_rcu_read_lock() and \
            bpf_rcu_read_unlock(): kfuncs of Linux 6.2 and later. Mark arguments of global \
            functions `__arg_trusted` (6.9).",
    fix_rust: "Pass what the context gives (`ctx.arg(0)` of fentry, tp_btf or LSM) or what a \
               helper such as `bpf_get_current_task_btf` (Linux 5.11) returns, not a pointer that \
               was read.",
};

pub static UNPRIV_CAPABILITY: ClassText = ClassText {
    slug: "unpriv-capability",
    title: "this needs more capabilities than the loading process has",
    rule: "Programs that are loaded without CAP_BPF or CAP_PERFMON live under stricter rules. \
           Without CAP_BPF: no calls of other BPF functions, and no loops. Without CAP_PERFMON: \
           no comparison of pointers (5.10 refuses even the check of a packet's length), and no \
           pointer arithmetic that a mispredicted branch could carry out of bounds; even a loop \
           with an end can be taken for an infinite one (5.10, 6.1) or for too complex (6.12 and \
           later), because the verifier follows mispredicted branches as well.",
    fix_c: "Load as root or with CAP_BPF and CAP_PERFMON (plus CAP_NET_ADMIN for network \
            programs). If it must stay unprivileged: mask indexes with constants, and keep \
            pointers out of comparisons and subtractions.",
    fix_rust: "The same; `setcap cap_bpf,cap_perfmon,cap_net_admin+ep PROGRAM` gives it to one \
               binary.",
};
