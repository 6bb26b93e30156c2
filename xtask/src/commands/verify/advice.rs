//! What the names of all kernels tell about something that one of them lacks.

use std::fmt;

use anyhow::Result;
use kernel_names::{AllNames, Kind, Names, SeriesRange, Struct};
use plan::load::{Missing, MissingKind};
use serde::Serialize;

use super::kernel_name::KernelName;

#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Advice {
    #[serde(skip)]
    name: String,
    /// The kernels that have it: "5.10 to 6.19".
    there_on: Vec<String>,
    /// What came instead, and why.
    instead: Option<String>,
    #[serde(skip)]
    why: Option<String>,
    /// Names that this kernel has.
    similar: Vec<String>,
    /// How many functions have the name, if it is that which keeps them from being traced.
    #[serde(skip)]
    namesakes: usize,
}

impl Advice {
    /// `None`: the captured names tell nothing about such a thing.
    pub fn advise_on(
        missing: &Missing,
        kernel: &KernelName,
        names: &AllNames,
    ) -> Result<Option<Self>> {
        let names = names.of(kernel.architecture)?;
        let kernel = kernel.series.as_str();
        if missing.kind == MissingKind::TraceableFunction {
            return Self::advise_on_function(&missing.name, kernel, names);
        }
        let Some((kind, name)) = name_of(missing) else {
            return Ok(None);
        };
        if kind == Kind::Function && name.contains('.') {
            // Copies of functions are listed with the functions.
            return Ok(None);
        }
        let there_on = find_presence(kind, &name, names)?;
        if there_on.iter().any(|range| range.contains_series(kernel)) {
            // Its name alone is no help, and neither are those of other kernels.
            return Ok(None);
        }
        let successor = names.successor(kind, &name);
        let similar = match successor {
            None if there_on.is_empty() => names.similar(kind, &name, kernel)?,
            _ => Vec::new(),
        };
        Ok(Some(Self {
            name: missing.name.clone(),
            there_on: there_on.iter().map(ToString::to_string).collect(),
            instead: successor.map(|successor| successor.new.clone()),
            why: successor.map(|successor| successor.why.clone()),
            similar,
            namesakes: 0,
        }))
    }

    /// About one that is there and cannot be traced.
    fn advise_on_function(name: &str, kernel: &str, names: &Names) -> Result<Option<Self>> {
        let history = names.function(name)?;
        let Some(function) = history.on_series(kernel) else {
            return Ok(None);
        };
        let advice = Self {
            name: name.to_owned(),
            similar: function.copies.clone(),
            namesakes: function.count.max(1),
            ..Self::default()
        };
        let is_help = !advice.similar.is_empty() || advice.namesakes > 1;
        Ok(is_help.then_some(advice))
    }
}

impl Advice {
    /// Whether some kernel has it.
    pub fn is_known(&self) -> bool {
        !self.there_on.is_empty()
    }
}

/// Lines for a person.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        if self.namesakes > 1 {
            let (number, name) = (self.namesakes, &self.name);
            lines.push(format!(
                "{number} functions are called {name}: none is chosen"
            ));
        } else if self.namesakes == 1 {
            let copies = self.similar.join(", ");
            let name = &self.name;
            return write!(
                f,
                "the compiler made copies of {name}: kprobes take {copies}"
            );
        } else if self.there_on.is_empty() {
            lines.push(format!("no kernel has {} built in", self.name));
        } else {
            let there_on = self.there_on.join(", ");
            lines.push(format!("{} is there on {there_on}", self.name));
        }
        if let (Some(instead), Some(why)) = (&self.instead, &self.why) {
            lines.push(format!("use {instead} instead: {why}"));
        }
        if !self.similar.is_empty() {
            lines.push(format!("similar names here: {}", self.similar.join(", ")));
        }
        f.write_str(&lines.join("\n"))
    }
}

/// The series on which it is there; `name` may be `struct.field`.
pub fn find_presence(kind: Kind, name: &str, names: &Names) -> Result<Vec<SeriesRange>> {
    match name.split_once('.') {
        Some((of, field)) if kind == Kind::Struct => {
            let history = names.structs(of)?.map_values(|definitions| {
                let has_field = |it: &Struct| it.find_field(field).is_some();
                definitions.iter().any(has_field).then_some(())
            });
            Ok(history.presence())
        }
        _ => names.presence(kind, name),
    }
}

/// What is missing, as the captured names have it.
pub fn name_of(missing: &Missing) -> Option<(Kind, String)> {
    let kind = match missing.kind {
        MissingKind::Function => Kind::Function,
        MissingKind::Tracepoint => Kind::Tracepoint,
        MissingKind::RawTracepoint => Kind::RawTracepoint,
        MissingKind::LsmHook => Kind::Hook,
        MissingKind::ProgramType => Kind::ProgramType,
        MissingKind::AttachType => Kind::AttachType,
        MissingKind::MapType => Kind::MapType,
        // A flag of the map is no name.
        MissingKind::StructOps if missing.name.starts_with("BPF_") => return None,
        MissingKind::StructOps => Kind::Struct,
        MissingKind::TraceableFunction
        | MissingKind::ProgramFlag
        | MissingKind::Trampoline
        | MissingKind::Module => return None,
    };
    let name = match kind {
        Kind::Tracepoint => missing.name.replacen('/', ":", 1),
        _ => missing.name.clone(),
    };
    Some((kind, name))
}
