//! Accesses and lengths that the verifier cannot prove to stay within their memory.

use super::class_text::ClassText;

pub static MAP_VALUE_BOUNDS: ClassText = ClassText {
    slug: "map-value-bounds",
    title: "an access may leave the map value",
    rule: "Every access to a map value must stay within its value_size for all values that the \
           index or length can have. The verifier adds the pointer's offset, the largest possible \
           index and the access size, and that sum was too large (or the smallest one below 0). \
           Often the check is there but on another variable: the compiler keeps a copy in another \
           register, and only the checked copy has bounds. Two lengths that are each in bounds \
           can also exceed the value when they are added.",
    fix_c: "Bound the variable that is used, right before the access: `idx &= MAX - 1;` with MAX \
            a power of two, or `if (idx >= MAX) return 0;`. For buffers, check offset plus \
            length. If the compiler undoes it, put `asm volatile(\"\" : \"+r\"(idx));` before the \
            check.",
    fix_rust: "Mask or check the index that is used: `let i = (i & (MAX - 1)) as usize;`, or `let \
               Some(slot) = buf.get_mut(i) else { return 0 };`. An index through `get_unchecked` \
               is not checked.",
};

pub static PACKET_BOUNDS: ClassText = ClassText {
    slug: "packet-bounds",
    title: "an access to the packet goes past what was checked",
    rule: "Bytes of a packet may be read only after a comparison of a pointer with data_end has \
           proved that they are there. `r=` in the message is how many bytes after this pointer \
           are proved; the access needs offset plus size. A proof belongs to one pointer and what \
           is derived from it by constants: it is lost when another variable offset is added, and \
           every helper that may move the packet (bpf_skb_pull_data, bpf_xdp_adjust_head, \
           store_bytes...) ends it. A pointer whose variable part may exceed 65535 gets none.",
    fix_c: "Right before the access: `if ((void *)(hdr + 1) > data_end) return XDP_PASS;`, with \
            the pointer that is used, and with the whole size. Bound variable header lengths \
            first (`ihl & 0xf`). For lengths that vary, use bpf_skb_load_bytes(), or \
            bpf_xdp_load_bytes() from Linux 5.18 on.",
    fix_rust: "Get every pointer through a function that checks: `if start + offset + \
               size_of::<T>() > end { return Err(()) }`, with start and end read from the context \
               again after any helper that changes the packet. For lengths that vary, use \
               `ctx.load_bytes()` in tc and socket filter programs; in XDP, `bpf_xdp_load_bytes` \
               of `aya_ebpf::helpers::generated` (Linux 5.18).",
};

pub static MEM_BOUNDS: ClassText = ClassText {
    slug: "mem-bounds",
    title: "an access may leave a memory area of known size",
    rule: "The register points to memory of mem_size bytes: a ring buffer record, a dynptr slice, \
           or what a global function got as a pointer argument. There, the size is that of the \
           pointed-to type, because a global function is checked without its callers. Every \
           offset plus size must stay within.",
    fix_c: "Reserve as much as is written, bound the index, or make the function static so that \
            it is checked with what its callers pass. A pointer to a sized array (`struct buf { \
            char b[64]; } *p`) carries a larger size.",
    fix_rust: "Reserve an entry of the type that is written (`RINGBUF.reserve::<Event>(0)`), \
               bound the index, and mark functions that take pointers `#[inline(always)]`.",
};

pub static BUFFER_BOUNDS: ClassText = ClassText {
    slug: "buffer-bounds",
    title: "an access leaves a kernel buffer or object of fixed layout",
    rule: "Iterator keys, flow keys, socket fields, the context of some program types and similar \
           areas have a fixed layout. Only constant offsets within it may be accessed, and map \
           keys in a callback may not be written.",
    fix_c: "Use the fields of the documented struct with their own width, without computed \
            offsets; copy to the stack before looking at parts by index.",
    fix_rust: "Read whole fields through the bindings' struct; copy to a local array before \
               indexing.",
};

pub static PTR_ARITH_UNBOUNDED: ClassText = ClassText {
    slug: "ptr-arith-unbounded",
    title: "a number without a lower limit is added to a pointer",
    rule: "A number that is added to a pointer needs a lower limit, because a negative offset \
           would point before the memory. Signed numbers from memory, and differences, have none. \
           A check `i < MAX` alone does not help a signed number: -1 passes it.",
    fix_c: "Make the variable unsigned (`__u32 i`), or check both sides before the addition: `if \
            (i < 0 || i >= MAX) return 0;`. A mask does both: `i &= MAX - 1;`.",
    fix_rust: "Index with u32 or usize instead of i32/isize, and check before: `if i >= MAX { \
               return 0 }`. Avoid `ptr.offset(i as isize)` with a signed i.",
};

pub static UNBOUNDED_ACCESS: ClassText = ClassText {
    slug: "unbounded-access",
    title: "an index has no usable upper limit",
    rule: "The offset of this access can be so large that the verifier does not compute with it \
           at all: it has no upper limit, or one beyond 2^29. A number that comes from memory, \
           from a packet or from a helper has no limit until the program compares or masks it.",
    fix_c: "`idx &= MAX - 1;` or `if (idx >= MAX) return 0;` on the variable that is used, after \
            its last change.",
    fix_rust: "`let idx = (idx as usize) & (MAX - 1);` or an `if idx >= MAX { return 0 }` before \
               `ptr.add(idx)`.",
};

