//! What the kernels have by a name, in ranges of series.

use anyhow::Result;
use kernel::Architecture;
use kernel_names::{
    AllNames, History, KernelFunction, Kind, Names, Record, SeriesRange, Struct, Successor,
};
use problem::find_similar_names;
use serde::Serialize;

use crate::commands::where_name::changes::{FieldLine, describe_changes};
use crate::commands::where_name::field_path::{FoundField, find_field};
use crate::commands::where_name::question::Question;
use crate::commands::where_name::section::find_section;

#[derive(Debug, Serialize)]
pub struct Answer {
    /// As it was asked for.
    pub name: String,
    /// Whose kernels were looked at.
    #[serde(skip)]
    pub architectures: Vec<Architecture>,
    pub found: Vec<Found>,
    /// If nothing was found.
    pub similar: Vec<String>,
    /// Another architecture has it, if none of those has that were looked at.
    #[serde(skip)]
    pub elsewhere: Option<Architecture>,
}

/// What has the name: one for each kind on each architecture.
#[derive(Debug, Serialize)]
pub struct Found {
    pub architecture: Architecture,
    pub kind: &'static str,
    pub name: String,
    pub ranges: Vec<RangeAnswer>,
    pub successor: Option<SuccessorAnswer>,
}

impl Found {
    /// On another architecture.
    pub fn is_same_thing(&self, other: &Self) -> bool {
        (self.kind, &self.name) == (other.kind, &other.name)
    }

    pub fn is_as_on(&self, other: &Self) -> bool {
        self.is_same_thing(other)
            && (&self.ranges, &self.successor) == (&other.ranges, &other.successor)
    }
}

/// What it is like on series in a row.
#[derive(Debug, Default, Eq, PartialEq, Serialize)]
pub struct RangeAnswer {
    #[serde(skip)]
    pub shown: String,
    pub first: &'static str,
    pub last: &'static str,
    pub there: bool,
    pub signatures: Vec<String>,
    pub count: Option<usize>,
    pub copies: Vec<String>,
    pub attach: Vec<&'static str>,
    pub number: Option<i64>,
    pub size: Option<u32>,
    pub fields: Vec<String>,
    /// Compared with the range before in which it is there.
    #[serde(skip)]
    pub changes: Vec<String>,
    /// What a person should know besides.
    #[serde(skip)]
    pub notes: Vec<String>,
}

#[derive(Debug, Eq, PartialEq, Serialize)]
pub struct SuccessorAnswer {
    pub kind: &'static str,
    pub name: String,
    pub since: String,
    pub why: String,
}

impl From<&Successor> for SuccessorAnswer {
    fn from(successor: &Successor) -> Self {
        let kind = successor.new_kind.unwrap_or(successor.kind);
        let kind = match kind == Kind::Struct && successor.new.contains('.') {
            true => FIELD,
            false => kind.kind_word(),
        };
        Self {
            kind,
            name: successor.new.clone(),
            since: successor.since.clone(),
            why: successor.why.clone(),
        }
    }
}

impl Answer {
    pub fn find(
        names: &AllNames,
        question: &Question,
        architectures: &[Architecture],
        series: &[&str],
    ) -> Result<Self> {
        let search_on = |architecture| {
            let names = names.of(architecture)?;
            anyhow::Ok(Search {
                names,
                question,
                series,
            })
        };
        let mut answer = Self {
            name: question.typed.clone(),
            architectures: architectures.to_vec(),
            found: Vec::new(),
            similar: Vec::new(),
            elsewhere: None,
        };
        for &architecture in architectures {
            answer.found.extend(search_on(architecture)?.find_all()?);
        }
        if !answer.found.is_empty() {
            return Ok(answer);
        }
        for architecture in Architecture::ALL {
            let search = search_on(architecture)?;
            if architectures.contains(&architecture) {
                answer.similar.extend(search.find_similar()?);
            } else if !search.find_all()?.is_empty() {
                answer.elsewhere = Some(architecture);
            }
        }
        let similar = answer.similar.iter().map(String::as_str);
        let best = find_similar_names(&question.name, similar, SIMILAR);
        answer.similar = best.into_iter().map(str::to_owned).collect();
        Ok(answer)
    }

