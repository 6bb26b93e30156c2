//! What the kernel's BTF says of a function's arguments and of a field, as a declaration in C.

use libbpf_rs::btf::types::{Composite, Func, FuncProto};
use libbpf_rs::btf::{Btf, BtfKind, BtfType, ReferencesType as _, TypeId};

use crate::NotReady;
use crate::btf::Kernel;
use crate::machine;

/// The prototype of a function of the running kernel. Functions inside the kernel are no stable
/// interface: with other arguments a lesson's programs would report nonsense, so other arguments
/// are an error. `lesson` is what `cargo xtask run` calls it.
pub fn find_prototype(
    kernel: &Kernel,
    function: &str,
    arguments: &str,
    lesson: &str,
) -> Result<String, NotReady> {
    let elsewhere = format!("cargo xtask run {lesson} runs the lesson on a kernel that has it");
    let Some(prototype) = declare_function(kernel.btf_types(), function) else {
        let release = machine::kernel_release();
        let what = format!("cannot find {function} in the BTF of Linux {release}");
        return Err(NotReady::new(what).help(elsewhere));
    };
    if !prototype.ends_with(&format!("({arguments})")) {
        let what = format!("cannot use {function}: its arguments are not ({arguments})");
        return Err(NotReady::new(what)
            .help(format!("this kernel has: {prototype}"))
            .help(elsewhere));
    }
    Ok(prototype)
}

/// A field's declaration, such as `struct task_struct *real_parent`.
pub fn declare_field(kernel: &Kernel, within: &str, name: &str) -> Option<String> {
    let composite: Composite<'_> = kernel.btf_types().type_by_name(within)?;
    for field in composite.iter() {
        if field.name.is_some_and(|other| other == name) {
            return declare(kernel.btf_types(), field.ty, name);
        }
    }
    None
}

// ANCHOR: prototype
fn declare_function(types: &Btf<'_>, function: &str) -> Option<String> {
    let function_type: Func<'_> = types.type_by_name(function)?;
    let prototype: FuncProto<'_> = types.type_by_id(function_type.referenced_type_id())?;
    let mut arguments = Vec::new();
    for argument in prototype.iter() {
        let name = argument.name.unwrap_or_default().to_string_lossy();
        arguments.push(declare(types, argument.ty, &name)?);
    }
    let result = declare(types, prototype.referenced_type_id(), function)?;
    Some(format!("{result}({})", arguments.join(", ")))
}

/// A C declaration reads from the name outwards: `*` goes before the name, a type before both.
fn declare(types: &Btf<'_>, id: TypeId, name: &str) -> Option<String> {
    let this: BtfType<'_> = types.type_by_id(id)?;
    let declare_next = |name: &str| declare(types, this.next_type()?.type_id(), name);
    let own_name = this.name().unwrap_or_default().to_string_lossy();
    match this.kind() {
        BtfKind::Void => Some(format!("void {name}")),
        BtfKind::Ptr => declare_next(&format!("*{name}")),
        BtfKind::Const => Some(format!("const {}", declare_next(name)?)),
        BtfKind::Volatile => Some(format!("volatile {}", declare_next(name)?)),
        BtfKind::TypeTag => declare_next(name),
        BtfKind::Struct | BtfKind::Fwd => Some(format!("struct {own_name} {name}")),
        BtfKind::Int | BtfKind::Typedef => Some(format!("{own_name} {name}")),
        // No function and no field of a lesson has another kind.
        _ => None,
    }
}
// ANCHOR_END: prototype