pub static HELPER_SIZE_NEGATIVE: ClassText = ClassText {
    slug: "helper-size-negative",
    title: "a length or an index may be negative",
    rule: "The smallest possible value of this register is below 0. As a length it would be a \
           huge number, as an index it would point before the memory. Typical is a length that a \
           helper returned: it is a signed number, negative on errors, and a check of another \
           copy (or after a cast to 32 bits) does not count.",
    fix_c: "Check that same variable before its use: `long n = bpf_probe_read_user_str(...); if \
            (n < 0) return 0;`, then pass n. Or make it unsigned and mask it: `n &= MAX - 1;`.",
    fix_rust: "Handle the error before the cast: `if n < 0 { return 0 }`, then `n as u32 & (MAX - \
               1)`. Do not cast a signed return value with `as usize` first.",
};

pub static HELPER_SIZE_UNBOUNDED: ClassText = ClassText {
    slug: "helper-size-unbounded",
    title: "a length that is passed to a function has no upper limit",
    rule: "The verifier must know how many bytes a helper may touch at most. This length has no \
           upper limit (the largest that is allowed at all is 2^29), so it cannot be compared \
           with the size of the memory.",
    fix_c: "Limit it right before the call: `if (len > sizeof(buf)) len = sizeof(buf);`, or `len \
            &= sizeof(buf) - 1;` for a power of two. If the compiler drops the check, make len \
            `volatile` or use an asm barrier.",
    fix_rust: "`let len = len.min(MAX)` may be compiled into a copy in another register; `len & \
               (MAX - 1)` right before the call cannot.",
};

pub static HELPER_SIZE_ZERO: ClassText = ClassText {
    slug: "helper-size-zero",
    title: "a length may be 0 where 0 is not allowed",
    rule: "This argument is a size that must be at least 1, and the possible values of the \
           register include 0. An access with `size=0` in the message means the same. An unsigned \
           number that was only limited from above starts at 0. Up to Linux 6.1 the verifier \
           learns nothing from a comparison with 0, and compilers turn `len < 1` into one; 6.12 \
           and later do learn from it.",
    fix_c: "A lower limit of 2 or more, on the variable that is passed: `if (len < sizeof(struct \
            ethhdr) || len > MAX) return 0;`. Where 1 is a length too, `len = (len & (MAX - 1)) + \
            1;`. On Linux 6.12 and later `if (len == 0 || len > MAX) return 0;` is enough.",
    fix_rust: "`if len < 2 || len > MAX { return 0 }` right before the call, or `(len & (MAX - \
               1)) + 1`; `len == 0` is enough on Linux 6.12 and later. `ctx.load_bytes(offset, \
               &mut buf)` takes the smaller of two lengths, the buffer's and what the packet has \
               after the offset: compare `ctx.len()` before it.",
};

pub static PTR_ARITH_OUT_OF_BOUNDS: ClassText = ClassText {
    slug: "ptr-arith-out-of-bounds",
    title: "a pointer is moved too far",
    rule: "A pointer may be moved by at most 2^29 bytes in either direction, even if it is never \
           used there. A number that came from a signed int, or from a subtraction that can wrap, \
           has such values. A huge constant like 4294967295 or -2147483648 in the message is a \
           negative number with the wrong width.",
    fix_c: "Use an unsigned 32-bit index and check it against both limits before adding. Look for \
            a cast between int and long, and for `a - b` where b can be larger.",
    fix_rust: "Avoid `as i32 as isize`; compute offsets in usize, check them, and add them with \
               `ptr.add()`.",
};

pub static STACK_VAR_OFF: ClassText = ClassText {
    slug: "stack-var-off",
    title: "an array on the stack is indexed with a number that has no limits",
    rule: "The stack may be accessed at a variable offset only if all possible offsets are within \
           what the program wrote before. Some accesses (pointers that are spilled there, \
           programs without CAP_PERFMON) must have a constant offset.",
    fix_c: "Mask the index: `buf[i & (sizeof(buf) - 1)]`, and initialise the whole array; or keep \
            the array in a per-CPU array map.",
    fix_rust: "`buf[i & (N - 1)]` with N a power of two, and an array that is initialised (`[0u8; \
               N]`); or a `PerCpuArray` for it.",
};

pub static MISALIGNED: ClassText = ClassText {
    slug: "misaligned",
    title: "an access is not aligned to its size",
    rule: "With strict alignment, an access of n bytes must start at a multiple of n. The \
           verifier asks for that on processors without fast unaligned access, with the flag \
           BPF_F_STRICT_ALIGNMENT, for atomics, and for pointers that are kept on the stack.",
    fix_c: "Give packed structs natural order or padding, and read bit fields with \
            BPF_CORE_READ_BITFIELD. For packets, read byte by byte or copy with __builtin_memcpy \
            into an aligned variable.",
    fix_rust: "Use `#[repr(C)]` without `packed`, aligned fields, and `core::ptr::read_unaligned` \
               only on packet data.",
};

pub static MAP_READONLY_WRITE: ClassText = ClassText {
    slug: "map-readonly-write",
    title: "a map that is read-only (or write-only) for programs is accessed the other way",
    rule: "Constants (`const volatile`, .rodata, a Rust `static`) are in a map that is frozen \
           before the program is loaded, and maps with BPF_F_RDONLY_PROG refuse writes by \
           programs. Helpers that write into their argument count as well, and so do functions \
           whose argument is not declared const.",
    fix_c: "Drop `const` where the program must write (the variable is then in .data or .bss), or \
            copy the value to the stack before changing it or passing it on.",
    fix_rust: "Use a map or a `static mut` for what changes; a plain `static` is in .rodata. Do \
               not cast `*const` to `*mut` to write.",
};
