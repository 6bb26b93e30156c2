//! Functions, with what they take and return; and which of them programs may call or attach to by
//! another name.

use std::collections::HashSet;
use std::io::{self, Write};

use libbpf_rs::btf::types::{DeclTag, Func, FuncProto, Ptr, Typedef};
use libbpf_rs::btf::{Btf, BtfKind, BtfType, ReferencesType as _, TypeId};

use crate::declaration::{declare_function, declare_parameters};
use crate::id_sets::IdSets;

/// The function to which a program for a hook of an LSM is attached is called after the hook.
const HOOK: &str = "bpf_lsm_";

pub fn print_functions(out: &mut impl Write, btf: &Btf<'_>, sets: &IdSets) -> io::Result<()> {
    let mentioned = sets.find_mentioned();
    let kfuncs = find_kfuncs(btf, sets);
    for function in btf.type_by_kind::<Func<'_>>() {
        let name = function.name().unwrap_or_default().to_string_lossy();
        let Ok(prototype) = FuncProto::try_from(function.referenced_type()) else {
            continue;
        };
        let signature = declare_function(btf, &prototype, "@");
        writeln!(out, "function\t{name}\t{signature}")?;
        let id = u32::from(function.type_id());
        if kfuncs.contains(&id) {
            writeln!(out, "kfunc\t{name}\t{signature}")?;
        }
        if let Some(hook) = name.strip_prefix(HOOK)
            && mentioned.contains(&id)
        {
            writeln!(out, "hook\t{hook}\t{signature}")?;
        }
    }
    Ok(())
}

/// The type of the function that a program for a raw tracepoint is called as.
const RAW_TRACEPOINT: &str = "btf_trace_";

/// A line for each: its name, and the arguments after the first, which is the kernel's own.
pub fn print_raw_tracepoints(out: &mut impl Write, btf: &Btf<'_>) -> io::Result<()> {
    for found in btf.type_by_kind::<Typedef<'_>>() {
        let name = found.name().unwrap_or_default().to_string_lossy();
        let Some(name) = name.strip_prefix(RAW_TRACEPOINT) else {
            continue;
        };
        let Ok(pointer) = Ptr::try_from(found.referenced_type()) else {
            continue;
        };
        if let Ok(prototype) = FuncProto::try_from(pointer.referenced_type()) {
            let parameters = declare_parameters(btf, &prototype);
            let arguments = parameters.get(1..).unwrap_or_default().join(", ");
            writeln!(out, "raw-tracepoint\t{name}\t{arguments}")?;
        }
    }
    Ok(())
}

/// pahole tags kfuncs since its version 1.26. Before, only the sets of ids tell.
fn find_kfuncs(btf: &Btf<'_>, sets: &IdSets) -> HashSet<u32> {
    let tags = btf.type_by_kind::<DeclTag<'_>>();
    let tagged: HashSet<u32> = tags
        .filter(|tag| tag.name().is_some_and(|name| name == "bpf_kfunc"))
        .map(|tag| u32::from(tag.referenced_type().type_id()))
        .collect();
    if !tagged.is_empty() {
        return tagged;
    }
    let is_function = |id: u32| {
        let found = btf.type_by_id::<BtfType<'_>>(TypeId::from(id));
        found.is_some_and(|found| found.kind() == BtfKind::Func)
    };
    sets.find_flagged(is_function)
}