    /// On at least one of the kernels that matter.
    pub fn is_there(&self) -> bool {
        let mut ranges = self.found.iter().flat_map(|found| &found.ranges);
        ranges.any(|range| range.there)
    }
}

struct Search<'a> {
    names: &'a Names,
    question: &'a Question,
    series: &'a [&'a str],
}

impl Search<'_> {
    fn find_all(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for kind in ORDER {
            let is_told = is_implementation(kind, &found) && self.question.kinds.is_none();
            if self.question.is_about(kind) && !is_told {
                found.extend(self.find_kind(kind)?);
            }
        }
        found.extend(self.find_field()?);
        found.extend(self.find_section()?);
        Ok(found)
    }

    fn name_on_kernels(&self, kind: Kind) -> String {
        self.question.name_of_kind(kind, self.names.architecture)
    }

    fn find_kind(&self, kind: Kind) -> Result<Vec<Found>> {
        let name = &self.name_of_kind(kind)?;
        match kind {
            Kind::Function => {
                let history = self.names.function(name)?;
                self.one(kind, name, &history, |value, _| of_function(name, value))
            }
            Kind::Struct => {
                let history = self.names.structs(name)?;
                self.one(kind, name, &history, |value, before| {
                    of_struct(value, before.map(Vec::as_slice))
                })
            }
            Kind::Tracepoint => self.find_tracepoints(name),
            Kind::Hook => {
                let stored = self.names.find_history(kind, name)?;
                let history = stored.map_on_series(|series, signature| {
                    Some((signature.clone(), self.names.has_trampolines(series)))
                });
                self.one(kind, name, &history, |(signature, attaches), _| {
                    of_hook(name, signature, *attaches)
                })
            }
            Kind::RawTracepoint | Kind::Kfunc => {
                let history = self.names.find_history(kind, name)?;
                self.one(kind, name, &history, |value, _| {
                    of_signature(kind, name, value)
                })
            }
            Kind::Helper | Kind::ProgramType | Kind::MapType | Kind::AttachType => {
                let history = self.names.find_history(kind, name)?;
                self.one(kind, name, &history, |value, _| of_number(value))
            }
        }
    }

    /// A helper may be asked for by its number, which is all that the verifier of a kernel without
    /// it names.
    fn name_of_kind(&self, kind: Kind) -> Result<String> {
        let name = self.name_on_kernels(kind);
        let helper = match name.parse() {
            Ok(number) if kind == Kind::Helper => self.names.helper_by_number(number)?,
            _ => None,
        };
        Ok(helper.map_or(name, |(helper, _)| helper))
    }

    /// Nothing if it is on no series at all.
    fn one<T: PartialEq>(
        &self,
        kind: Kind,
        name: &str,
        history: &History<T>,
        describe: impl Fn(&T, Option<&T>) -> RangeAnswer,
    ) -> Result<Vec<Found>> {
        if history.is_empty() {
            return Ok(Vec::new());
        }
        let successor = self.names.successor(kind, name);
        Ok(vec![Found {
            architecture: self.names.architecture,
            kind: kind.kind_word(),
            name: name.to_owned(),
            ranges: describe_spans(history, self.series, describe),
            successor: successor.map(SuccessorAnswer::from),
        }])
    }

    fn find_tracepoints(&self, name: &str) -> Result<Vec<Found>> {
        let full_names = match name.contains(':') {
            true => vec![name.to_owned()],
            false => self.names.tracepoints_named(name)?,
        };
        let mut found = Vec::new();
        for name in full_names {
            let record = self.names.find_record(&name)?;
            found.extend(self.one(Kind::Tracepoint, &name, &record, of_record)?);
        }
        Ok(found)
    }

    fn find_field(&self) -> Result<Option<Found>> {
        let name = &self.question.name;
        let (Some((structure, path)), true) =
            (name.split_once('.'), self.question.is_about(Kind::Struct))
        else {
            return Ok(None);
        };
        let history = find_field(self.names, structure, path)?;
        if history.is_empty() {
            return Ok(None);
        }
        let successor = self.names.successor(Kind::Struct, name);
        Ok(Some(Found {
            architecture: self.names.architecture,
            kind: FIELD,
            name: name.clone(),
            ranges: describe_spans(&history, self.series, |value, _| of_field(value)),
            successor: successor.map(SuccessorAnswer::from),
        }))
    }

    /// What programs in a section of this name are.
    fn find_section(&self) -> Result<Vec<Found>> {
        let Some((program_type, attach_type)) = find_section(&self.question.typed) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        let names = [
            (Kind::ProgramType, program_type),
            (Kind::AttachType, attach_type),
        ];
        for (kind, name) in names {
            let history = self.names.find_history(kind, name)?;
            found.extend(self.one(kind, name, &history, |value, _| of_number(value))?);
        }
        Ok(found)
    }

    /// Names of whatever kind.
    fn find_similar(&self) -> Result<Vec<String>> {
        let name = &self.question.name;
        if let Some((structure, path)) = name.split_once('.')
            && let fields @ [_, ..] = &self.similar_fields(structure, path)?[..]
        {
            return Ok(fields.to_vec());
        }
        let mut alike = Vec::new();
        for kind in Kind::ALL
            .into_iter()
            .filter(|kind| self.question.is_about(*kind))
        {
            let wanted = self.name_on_kernels(kind);
            alike.extend(self.names.similar_anywhere(kind, &wanted)?);
        }
        alike.sort();
        alike.dedup();
        let best = find_similar_names(name, alike.iter().map(String::as_str), SIMILAR);
        Ok(best.into_iter().map(str::to_owned).collect())
    }

    fn similar_fields(&self, structure: &str, path: &str) -> Result<Vec<String>> {
        let history = self.names.structs(structure)?;
        let definitions = history.find_spans(self.series);
        let definitions = definitions.iter().filter_map(|span| span.value).flatten();
        let mut fields: Vec<&str> = definitions
            .flat_map(|definition| definition.fields.iter().map(|field| field.name()))
            .collect();
        fields.sort_unstable();
        fields.dedup();
        let best = find_similar_names(path, fields, SIMILAR).into_iter();
        Ok(best.map(|field| format!("{structure}.{field}")).collect())
    }
}

