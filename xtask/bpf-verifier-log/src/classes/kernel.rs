//! The kernel's own limits, and what it knows of the program beside its instructions.

use super::class_text::ClassText;

pub static BTF_FUNC_INFO: ClassText = ClassText {
    slug: "btf-func-info",
    title: "type or line information does not fit the functions of the program",
    rule: "With its instructions, a program is loaded with lists that say which type each \
           function has, and which line each instruction comes from. They must match the \
           functions one to one. A function without BTF (assembly, memcpy and other intrinsics, a \
           callback from another object) breaks that.",
    fix_c: "Compile all objects with -g, give every function a prototype, put programs into named \
            sections, and update libbpf.",
    fix_rust: "Link with `--btf` and debug information (`debug = 2` in the release profile), \
               update aya and bpf-linker; intrinsics such as memcpy without BTF come from old \
               versions of aya-ebpf.",
};

pub static RESOURCE_LIMITS: ClassText = ClassText {
    slug: "resource-limits",
    title: "the program is larger than a limit of the kernel",
    rule: "A program may have 64 maps, 256 functions, 256 different kfuncs, 1,000,000 \
           instructions (4096 without CAP_BPF and before 5.2), and a jump reaches 32,767 \
           instructions, also after the verifier has put in more of them (\"cannot be patched due \
           to 16-bit range\"). The kernel often says just E2BIG, \"argument list too long\".",
    fix_c: "Join maps (constants and globals of one object share one), split the program into \
            tail calls, load with CAP_BPF.",
    fix_rust: "The same. Each `static` that ends up in its own section is a map.",
};

pub static VERIFIER_BUG: ClassText = ClassText {
    slug: "verifier-bug",
    title: "the verifier found a bug in itself",
    rule: "This message says that the kernel, not the program, is at fault: an assumption inside \
           the verifier did not hold. A small change of the program often avoids it.",
    fix_c: "Try a newer kernel of the same series; report it to bpf@vger.kernel.org with program \
            and log.",
    fix_rust: "The same.",
};

pub static JIT_UNSUPPORTED: ClassText = ClassText {
    slug: "jit-unsupported",
    title: "the JIT compiler cannot translate this program",
    rule: "Error 524 (ENOTSUPP) after a clean verification means that the program needs the JIT \
           and the JIT is switched off or does not support something on this processor: kfuncs, \
           functions, exceptions, atomics, trampolines, or memory for its code (bpf_jit_limit).",
    fix_c: "`sysctl net.core.bpf_jit_enable=1`; a newer kernel; on ARM and others, see what their \
            JIT supports (on arm64, fentry and LSM programs load from Linux 6.0 on, and attach \
            from 6.4 on); raise net.core.bpf_jit_limit.",
    fix_rust: "The same.",
};

pub static MAP_FD_INVALID: ClassText = ClassText {
    slug: "map-fd-invalid",
    title: "a map or BTF object that the program refers to is not there",
    rule: "Instructions refer to maps by file descriptors, which the loader fills in. This one is \
           closed, of another kind, or outside the list that was passed; or the map does not \
           allow direct access to its values.",
    fix_c: "Load with libbpf rather than by hand, keep the maps open until the program is loaded, \
            and use array maps with one element for globals.",
    fix_rust: "Load with `Ebpf::load` or `EbpfLoader`, which creates the maps and fills them in.",
};

pub static ATTACH_BTF: ClassText = ClassText {
    slug: "attach-btf",
    title: "the function, tracepoint or hook that the program is for was not found or cannot be \
            used",
    rule: "fentry, fexit, tp_btf, LSM and iterator programs are loaded for one kernel function, \
           which is looked up in the kernel's BTF by name. It may not exist on this kernel, be \
           inlined or static with several copies, not be traceable, have arguments that are not \
           supported, or be an LSM hook that is disabled.",
    fix_c: "Look: `bpftool btf dump file /sys/kernel/btf/vmlinux | grep \"'NAME'\"` and \
            /sys/kernel/tracing/available_filter_functions. Choose another function or a \
            tracepoint, or switch programs off with bpf_program__set_autoload().",
    fix_rust: "Pass the right name to `program.load(\"NAME\", &btf)`; check it the same way.",
};

pub static EXTENSION_MISMATCH: ClassText = ClassText {
    slug: "extension-mismatch",
    title: "a replacement (freplace) does not fit the function that it replaces",
    rule: "An extension must have the same prototype as the global function of the other program \
           that it replaces, and must not do what the original could not (sleep, change the \
           packet).",
    fix_c: "Use exactly the same arguments and return type, replace only global (non-static) \
            functions, and compile both with BTF.",
    fix_rust: "`#[unsafe(no_mangle)] #[inline(never)] extern \"C\"` functions with the same \
               prototype, linked with `--btf`.",
};

pub static MAP_CREATE: ClassText = ClassText {
    slug: "map-create",
    title: "the kernel refuses to create a map like this",
    rule: "An attribute of the map is not allowed for its type or not known to this kernel: name, \
           flags, extra, NUMA node, BTF ids.",
    fix_c: "Compare the map's definition with the documentation of its type; drop flags that this \
            kernel is too old for.",
    fix_rust: "The same: the flags are the second argument of `with_max_entries`.",
};

pub static SIGNED_PROGRAM: ClassText = ClassText {
    slug: "signed-program",
    title: "a signed program does not satisfy what its signature demands",
    rule: "Signed programs bind their instructions and maps to a signature; maps must be \
           exclusive, frozen, and covered by it, and the key must be on the keyring.",
    fix_c: "Sign again after each build (`bpftool gen skeleton -S`), and load with the generated \
            loader.",
    fix_rust: "The same.",
};

pub static CORE_RELO: ClassText = ClassText {
    slug: "core-relo",
    title: "a field or type that the program reads does not exist on this kernel",
    rule: "CO-RE relocations look fields and types up in the running kernel's BTF. What is not \
           found is replaced by an instruction that cannot be loaded (a call of function \
           195896080), so the program fails only if the access can be reached. libbpf shows \
           `<invalid CO-RE relocation>` in its place.",
    fix_c: "Guard it: `if (bpf_core_field_exists(t->field))` or bpf_core_type_exists(); add a \
            struct variant (`struct task_struct___old`) for the other name; generate vmlinux.h \
            from a kernel like the target.",
    fix_rust: "rustc emits no CO-RE relocations; they come from C objects that are linked in or \
               loaded with aya. Guard them there.",
};

pub static KERNEL_BTF_MISSING: ClassText = ClassText {
    slug: "kernel-btf-missing",
    title: "the kernel's type information is missing",
    rule: "CO-RE, fentry, tp_btf, LSM and kfuncs need the kernel's BTF at \
           /sys/kernel/btf/vmlinux. It is missing where the kernel was built without \
           CONFIG_DEBUG_INFO_BTF, or where /sys is not mounted (in containers).",
    fix_c: "Use a kernel with CONFIG_DEBUG_INFO_BTF=y (5.4 and later, most distributions since \
            2020), mount /sys into the container, or pass a BTF file: `btf_custom_path` \
            (btfhub.dev has some for older kernels).",
    fix_rust: "The same; `EbpfLoader::new().btf(Btf::parse_file(path, \
               Endianness::default()).ok().as_ref())`.",
};
