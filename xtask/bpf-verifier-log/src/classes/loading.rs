//! What goes wrong before the verifier looks at a program, or after it was content.

use super::class_text::ClassText;

pub static MISSING_MAP: ClassText = ClassText {
    slug: "missing-map",
    title: "the program uses a map that was not created or not found",
    rule: "The instruction that refers to a map was left without one: the map's symbol is not \
           defined in the object, its section has another name, or its creation was switched off \
           while a program that uses it is loaded.",
    fix_c: "Declare the map in SEC(\".maps\") in the same object, not static; call \
            bpf_map__set_autocreate(map, false) only together with \
            bpf_program__set_autoload(prog, false).",
    fix_rust: "Declare it `#[btf_map] static NAME: ...`, and keep bpf-linker and aya at versions \
               that go together.",
};

pub static RELOCATION_FAILED: ClassText = ClassText {
    slug: "relocation-failed",
    title: "a reference within the object cannot be resolved",
    rule: "The loader puts in the addresses of functions and data before the kernel sees the \
           program. Here a symbol is undefined, or is where programs have nothing: a libc \
           function, a global in an unusual section, data that only old loaders do not know.",
    fix_c: "Make functions static inline or define them in the object; no libc; update libbpf; \
            mark strings `const`.",
    fix_rust: "Update bpf-linker and aya together; look for `extern \"C\"` functions and for \
               panics that bring core::fmt with them.",
};

pub static OBJECT_ALIGNMENT: ClassText = ClassText {
    slug: "object-alignment",
    title: "the bytes of the object file are not aligned, or are no ELF file",
    rule: "The object is parsed in place, and its headers must start at multiples of 8. \
           `include_bytes!` promises no alignment, so it works on some builds and fails on \
           others. An empty file gives the same message.",
    fix_c: "Give the loader the file's path, or an aligned buffer.",
    fix_rust: "`aya::include_bytes_aligned!(concat!(env!(\"OUT_DIR\"), \"/program\"))` instead of \
               `include_bytes!`.",
};

pub static OBJECT_NOT_BPF: ClassText = ClassText {
    slug: "object-not-bpf",
    title: "the file is no object with eBPF programs",
    rule: "The loader wants an ELF file for the machine `bpf` of this computer's byte order, with \
           at least one program in it. An object for x86, a skeleton header or LLVM bitcode is \
           none.",
    fix_c: "`clang -target bpf -O2 -g -c prog.c -o prog.o`, and `llvm-readelf -h prog.o` to look \
            at it.",
    fix_rust: "Build for bpfel-unknown-none (or bpfeb on big-endian machines) with bpf-linker, \
               and load that file.",
};

pub static LOADER_UNSUPPORTED: ClassText = ClassText {
    slug: "loader-unsupported",
    title: "the loader does not know something that the object uses",
    rule: "The object may be in order, but this loader does not read a part of it. aya 0.14 fills \
           in no kernel configuration and no kernel functions (\"Unable to determine the size of \
           section `.kconfig`\", or `.ksyms`), and knows neither bpf_core_type_matches() \
           (\"invalid BTF relocation kind `12`\") nor values in the definition of a program array \
           (\"unexpected BTF type id\"); maps such as task storage it creates only where the \
           program says so. libbpf 1.7 takes no program that is local to its file, and so none \
           with a panic of Rust (\"is static and not supported\"), and no field of a map's \
           definition that it does not know (\"unknown field\").",
    fix_c: "Take `static` off the program, and use the fields of a map that libbpf knows: type, \
            key, value, key_size, value_size, max_entries, map_flags, map_extra, numa_node, \
            pinning, values. For aya: a `const volatile` variable that user space sets \
            (`EbpfLoader::override_global`) in place of `__kconfig`, helpers in place of kfuncs, \
            and values of maps from user space. Or load with libbpf-rs, which can do all of that.",
    fix_rust: "Load what rustc made with aya, and remove the panic (see no-exit-last-insn). \
               `EbpfLoader::new().allow_unsupported_maps()` where only the eBPF program uses the \
               map.",
};

pub static SECTION_NAME: ClassText = ClassText {
    slug: "section-name",
    title: "the section's name does not say what kind of program it holds",
    rule: "libbpf and aya take the program's type from the name of its section: \
           `kprobe/tcp_connect`, `xdp`, `tracepoint/syscalls/sys_enter_openat`. aya 0.14 knows \
           fewer names than libbpf, and one that it does not know makes the whole object \
           unreadable: for tc only `classifier`, no `?name`, and no `ksyscall`, `usdt`, \
           `kprobe.multi`, `uprobe.multi`, `fmod_ret`, `syscall`, `netfilter`, `struct_ops`, \
           `tcx`, `netkit`, `action`, `lwt_*`.",
    fix_c: "Use a name of libbpf's list (docs.kernel.org/bpf/libbpf/program_types.html), or \
            bpf_program__set_type() before loading. For an object that aya is to load: \
            `classifier` for tc, and programs of other types in another object.",
    fix_rust: "Use aya-ebpf's macros (`#[kprobe]`, `#[xdp]`, `#[classifier]`...), of the version \
               that goes with your aya. aya has no call that sets a type by hand.",
};