/// Not a kind that is stored: structs are, with their fields.
const FIELD: &str = "field";

/// What people who ask for a name mean comes first.
const ORDER: [Kind; 10] = [
    Kind::Helper,
    Kind::Kfunc,
    Kind::Function,
    Kind::Struct,
    Kind::Tracepoint,
    Kind::RawTracepoint,
    Kind::Hook,
    Kind::ProgramType,
    Kind::MapType,
    Kind::AttachType,
];

/// The function that does what a helper or a kfunc does has the same name.
fn is_implementation(kind: Kind, found: &[Found]) -> bool {
    let callable = [Kind::Helper.kind_word(), Kind::Kfunc.kind_word()];
    kind == Kind::Function && found.iter().any(|found| callable.contains(&found.kind))
}

/// So many similar names are named.
const SIMILAR: usize = 3;

/// A range for each stretch of series on which it is the same.
fn describe_spans<T: PartialEq>(
    history: &History<T>,
    series: &[&str],
    describe: impl Fn(&T, Option<&T>) -> RangeAnswer,
) -> Vec<RangeAnswer> {
    let mut before = None;
    let mut ranges = Vec::new();
    for span in history.find_spans(series) {
        let mut range = match span.value {
            Some(value) => describe(value, before),
            None => RangeAnswer::default(),
        };
        range.set_range(span.range, span.value.is_some());
        before = span.value.or(before);
        ranges.push(range);
    }
    ranges
}

