//! Types and functions as C declares them. The name that is declared begins with `@`, so that a
//! reader finds it in a declaration.

use libbpf_rs::btf::types::{Array, FuncProto, Fwd, FwdKind};
use libbpf_rs::btf::{Btf, BtfKind, BtfType, ReferencesType as _};

/// What C writes to declare `declarator`, which begins with a name, as of this type.
pub fn declare_type(btf: &Btf<'_>, found: &BtfType<'_>, declarator: &str) -> String {
    let next = || found.next_type();
    match (found.kind(), next()) {
        (BtfKind::Ptr, Some(target)) => {
            let is_suffixed = matches!(target.kind(), BtfKind::Array | BtfKind::FuncProto);
            let pointer = format!("*{declarator}");
            let pointer = if is_suffixed {
                format!("({pointer})")
            } else {
                pointer
            };
            declare_type(btf, &target, &pointer)
        }
        (BtfKind::Array, _) => match Array::try_from(*found) {
            Ok(array) => {
                let declarator = format!("{declarator}[{}]", array.capacity());
                declare_type(btf, &array.contained_type(), &declarator)
            }
            Err(_) => unreachable!("its kind is that of an array"),
        },
        (BtfKind::FuncProto, _) => match (*found).try_into() {
            Ok(prototype) => declare_function(btf, &prototype, declarator),
            Err(_) => unreachable!("its kind is that of a prototype"),
        },
        (BtfKind::Const, Some(target)) => qualify_type(btf, &target, "const", declarator),
        (BtfKind::Volatile, Some(target)) => qualify_type(btf, &target, "volatile", declarator),
        // Neither changes how a field or an argument is read.
        (BtfKind::Restrict | BtfKind::TypeTag, Some(target)) => {
            declare_type(btf, &target, declarator)
        }
        _ => join_words(&name_type(found), declarator),
    }
}

/// `const` stands after a pointer and before all else.
fn qualify_type(btf: &Btf<'_>, target: &BtfType<'_>, word: &str, declarator: &str) -> String {
    if target.kind() == BtfKind::Ptr {
        return declare_type(btf, target, &join_words(word, declarator));
    }
    join_words(word, &declare_type(btf, target, declarator))
}

fn join_words(first: &str, second: &str) -> String {
    if second.is_empty() {
        return first.to_owned();
    }
    format!("{first} {second}")
}

fn name_type(found: &BtfType<'_>) -> String {
    let name = found.name().unwrap_or_default().to_string_lossy();
    let keyword = match found.kind() {
        BtfKind::Void => return "void".to_owned(),
        BtfKind::Struct => "struct",
        BtfKind::Union => "union",
        BtfKind::Enum | BtfKind::Enum64 => "enum",
        BtfKind::Fwd => match Fwd::try_from(*found).map(|declared| declared.kind()) {
            Ok(FwdKind::Union) => "union",
            _ => "struct",
        },
        _ => return name.into_owned(),
    };
    if name.is_empty() {
        return format!("{keyword} {{}}");
    }
    format!("{keyword} {name}")
}

/// What C writes for a function whose declaration begins and goes on with `declarator`: its name,
/// or `(*name)` for a pointer.
pub fn declare_function(btf: &Btf<'_>, prototype: &FuncProto<'_>, declarator: &str) -> String {
    let parameters = declare_parameters(btf, prototype);
    let parameters = if parameters.is_empty() {
        "void".to_owned()
    } else {
        parameters.join(", ")
    };
    let declarator = format!("{declarator}({parameters})");
    declare_type(btf, &prototype.referenced_type(), &declarator)
}

/// Of a function, in their order.
pub fn declare_parameters(btf: &Btf<'_>, prototype: &FuncProto<'_>) -> Vec<String> {
    let parameters = prototype.iter().map(|parameter| {
        let name = parameter.name.unwrap_or_default().to_string_lossy();
        match btf.type_by_id::<BtfType<'_>>(parameter.ty) {
            // The last one, without a name and a type, is for all that follow.
            Some(found) if found.kind() != BtfKind::Void => declare_type(btf, &found, &name),
            _ => "...".to_owned(),
        }
    });
    parameters.collect()
}
