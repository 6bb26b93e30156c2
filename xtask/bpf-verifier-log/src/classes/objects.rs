//! Objects with special rules: dynptrs, iterators, kptrs, trees, arenas, special fields of map
//! values.

use super::class_text::ClassText;

pub static DYNPTR: ClassText = ClassText {
    slug: "dynptr",
    title: "a dynptr is used in a way that is not allowed",
    rule: "A dynptr (Linux 5.19) lives on the stack, is initialised once by a constructor \
           (bpf_ringbuf_reserve_dynptr, from 6.4 on bpf_dynptr_from_skb...), and only then passed \
           on, at offset 0. The stack under it must not be written, a referenced one must be \
           submitted or discarded before it is reused, and slices of it become invalid when it \
           does.",
    fix_c: "`struct bpf_dynptr ptr;` as a separate local variable, the constructor before the \
            first use, and bpf_ringbuf_submit_dynptr() or discard on every path, also where \
            reserving failed.",
    fix_rust: "Use `RingBuf::reserve` or `ctx.load_bytes` instead: aya has no safe dynptr type \
               yet.",
};

pub static ITERATORS: ClassText = ClassText {
    slug: "iterators",
    title: "an open-coded iterator is used in a way that is not allowed",
    rule: "An iterator (Linux 6.4) lives on the stack: bpf_iter_*_new() initialises it, _next() \
           runs until it returns NULL, _destroy() ends it, once each and on every path. Passing \
           another pointer, or the wrong order, is refused.",
    fix_c: "Use the macros bpf_for() and bpf_for_each(), which do all three; leave the loop with \
            `break`, not with `return` out of a hand-written one.",
    fix_rust: "Iterators are kfuncs and not reachable from aya; use `bpf_loop` (Linux 5.17) or a \
               loop with a constant bound.",
};

pub static KPTR: ClassText = ClassText {
    slug: "kptr",
    title: "a kernel pointer in a map value is handled in a way that is not allowed",
    rule: "A field that is tagged __kptr (Linux 5.19) or __uptr (6.13) holds a pointer of exactly \
           its type. Referenced ones change only through bpf_kptr_xchg(), at their exact, \
           constant offset; what comes out may be NULL and must be released.",
    fix_c: "`old = bpf_kptr_xchg(&v->ptr, new); if (old) bpf_obj_drop(old);` (or the object's \
            release function), with a pointer whose type fits the field.",
    fix_rust: "rustc cannot tag fields; keep ids instead of pointers in maps.",
};

pub static ALLOCATED_OBJECTS: ClassText = ClassText {
    slug: "allocated-objects",
    title: "an allocated object, list or tree is handled in a way that is not allowed",
    rule: "Objects from bpf_obj_new() (Linux 6.2) are owned until they are dropped or put into a \
           list or tree, whose nodes, roots and lock must be in one allocation and be passed at \
           their declared offsets. After insertion only a non-owning reference is left, and only \
           while the lock is held.",
    fix_c: "Drop or insert each object on every path; take the lock of the same map value around \
            every list or tree operation; declare members with `__contains(type, node)`, which is \
            `__attribute__((btf_decl_tag(\"contains:type:node\")))` and not in libbpf's headers.",
    fix_rust: "Not expressible in rustc's BTF; use maps (`HashMap`, `Queue`, `Stack`).",
};

pub static ARENA: ClassText = ClassText {
    slug: "arena",
    title: "an arena is used in a way that is not allowed",
    rule: "Arena pointers (Linux 6.9) belong to a program that uses exactly one arena map, need \
           the JIT, CAP_BPF and CAP_PERFMON, and a clang that knows address space 1. They cannot \
           be mixed with other pointers or passed as one.",
    fix_c: "Refer to the arena map in the program, mark pointers `__arena` \
            (`__attribute__((address_space(1)))`), and compile with clang 19 or newer.",
    fix_rust: "rustc has no arena address space; use array maps with BPF_F_MMAPABLE.",
};

pub static SPECIAL_FIELD: ClassText = ClassText {
    slug: "special-field",
    title: "a lock, timer or work item is not passed by its exact address",
    rule: "bpf_spin_lock, bpf_timer (Linux 5.15), bpf_wq (6.10) and the like are found by their \
           place in the map value. The pointer must have a constant offset to exactly that field, \
           and lead into the map that is passed beside it.",
    fix_c: "`bpf_timer_init(&v->timer, &map, CLOCK_MONOTONIC)` with v from a lookup in the same \
            map, and no index in between.",
    fix_rust: "Pass `&raw mut (*v).timer` of a value that was looked up in the same map.",
};

pub static MAP_BTF_REQUIRED: ClassText = ClassText {
    slug: "map-btf-required",
    title: "a map has no type information for a special field, or the field is accessed like data",
    rule: "Locks, timers and kptrs in a map value are found through the map's BTF. A map that was \
           declared without types has none. Such fields cannot be read, written or copied \
           directly, only used through their helpers.",
    fix_c: "Declare the map in SEC(\".maps\") with `__type(key, ...)` and `__type(value, struct \
            ...)`; copy the other fields one by one.",
    fix_rust: "Use `#[btf_map]` (aya-ebpf 0.2) so that the map has BTF, and link with `--btf`.",
};

pub static MAP_WRITE_STATIC: ClassText = ClassText {
    slug: "map-write-static",
    title: "a map itself is written instead of a value in it",
    rule: "The register holds the address of the map, not of a value in it. aya before November \
           2024 relocated zeroed statics (.bss) wrongly, so every `static mut` that begins as 0 \
           looked like this; in C, it is a store through `&map`.",
    fix_c: "Write through the pointer that bpf_map_lookup_elem(&map, &key) returns.",
    fix_rust: "Update aya (0.13.1 or newer), or keep the value in an `Array`.",
};

pub static MAP_NOT_ALLOWED: ClassText = ClassText {
    slug: "map-not-allowed",
    title: "this program type cannot use this map",
    rule: "Some maps or fields are refused for some programs. Tracing programs other than fentry, \
           fexit and BTF tracepoints (kprobes, tracepoints, perf events) may not use \
           bpf_spin_lock at all, bpf_timer only from Linux 7.0 on, and bpf_wq not on 6.18 yet. \
           Allocating hash maps are refused to perf_event programs by 5.10, most map types to \
           sleepable programs by older kernels, locks to socket filters, struct_ops maps to all.",
    fix_c: "\"preallocated\": a preallocated hash map or an array (no BPF_F_NO_PREALLOC). \
            \"cannot use bpf_timer yet\", \"bpf_wq\", \"bpf_spin_lock\": fentry, a BTF tracepoint \
            or LSM in place of the kprobe or tracepoint, from Linux 6.1 on.",
    fix_rust: "\"preallocated\": `HashMap::with_max_entries(n, 0)` is. Otherwise `#[fentry]` or \
               `#[btf_tracepoint]` in place of `#[kprobe]` or `#[tracepoint]`.",
};

pub static STRUCT_OPS: ClassText = ClassText {
    slug: "struct-ops",
    title: "a struct_ops program does not fit its struct",
    rule: "The program is loaded for a member of a kernel struct of function pointers. The struct \
           or the member does not exist on this kernel, or the kernel does not let programs \
           implement this member.",
    fix_c: "Check name and prototype against vmlinux.h of the running kernel; load the module \
            that registers the struct.",
    fix_rust: "The same.",
};