impl RangeAnswer {
    fn set_range(&mut self, range: SeriesRange, there: bool) {
        self.shown = range.to_string();
        self.first = range.first_name();
        self.last = range.last_name();
        self.there = there;
    }
}

fn of_function(name: &str, function: &KernelFunction) -> RangeAnswer {
    let mut attach = Vec::new();
    if function.takes_kprobe() {
        attach.push("kprobe");
    }
    if function.takes_fentry() {
        attach.push("fentry");
    }
    RangeAnswer {
        signatures: function.format_signatures(name),
        count: Some(function.count),
        copies: function
            .copies
            .iter()
            .map(|it| format!("{name}{it}"))
            .collect(),
        attach,
        notes: notes_on_function(name, function),
        ..RangeAnswer::default()
    }
}

/// `inline` is defined so in include/linux/compiler_types.h.
const UNTRACEABLE: &str = "it cannot be traced: ftrace does not list it. Among such functions are \
    those that are declared inline, even if the compiler did not inline them, and those that are \
    only needed while the kernel starts";

/// Of those kernels that are told about here, only such of arm64 have none.
const NO_TRAMPOLINES: &str = "BPF trampolines attach on arm64 from Linux 6.4 on";

fn notes_on_function(name: &str, function: &KernelFunction) -> Vec<String> {
    let mut notes = Vec::new();
    if !function.has_symbol && function.copies.is_empty() {
        notes.push("BTF describes it, but the kernel has no function of this name".to_owned());
    } else if !function.has_symbol {
        let copies: Vec<String> = function
            .copies
            .iter()
            .map(|it| format!("{name}{it}"))
            .collect();
        notes.push(format!(
            "only as {}: the compiler changed its arguments, or cut it in parts",
            copies.join(", ")
        ));
    } else if !function.is_traceable {
        notes.push(UNTRACEABLE.to_owned());
    }
    if function.refuses_kprobes {
        notes.push("the kernel lets nobody attach a kprobe to it".to_owned());
    }
    if function.is_traceable && !function.is_in_btf() {
        notes.push("BTF does not describe it: no fentry".to_owned());
    } else if function.is_traceable && !function.has_trampolines {
        notes.push(NO_TRAMPOLINES.to_owned());
    }
    if function.count > 1 {
        notes.push(format!(
            "{} functions have this name: which of them is meant cannot be said by name",
            function.count
        ));
    }
    notes
}

fn of_struct(definitions: &[Struct], before: Option<&[Struct]>) -> RangeAnswer {
    let Some(first) = definitions.first() else {
        return RangeAnswer::default();
    };
    let fields: Vec<FieldLine<'_>> = first.fields.iter().map(FieldLine::from).collect();
    let mut answer = RangeAnswer {
        size: Some(first.size),
        fields: format_fields(&fields),
        ..RangeAnswer::default()
    };
    if let Some(before) = before.and_then(|before| before.first()) {
        let before: Vec<FieldLine<'_>> = before.fields.iter().map(FieldLine::from).collect();
        answer.changes = describe_changes(&before, &fields);
    }
    if definitions.len() > 1 {
        let count = definitions.len();
        answer.notes.push(format!(
            "{count} definitions have this name; this is the first"
        ));
    }
    answer
}

fn of_record(record: &Record, before: Option<&Record>) -> RangeAnswer {
    let fields: Vec<FieldLine<'_>> = record.fields.iter().map(FieldLine::from).collect();
    let changes = before.map(|before| {
        let before: Vec<FieldLine<'_>> = before.fields.iter().map(FieldLine::from).collect();
        describe_changes(&before, &fields)
    });
    RangeAnswer {
        attach: vec!["tracepoint"],
        fields: format_fields(&fields),
        changes: changes.unwrap_or_default(),
        ..RangeAnswer::default()
    }
}

