//! Tables of functions that programs fill for the kernel (`struct_ops`): congestion control,
//! schedulers. Not a program is attached but the map with the table, and with it all its programs.

use anyhow::{Context as _, Result};
use libbpf_rs::btf::types::Struct;
use libbpf_rs::btf::{Btf, TypeId};
use libbpf_rs::{AsRawLibbpf as _, MapCore as _, MapType, ObjectBuilder, OpenObject, ProgramType};
use plan::load::{AttachResult, Missing, MissingKind};
use verifier_output::{clear_messages, take_messages};

use super::refusal::missing;
use super::running_kernel::{RunningKernel, name_attach_type};
use super::struct_ops_table::StructOpsTable;

/// The programs of all such maps of this object, each with what registering its map gave. A table
/// is taken back from the kernel at once.
pub fn attach_struct_ops(object: &[u8]) -> Result<Vec<(String, AttachResult)>> {
    let kernel = RunningKernel::default();
    let tables = StructOpsTable::find_all(object)?;
    let mut results = Vec::new();
    for table in &tables {
        let result = register(&kernel, object, &table.map)?;
        for program in &table.programs {
            let others = tables
                .iter()
                .filter(|other| other.programs.contains(program));
            let result = match others.count() {
                1 => result.clone(),
                _ => name_table(result.clone(), &table.map),
            };
            add_result(&mut results, program.clone(), result);
        }
    }
    Ok(results)
}

/// Which of the tables that share a program was refused.
fn name_table(result: AttachResult, table: &str) -> AttachResult {
    match result {
        AttachResult::Refused { missing, error } => AttachResult::Refused {
            missing,
            error: format!("struct_ops map {table}: {error}"),
        },
        other => other,
    }
}

/// A program of two tables works if both do.
fn add_result(results: &mut Vec<(String, AttachResult)>, program: String, result: AttachResult) {
    match results.iter_mut().find(|(name, _)| *name == program) {
        Some((_, earlier)) if *earlier == AttachResult::Attached => *earlier = result,
        Some(_) => {}
        None => results.push((program, result)),
    }
}

fn register(kernel: &RunningKernel, object: &[u8], map: &str) -> Result<AttachResult> {
    clear_messages();
    let mut opened = ObjectBuilder::default()
        .name("object")?
        .open_memory(object)
        .context("cannot open the object again")?;
    let table = select_table(&mut opened, map)?;
    let refuse = |error: libbpf_rs::Error| {
        let mut said = take_messages();
        let missing = explain(kernel, object, &table, &said.join("\n"));
        said.push(format!("{error:#}"));
        AttachResult::Refused {
            missing,
            error: said.join("\n"),
        }
    };
    let mut loaded = match opened.load() {
        Ok(loaded) => loaded,
        Err(error) => return Ok(refuse(error)),
    };
    let mut map = loaded
        .maps_mut()
        .find(|candidate| candidate.name() == map)
        .context("cannot find the map again")?;
    // Dropping the link takes the table back.
    Ok(match map.attach_struct_ops() {
        Ok(_) => AttachResult::Attached,
        Err(error) => refuse(error),
    })
}

/// What is known of a map before the load.
struct Table {
    type_id: TypeId,
    /// The kernel keeps it as long as a link lives.
    needs_link: bool,
}

/// Only this table is made; libbpf itself leaves out the programs of the others.
fn select_table(opened: &mut OpenObject, map: &str) -> Result<Table> {
    for mut program in opened.progs_mut() {
        if program.prog_type() != ProgramType::StructOps {
            program.set_autoload(false);
        }
    }
    let mut table = None;
    for mut candidate in opened.maps_mut() {
        if candidate.map_type() != MapType::StructOps {
            continue;
        }
        let is_wanted = candidate.name() == map;
        candidate.set_autocreate(is_wanted)?;
        if is_wanted {
            // SAFETY: the map is alive, and the number is only read.
            let type_id = unsafe {
                libbpf_sys::bpf_map__btf_value_type_id(candidate.as_libbpf_object().as_ptr())
            };
            table = Some(Table {
                type_id: TypeId::from(type_id),
                needs_link: candidate.map_flags() & libbpf_sys::BPF_F_LINK != 0,
            });
        }
    }
    table.with_context(|| format!("libbpf does not find the map {map}"))
}

/// The type of the table, a member of it, or the link that holds it.
fn explain(kernel: &RunningKernel, object: &[u8], table: &Table, said: &str) -> Option<Missing> {
    let types = Btf::from_raw("object", object).ok()??;
    let own = types.type_by_id::<Struct<'_>>(table.type_id)?;
    let name = own.name()?.to_str()?;
    // What follows three underscores tells one description of a type from another.
    let name = name.split("___").next()?;
    let kernel_types = kernel.types()?;
    let registered = kernel_types.type_by_name::<Struct<'_>>(&format!("bpf_struct_ops_{name}"));
    let structure = kernel_types.type_by_name::<Struct<'_>>(name);
    let (Some(_), Some(structure)) = (registered, structure) else {
        return Some(missing(MissingKind::StructOps, name));
    };
    let has_member = |member: &str| {
        structure
            .iter()
            .any(|known| known.name.is_some_and(|known| known == member))
    };
    let unknown = own
        .iter()
        .filter_map(|member| member.name?.to_str())
        .find(|member| !has_member(member) && said.contains(member));
    if let Some(member) = unknown {
        return Some(missing(MissingKind::StructOps, format!("{name}.{member}")));
    }
    let link = libbpf_sys::BPF_STRUCT_OPS;
    (table.needs_link && kernel.lacks_attach_type(link))
        .then(|| missing(MissingKind::AttachType, name_attach_type(link)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_table_is_named() {
        let refused = AttachResult::Refused {
            missing: None,
            error: "no".to_owned(),
        };
        let AttachResult::Refused { error, .. } = name_table(refused, "lacking") else {
            panic!("it was refused");
        };
        assert_eq!(error, "struct_ops map lacking: no");
        assert_eq!(
            name_table(AttachResult::Attached, "good"),
            AttachResult::Attached
        );
    }

    #[test]
    fn a_program_of_two_tables_works_if_both_do() {
        let refused = AttachResult::NotTried { why: String::new() };
        let mut results = Vec::new();
        for (program, result) in [
            ("a", AttachResult::Attached),
            ("b", refused.clone()),
            ("a", refused.clone()),
            ("b", AttachResult::Attached),
        ] {
            add_result(&mut results, program.to_owned(), result);
        }
        let expected = ["a", "b"].map(|program| (program.to_owned(), refused.clone()));
        assert_eq!(results, expected);
    }
}
