//! Structs and unions, field by field.

use std::io::{self, Write};

use libbpf_rs::btf::types::{Composite, MemberAttr, Typedef};
use libbpf_rs::btf::{Btf, BtfType, HasSize as _, ReferencesType as _};

use crate::declaration::declare_type;

/// A line for each struct and union: its keyword, its name, its size in bytes, and its fields.
pub fn print_structs(out: &mut impl Write, btf: &Btf<'_>) -> io::Result<()> {
    for found in btf.type_by_kind::<Composite<'_>>() {
        if let Some(name) = found.name() {
            print_struct(out, btf, &name.to_string_lossy(), found)?;
        }
    }
    // What C calls `atomic_t` is a struct without a name, and `wait_queue_head_t` one with another.
    for found in btf.type_by_kind::<Typedef<'_>>() {
        if let (Some(name), Ok(composite)) =
            (found.name(), Composite::try_from(found.referenced_type()))
            && composite.name() != Some(name)
        {
            print_struct(out, btf, &name.to_string_lossy(), composite)?;
        }
    }
    Ok(())
}

fn print_struct(
    out: &mut impl Write,
    btf: &Btf<'_>,
    name: &str,
    found: Composite<'_>,
) -> io::Result<()> {
    let keyword = if found.is_struct { "struct" } else { "union" };
    write!(out, "{keyword}\t{name}\t{}", found.size())?;
    print_fields(out, btf, found, 0, "")?;
    writeln!(out)
}

/// Where each field begins, and its declaration. The fields of a struct in a field without a name
/// are also those of the outer one, since Linux 6.19 even if that struct has a name (the kernel is
/// compiled with -fms-extensions). The fields of a field whose type has no name are named by their
/// path.
fn print_fields(
    out: &mut impl Write,
    btf: &Btf<'_>,
    within: Composite<'_>,
    start: u32,
    path: &str,
) -> io::Result<()> {
    for field in within.iter() {
        let Some(found) = btf.type_by_id::<BtfType<'_>>(field.ty) else {
            continue;
        };
        let (bits, width) = match field.attr {
            MemberAttr::Normal { offset } => (start + offset, None),
            MemberAttr::BitField { size, offset } => (start + offset, Some(size)),
        };
        let name = field.name.unwrap_or_default().to_string_lossy();
        let path = match name.is_empty() {
            true => path.to_owned(),
            false => format!("{path}{name}"),
        };
        if !name.is_empty() {
            let declaration = declare_type(btf, &found, &format!("@{path}"));
            write!(out, "\t{} {declaration}", bits / 8)?;
            if let Some(width) = width {
                write!(out, ":{}:{width}", bits % 8)?;
            }
        }
        if let Ok(inner) = Composite::try_from(found)
            && (inner.name().is_none() || name.is_empty())
        {
            let path = match name.is_empty() {
                true => path,
                false => format!("{path}."),
            };
            print_fields(out, btf, inner, bits, &path)?;
        }
    }
    Ok(())
}