fn format_fields(fields: &[FieldLine<'_>]) -> Vec<String> {
    let fields = fields.iter();
    fields
        .map(|field| format!("{} {}", field.offset, field.declaration))
        .collect()
}

fn of_field(found: &[FoundField]) -> RangeAnswer {
    let mut answer = RangeAnswer::default();
    for field in found {
        let place = match &field.pointed_struct {
            Some(structure) => format!(", in the {structure} that its path points to"),
            None => String::new(),
        };
        let line = format!("{} {}{place}", field.offset, field.declaration);
        answer.fields.push(line);
    }
    if found.len() > 1 {
        let note = "several definitions have the name of its struct";
        answer.notes.push(note.to_owned());
    }
    answer
}

fn of_signature(kind: Kind, name: &str, value: &str) -> RangeAnswer {
    RangeAnswer {
        signatures: vec![match kind {
            Kind::RawTracepoint => format!("{name}({value})"),
            _ => value.replacen('@', name, 1),
        }],
        attach: match kind {
            Kind::RawTracepoint => vec!["raw_tracepoint", "tp_btf"],
            _ => Vec::new(),
        },
        ..RangeAnswer::default()
    }
}

fn of_hook(name: &str, signature: &str, attaches: bool) -> RangeAnswer {
    let mut answer = of_signature(Kind::Hook, name, signature);
    if attaches {
        answer.attach.push("lsm");
    } else {
        answer.notes.push(NO_TRAMPOLINES.to_owned());
    }
    answer
}

fn of_number(value: &str) -> RangeAnswer {
    RangeAnswer {
        number: value.parse().ok(),
        ..RangeAnswer::default()
    }
}

#[cfg(test)]
mod tests {
    use kernel::{SERIES, is_older};

    use super::*;

    /// Whether it can be used on each series.
    fn usable_on(names: &Names, kind: Kind, name: &str) -> Vec<bool> {
        let there = |ranges: Vec<SeriesRange>| {
            let is_in = |series| ranges.iter().any(|range| range.contains_series(series));
            SERIES.iter().map(|series| is_in(series)).collect()
        };
        match kind {
            Kind::Function => {
                let usable = |function: &KernelFunction| function.takes_kprobe().then_some(());
                let history = names.function(name).unwrap().map_values(usable);
                there(history.presence())
            }
            Kind::Struct => {
                let (structure, path) = name.split_once('.').unwrap();
                there(find_field(names, structure, path).unwrap().presence())
            }
            _ => there(names.presence(kind, name).unwrap()),
        }
    }

    #[test]
    fn each_successor_is_what_was_captured() {
        for architecture in Architecture::ALL {
            let names = Names::read(architecture).unwrap();
            assert!(names.list_successors().len() >= 15);
            for successor in names.list_successors() {
                check_successor(&names, successor);
            }
        }
    }

    fn check_successor(names: &Names, successor: &Successor) {
        let Successor { kind, old, new, .. } = successor;
        let old_usable = usable_on(names, *kind, old);
        let new_usable = usable_on(names, successor.new_kind.unwrap_or(*kind), new);
        let mut was_there = false;
        for (place, series) in SERIES.iter().enumerate() {
            if is_older(series, &successor.since) {
                was_there |= old_usable[place];
            } else {
                assert!(!old_usable[place], "{old} is there on {series}");
                assert!(new_usable[place], "{new} is not there on {series}");
            }
        }
        assert!(was_there, "{old} was on none of the kernels before");
        assert!(!successor.why.ends_with('.'), "{old}");
    }

    #[test]
    fn helpers_are_found_by_their_numbers() {
        let names = Names::read(Architecture::Amd64).unwrap();
        let told = |number| names.helper_by_number(number).unwrap();
        assert_eq!(told(182), Some(("bpf_strncmp".to_owned(), "6.1")));
        assert_eq!(told(16), Some(("bpf_get_current_comm".to_owned(), "5.10")));
        assert_eq!(told(100_000), None);
    }
}