pub static LEGACY_MAPS: ClassText = ClassText {
    slug: "legacy-maps",
    title: "the object declares its maps in the old way",
    rule: "`struct bpf_map_def SEC(\"maps\")` was removed from libbpf 1.0.",
    fix_c: "`struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, __u32); __type(value, __u64); \
            __uint(max_entries, 64); } m SEC(\".maps\");`",
    fix_rust: "aya still loads such maps; for libbpf-rs declare them as in C.",
};

pub static BTF_REJECTED: ClassText = ClassText {
    slug: "btf-rejected",
    title: "the kernel refuses the object's type information",
    rule: "The object's BTF is loaded before its programs and has its own verifier. Newer kinds \
           (floats, enum64, tags), names that C does not allow, or layouts of another language \
           are refused by kernels that do not expect them. Loaders go on without BTF where \
           nothing needs it. Maps in `.maps` do need it: an object that has them and no BTF at \
           all is refused by both loaders.",
    fix_c: "Update libbpf, which rewrites what old kernels do not know, and clang or pahole. \
            Where BTF is missing, compile with -g. Where nothing needs it, `llvm-objcopy -R .BTF \
            -R .BTF.ext` takes it out (`llvm-strip -g` leaves it in).",
    fix_rust: "\"Invalid name\" with a `<` in the name is a generic type of Rust: bpf-linker \
               gives such types other names, old versions did not. Update bpf-linker and aya, \
               which rewrite what Rust's type information has too much; link without `--btf` if \
               nothing needs it.",
};

pub static LINKER_FAILED: ClassText = ClassText {
    slug: "linker-failed",
    title: "bpf-linker could not link the program",
    rule: "bpf-linker reads LLVM bitcode and must be built with an LLVM that is at least as new \
           as rustc's. An error of LLVM itself (a stack that is too large, something that eBPF \
           does not have) is printed above this line. An argument that \"cannot be used multiple \
           times\" came from two places, such as two tables of `.cargo/config.toml`, whose \
           rustflags cargo joins.",
    fix_c: "Not for C: clang needs no linker.",
    fix_rust: "`rustc -vV` names the LLVM of rustc; bpf-linker 0.13 does not print its own. Build \
               bpf-linker for that one: `cargo install bpf-linker --no-default-features \
               --features llvm-22`. Take `-C link-arg=--btf` out of all places but one: aya-build \
               passes it without being told. Otherwise read the messages above.",
};

pub static NO_PERMISSION: ClassText = ClassText {
    slug: "no-permission",
    title: "the process is not allowed to load programs or create maps",
    rule: "There is no verifier log because the kernel refused before looking. Loading needs root \
           or CAP_BPF (with CAP_PERFMON for tracing and CAP_NET_ADMIN for networking); \
           containers, seccomp, lockdown mode and kernel.unprivileged_bpf_disabled can refuse it \
           too. Before Linux 5.11, maps also count against RLIMIT_MEMLOCK, whose default of 64 KB \
           is soon used up.",
    fix_c: "Run as root or `setcap cap_bpf,cap_perfmon,cap_net_admin+ep`; in a container add \
            these capabilities and allow bpf() in seccomp; on kernels before 5.11 raise the limit \
            (libbpf 1.0 does it).",
    fix_rust: "The same; before 5.11 raise RLIMIT_MEMLOCK with setrlimit at start, as aya's \
               templates do.",
};

pub static LOG_TRUNCATED: ClassText = ClassText {
    slug: "log-truncated",
    title: "the log's buffer was too small",
    rule: "ENOSPC (\"no space left on device\") from loading means that the log did not fit, not \
           that the program is wrong: every kernel refuses even a good program when the log that \
           was asked for does not fit. Of such a log 5.10 and 6.1 keep the start, so the reason \
           of a rejection is lost; 6.12 and later keep its end.",
    fix_c: "A larger buffer (`bpf_object_open_opts.kernel_log_size`, 16 MB at most on old \
            kernels), or a lower log level.",
    fix_rust: "`EbpfLoader::new().verifier_log_level(VerifierLogLevel::DISABLE)`, or STATS; aya \
               0.14 enlarges the buffer by itself.",
};

pub static MAP_CREATE_FAILED: ClassText = ClassText {
    slug: "map-create-failed",
    title: "a map could not be created",
    rule: "Before any program is loaded, its maps are created, and the kernel refused one: a type \
           or flag that it does not know, sizes that are not allowed (a ring buffer needs a power \
           of two of whole pages), no memory, or no right to it.",
    fix_c: "Check type, flags, key and value size and max_entries against the kernel's version; \
            EPERM is a matter of capabilities or RLIMIT_MEMLOCK.",
    fix_rust: "The same; for `RingBuf::with_byte_size` use a power of two that is a multiple of \
               4096.",
};

pub static CLEAN_LOG_ERROR: ClassText = ClassText {
    slug: "clean-log-error",
    title: "the verifier found nothing, but loading still failed",
    rule: "The log ends without an error, so the refusal came before or after the verifier's \
           walk. EINVAL: an expected attach type that does not fit, maps of another program's \
           type (tail calls), BTF of the attach target. E2BIG with 0 instructions: too many maps \
           or instructions. Error 524: the JIT. ENOSPC: the log's buffer.",
    fix_c: "Look at the error number; compare the section's name with the attach point; check \
            that all programs in a program array have one type and attach type.",
    fix_rust: "The same: the program macro decides type and attach type.",
};
