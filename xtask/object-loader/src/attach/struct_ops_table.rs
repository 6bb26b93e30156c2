//! Tables of functions in an object file, as the ELF file itself tells: libbpf knows a table's
//! programs only once it has found the table's type in the kernel.

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind};

#[derive(Debug, Eq, PartialEq)]
pub struct StructOpsTable {
    pub map: String,
    pub programs: Vec<String>,
}

impl StructOpsTable {
    /// Each variable in a section for such tables is a map. The functions in it are relocations.
    pub fn find_all(object: &[u8]) -> Result<Vec<Self>> {
        let file = object::File::parse(object).context("this is no ELF file")?;
        let mut tables = Vec::new();
        for section in file.sections().filter(holds_tables) {
            let variables = file
                .symbols()
                .filter(|symbol| symbol.section_index() == Some(section.index()))
                .filter(|symbol| symbol.kind() == SymbolKind::Data);
            for variable in variables {
                let fields = variable.address()..variable.address() + variable.size();
                let functions = section
                    .relocations()
                    .filter(|(offset, _)| fields.contains(offset))
                    .filter_map(|(_, relocation)| function_name(&file, relocation.target()));
                tables.push(Self {
                    map: variable.name()?.to_owned(),
                    programs: functions.collect(),
                });
            }
        }
        Ok(tables)
    }
}

fn holds_tables<'data>(section: &impl object::ObjectSection<'data>) -> bool {
    let name = section.name().unwrap_or_default();
    // A question mark tells libbpf not to make the maps by default.
    let name = name.strip_prefix('?').unwrap_or(name);
    matches!(name, ".struct_ops" | ".struct_ops.link")
}

/// A relocation may name a function, or the place where one begins.
fn function_name(file: &object::File<'_>, target: RelocationTarget) -> Option<String> {
    let RelocationTarget::Symbol(index) = target else {
        return None;
    };
    let place = file.symbol_by_index(index).ok()?;
    let mut functions = file.symbols().filter(|symbol| {
        symbol.kind() == SymbolKind::Text
            && symbol.section_index() == place.section_index()
            && symbol.address() == place.address()
    });
    Some(functions.next()?.name().ok()?.to_owned())
}
