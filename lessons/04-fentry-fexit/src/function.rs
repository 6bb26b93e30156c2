//! The kernel function to attach to, as the kernel's own BTF describes it.

use common::NotReady;
use common::btf::Kernel;
use common::machine;
use libbpf_rs::btf::types::{Composite, Func, FuncProto};
use libbpf_rs::btf::{Btf, BtfKind, BtfType, ReferencesType as _, TypeId};

/// Every way to open a file by its name comes through here, on Linux 5.10 to 7.3.
pub const FUNCTION: &str = "do_sys_openat2";

/// What the programs count on.
const ARGUMENTS: &str = "int dfd, const char *filename, struct open_how *how";

/// The function's prototype, in C. Functions inside the kernel are no stable interface: with other
/// arguments the programs would report nonsense.
pub fn prototype(kernel: &Kernel) -> Result<String, NotReady> {
    let Some(prototype) = find(kernel.types(), FUNCTION) else {
        return Err(NotReady::new(format!("find {FUNCTION} in the BTF of Linux {}", machine::release()))
            .help("grep openat /sys/kernel/tracing/available_filter_functions shows functions that can be traced")
            .help("cargo xtask run fentry-fexit runs the lesson on a kernel that has it"));
    };
    if !prototype.ends_with(&format!("({ARGUMENTS})")) {
        return Err(NotReady::new(format!(
            "use {FUNCTION}: its arguments are not those of Linux 5.10 to 7.3"
        ))
        .help(format!("this kernel has: {prototype}"))
        .help("cargo xtask run fentry-fexit runs the lesson on a kernel that has the others"));
    }
    Ok(prototype)
}

// ANCHOR: prototype
fn find(types: &Btf<'_>, function: &str) -> Option<String> {
    let function_type: Func<'_> = types.type_by_name(function)?;
    let prototype: FuncProto<'_> = types.type_by_id(function_type.referenced_type_id())?;
    let arguments = prototype.iter().map(|argument| {
        let name = argument.name.unwrap_or_default().to_string_lossy();
        declaration(types, argument.ty, &name)
    });
    let arguments = arguments.collect::<Option<Vec<_>>>()?.join(", ");
    let result = declaration(types, prototype.referenced_type_id(), function)?;
    Some(format!("{result}({arguments})"))
}

/// C reads from the name outwards: `*` is put before the name, a type before both.
fn declaration(types: &Btf<'_>, id: TypeId, name: &str) -> Option<String> {
    let this: BtfType<'_> = types.type_by_id(id)?;
    let of_next = |name: &str| declaration(types, this.next_type()?.type_id(), name);
    let own_name = this.name().unwrap_or_default().to_string_lossy();
    match this.kind() {
        BtfKind::Void => Some(format!("void {name}")),
        BtfKind::Ptr => of_next(&format!("*{name}")),
        BtfKind::Const => Some(format!("const {}", of_next(name)?)),
        BtfKind::Volatile => Some(format!("volatile {}", of_next(name)?)),
        BtfKind::TypeTag => of_next(name),
        BtfKind::Struct | BtfKind::Fwd => Some(format!("struct {own_name} {name}")),
        BtfKind::Int | BtfKind::Typedef => Some(format!("{own_name} {name}")),
        // No function and no field of this lesson has another kind.
        _ => None,
    }
}
// ANCHOR_END: prototype

/// A field's declaration, such as `struct task_struct *real_parent`.
pub fn field(kernel: &Kernel, within: &str, name: &str) -> Option<String> {
    let types = kernel.types();
    let found: Composite<'_> = types.type_by_name(within)?;
    let field = found
        .iter()
        .find(|field| field.name.is_some_and(|other| other == name))?;
    declaration(types, field.ty, name)
}
