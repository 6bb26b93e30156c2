//! Finds the series at which an answer changes, without asking every kernel.
//!
//! The oldest and the newest kernel are asked, then one between two that disagree, until those that
//! disagree are neighbours; and if that took fewer than five, some between those that agree.
//! Others between two that agree are not asked: a verdict that changes and changes back there stays
//! unseen, unless the captured names of the kernels tell that what the program hooks comes or goes
//! there, or `--thorough` asks all of them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use kernel::{SERIES, Version};
use kernel_names::AllNames;
use problem::{Exit, Problem};
use serde::Serialize;

use super::input_files::InputFiles;
use super::kernel_result::KernelResult;
use super::kernel_verdict::KernelVerdict;
use super::options::VerifyOptions;
use super::program_answer::ProgramAnswer;
use super::survey::{ask_kernels, good_word, show_notes, take_verdicts};
use super::{explanation, hook_history, table};
use crate::output::screen::{self, Mark};
use crate::pipeline::selection::Selection;

pub fn find_changes(options: &VerifyOptions, files: &InputFiles, thorough: bool) -> Result<Exit> {
    let Selection::Series(series) = &options.kernels else {
        return Err(
            Problem::usage("--bisect searches among the series of Debian")
                .help("--kernel every, or a range: --kernel 6.12..7.1")
                .into(),
        );
    };
    let [architecture] = options.architectures[..] else {
        return Err(Problem::usage("--bisect searches on one architecture")
            .help("--arch amd64, or --arch arm64")
            .into());
    };
    let names = AllNames::default();
    let mut bisection = Bisection::new(series.clone());
    for section in files.objects.iter().flat_map(|object| &object.sections) {
        let changes = hook_history::find_hook_changes(section, names.of(architecture)?)?;
        bisection.expect_changes(&changes);
    }
    if thorough {
        bisection.expected.extend(0..series.len());
    }
    let mut results = Vec::new();
    loop {
        let next = bisection.choose_next();
        if next.is_empty() {
            break;
        }
        let mut found = ask_kernels(options, files, &Selection::Series(next))?;
        let failed = found.iter().any(|result| result.machine_failed.is_some());
        for result in &mut found {
            bisection.record(result, &names)?;
        }
        results.extend(found);
        if failed {
            show_notes(&results);
            return Ok(Exit::MachineNotReady);
        }
    }
    results.sort_by_key(|result| Version::parse(&result.kernel.series));
    let verdicts = bisection.collect_verdicts();
    let changes = bisection.describe_changes();
    if options.json {
        screen::write_json(&as_json(&changes)?)?;
    } else {
        let explained = explanation::explain_verdicts(&verdicts, &files.objects);
        let found = as_text(&changes, &verdicts) + &bisection.describe_asked();
        screen::write_text(&(found + &explained))?;
    }
    for report in &options.reports {
        report.write_report(&verdicts, &results)?;
    }
    show_notes(&results);
    Ok(conclude(options, &verdicts))
}

/// So many kernels are asked at least.
const ENOUGH: usize = 5;

/// Those that are asked first if fewer would do.
const SAMPLE: [&str; 3] = ["6.12", "6.18", "6.1"];

/// One program of one object.
type Name = (String, String, String);

/// Two kernels agree about a program if these are the same.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Signature {
    answer: ProgramAnswer,
    /// The class of the verifier's error, or what is missing.
    cause: String,
}

/// What the kernels that were asked said.
struct Bisection {
    series: Vec<&'static str>,
    /// By the number of the kernel's series.
    asked: BTreeMap<usize, Vec<(Name, KernelVerdict)>>,
    /// These are asked too: mostly because the names of all kernels tell of a change here.
    expected: BTreeSet<usize>,
}

impl Bisection {
    fn new(series: Vec<&'static str>) -> Self {
        Self {
            series,
            asked: BTreeMap::new(),
            expected: BTreeSet::new(),
        }
    }

    /// Something comes or goes at these places of `SERIES`: the kernels on both sides are asked.
    fn expect_changes(&mut self, places: &[usize]) {
        let sides = places
            .iter()
            .flat_map(|place| [SERIES[place - 1], SERIES[*place]]);
        for side in sides {
            let number = self.series.iter().position(|name| *name == side);
            self.expected.extend(number);
        }
    }

    fn record(&mut self, result: &mut KernelResult, names: &AllNames) -> Result<()> {
        let Some(number) = self
            .series
            .iter()
            .position(|name| *name == result.kernel.series)
        else {
            return Ok(());
        };
        let verdicts = take_verdicts(std::slice::from_mut(result), names)?;
        for verdict in &verdicts {
            if let Some(missing) = verdict.missing() {
                let names = names.of(verdict.kernel.architecture)?;
                let changes = hook_history::find_changes_of(missing, names)?;
                self.expect_changes(&changes);
            }
        }
        let named = verdicts
            .into_iter()
            .map(|verdict| (name_of(&verdict), verdict));
        self.asked.insert(number, named.collect());
        Ok(())
    }

    /// The kernels to ask next; none if all changes are known.
    fn choose_next(&self) -> Vec<&'static str> {
        let last = self.series.len() - 1;
        let mut next = BTreeSet::from([0, last]);
        next.extend(&self.expected);
        let numbers: Vec<usize> = self.asked.keys().copied().collect();
        for pair in numbers.windows(2) {
            let (older, newer) = (pair[0], pair[1]);
            if newer - older > 1 && self.disagree(older, newer) {
                next.insert(older.midpoint(newer));
            }
        }
        next.retain(|number| !self.asked.contains_key(number));
        if next.is_empty() {
            next.extend(self.find_sample());
        }
        next.into_iter().map(|number| self.series[number]).collect()
    }

    /// Where few kernels were asked, more between those that agree: the course's, which most people
    /// run.
    fn find_sample(&self) -> Vec<usize> {
        let is_open = |name: &str| {
            let number = self.series.iter().position(|series| *series == name);
            number.filter(|number| !self.asked.contains_key(number))
        };
        let open = SAMPLE.iter().filter_map(|name| is_open(name));
        open.take(ENOUGH.saturating_sub(self.asked.len())).collect()
    }

    fn disagree(&self, older: usize, newer: usize) -> bool {
        self.names()
            .iter()
            .any(|name| self.signature(older, name) != self.signature(newer, name))
    }

    fn names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        for verdicts in self.asked.values() {
            for (name, _) in verdicts {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        names
    }

    fn signature(&self, number: usize, name: &Name) -> Option<Signature> {
        self.verdict(number, name).map(signature_of)
    }

    fn verdict(&self, number: usize, name: &Name) -> Option<&KernelVerdict> {
        let mut verdicts = self.asked.get(&number)?.iter();
        let (_, verdict) = verdicts.find(|(other, _)| other == name)?;
        Some(verdict)
    }

    /// Of the kernels that were asked, oldest first.
    fn collect_verdicts(&self) -> Vec<KernelVerdict> {
        let verdicts = self.asked.values().flatten();
        verdicts.map(|(_, verdict)| verdict.clone()).collect()
    }

    /// Which kernels the answer is from; nothing if it is from all.
    fn describe_asked(&self) -> String {
        let asked: Vec<&str> = self
            .asked
            .keys()
            .map(|number| self.series[*number])
            .collect();
        let (all, some) = (self.series.len(), asked.len());
        if some == all {
            return String::new();
        }
        let asked = asked.join(", ");
        format!(
            "{some} of {all} kernels were asked: {asked}\n\
             each of the others lies between two that agree; --thorough asks all\n"
        )
    }

    /// For each program, the ranges of series with one answer.
    fn describe_changes(&self) -> Vec<ProgramChanges> {
        let changes = |name: Name| ProgramChanges {
            ranges: self.ranges_of(&name),
            object: name.0,
            program: name.1,
            section: name.2,
        };
        self.names().into_iter().map(changes).collect()
    }

    fn ranges_of(&self, name: &Name) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for number in self.asked.keys() {
            let Some(verdict) = self.verdict(*number, name) else {
                continue;
            };
            let signature = signature_of(verdict);
            match ranges.last_mut() {
                Some(range) if range.signature == signature => {
                    range.to = self.series[*number];
                    range.asked.push(self.series[*number]);
                }
                _ => ranges.push(Range {
                    signature,
                    from: self.series[*number],
                    to: self.series[*number],
                    asked: vec![self.series[*number]],
                    first: verdict.clone(),
                }),
            }
        }
        ranges
    }
}

fn name_of(verdict: &KernelVerdict) -> Name {
    let load = &verdict.load;
    (
        load.object.clone(),
        load.program.clone(),
        load.section.clone(),
    )
}

fn signature_of(verdict: &KernelVerdict) -> Signature {
    let answer = verdict.answer();
    let cause = match (verdict.class(), verdict.missing()) {
        (Some(class), _) => class.slug().to_owned(),
        (None, Some(missing)) => format!("{:?} {}", missing.kind, missing.name),
        (None, None) => String::new(),
    };
    Signature { answer, cause }
}

struct ProgramChanges {
    object: String,
    program: String,
    section: String,
    ranges: Vec<Range>,
}

/// Series between the first and the last of which nobody answered otherwise.
struct Range {
    signature: Signature,
    from: &'static str,
    to: &'static str,
    /// The kernels that were asked.
    asked: Vec<&'static str>,
    /// What the oldest of them said.
    first: KernelVerdict,
}

impl Range {
    fn series(&self) -> String {
        let series = if self.from == self.to {
            self.from.to_owned()
        } else {
            format!("{} to {}", self.from, self.to)
        };
        self.first.kernel.architecture.label(&series)
    }

    fn reason(&self) -> String {
        if self.signature.answer.is_good() {
            String::new()
        } else {
            self.first.reason()
        }
    }
}

fn as_text(changes: &[ProgramChanges], verdicts: &[KernelVerdict]) -> String {
    let mut text = String::new();
    let ranges = changes.iter().flat_map(|program| &program.ranges);
    let columns = ranges
        .map(|range| range.series().len())
        .max()
        .unwrap_or(0)
        .max(13);
    let mut last_object = None;
    for program in changes {
        if last_object != Some(&program.object) {
            let of_object: Vec<&KernelVerdict> = verdicts
                .iter()
                .filter(|verdict| verdict.load.object == program.object)
                .collect();
            text += &table::object_heading(&program.object, &of_object);
            last_object = Some(&program.object);
        }
        text += &table::program_heading(&program.program, &program.section);
        for range in &program.ranges {
            text += &line(range, columns);
        }
    }
    text
}

/// The range has so many columns.
fn line(range: &Range, columns: usize) -> String {
    let answer = range.signature.answer;
    let indent = format!("\n{}", " ".repeat(table::INDENT + columns));
    let reason = range.reason().replace('\n', &indent);
    let (mark, word) = (answer.mark().symbol(), range.first.word());
    let line = format!(
        "    {mark} {:<columns$}  {word:<9} {reason}",
        range.series()
    );
    format!("{}\n", line.trim_end())
}

fn conclude(options: &VerifyOptions, verdicts: &[KernelVerdict]) -> Exit {
    if verdicts.iter().all(|verdict| verdict.answer().is_good()) {
        let word = good_word(options);
        screen::show_marked(Mark::Good, &format!("{word} on all that were asked"));
        return Exit::Done;
    }
    Exit::NotYet
}

/// A line of `verify --bisect --json`.
#[derive(Serialize)]
struct RangeJson<'a> {
    object: &'a str,
    program: &'a str,
    section: &'a str,
    architecture: &'static str,
    from: &'a str,
    to: &'a str,
    asked: &'a [&'static str],
    answer: ProgramAnswer,
    reason: String,
}

fn as_json(changes: &[ProgramChanges]) -> Result<String> {
    let mut text = String::new();
    for program in changes {
        for range in &program.ranges {
            let json = RangeJson {
                object: &program.object,
                program: &program.program,
                section: &program.section,
                architecture: range.first.kernel.architecture.name(),
                from: range.from,
                to: range.to,
                asked: &range.asked,
                answer: range.signature.answer,
                reason: range.reason(),
            };
            text += &serde_json::to_string(&json)?;
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
pub mod tests {
    use plan::load::{AttachResult, Load, LoadResult};

    use super::*;
    use crate::commands::verify::tests::named;

    fn result(kernel: &str, programs: &[(&str, bool)]) -> KernelResult {
        let load = |(program, works): &(&str, bool)| {
            let attach = if *works {
                AttachResult::Attached
            } else {
                AttachResult::Refused {
                    missing: None,
                    error: "no".into(),
                }
            };
            Load {
                program: (*program).to_owned(),
                section: "kprobe/x".to_owned(),
                result: LoadResult::Accepted(Default::default()),
                attach: Some(attach),
                ..Load::of_failed_object("a.o", None, String::new())
            }
        };
        KernelResult {
            kernel: named(kernel),
            release: kernel.to_owned(),
            loads: programs.iter().map(load).collect(),
            without_programs: Vec::new(),
            machine_failed: None,
            has_modules: true,
            notes: Vec::new(),
        }
    }

    /// Asks until nothing is open: what was asked, and what came of it.
    fn search(works: impl Fn(usize) -> Vec<(&'static str, bool)>) -> (usize, Vec<ProgramChanges>) {
        let names = AllNames::default();
        let mut bisection = Bisection::new(SERIES.to_vec());
        loop {
            let next = bisection.choose_next();
            if next.is_empty() {
                return (bisection.asked.len(), bisection.describe_changes());
            }
            for kernel in next {
                let number = SERIES.iter().position(|name| *name == kernel).unwrap();
                let mut result = result(kernel, &works(number));
                bisection.record(&mut result, &names).unwrap();
            }
        }
    }

    pub fn json_sample() -> Result<String> {
        as_json(&search(|number| vec![("p", number < 4)]).1)
    }

    /// With both ends, three more answers tell eight of ten places apart: no order can do with five
    /// for all. The four that take a sixth are between releases of a few weeks apart.
    #[test]
    fn each_single_change_is_found_with_few_kernels() {
        let mut with_a_sixth = Vec::new();
        for change in 1..SERIES.len() {
            for first in [true, false] {
                let (asked, changes) = search(|number| vec![("p", (number < change) == first)]);
                let [program] = &changes[..] else { panic!() };
                let ranges: Vec<_> = program.ranges.iter().map(Range::series).collect();
                assert_eq!(program.ranges[0].to, SERIES[change - 1], "{ranges:?}");
                assert_eq!(program.ranges[1].from, SERIES[change], "{ranges:?}");
                assert_eq!(ranges.len(), 2);
                assert!(asked <= 6, "{asked} to find {}", SERIES[change]);
                if first && asked == 6 {
                    with_a_sixth.push(SERIES[change]);
                }
            }
        }
        assert_eq!(with_a_sixth, ["6.17", "6.18", "7.2", "7.3"]);
    }

    #[test]
    fn where_nothing_changes_some_between_are_asked_all_the_same() {
        let (asked, changes) = search(|_| vec![("p", true)]);
        assert_eq!((asked, changes[0].ranges.len()), (5, 1));
        assert_eq!(changes[0].ranges[0].series(), "5.10 to 7.3");
        // Two kernels in the middle that are stricter than those around them.
        let (_, changes) = search(|number| vec![("p", number != 2 && number != 3)]);
        let ranges: Vec<_> = changes[0].ranges.iter().map(Range::series).collect();
        assert_eq!(ranges, ["5.10 to 6.1", "6.12 to 6.16", "6.17 to 7.3"]);
    }

    /// It works, fails and works again between two kernels that agree.
    #[test]
    fn a_change_and_back_is_found_where_it_is_expected() {
        let names = AllNames::default();
        let mut bisection = Bisection::new(SERIES.to_vec());
        bisection.expect_changes(&[4, 5]);
        assert_eq!(
            bisection.choose_next(),
            ["5.10", "6.16", "6.17", "6.18", "7.3"]
        );
        for kernel in bisection.choose_next() {
            let works = kernel != "6.17";
            let mut result = result(kernel, &[("p", works)]);
            bisection.record(&mut result, &names).unwrap();
        }
        let changes = bisection.describe_changes();
        let ranges: Vec<_> = changes[0].ranges.iter().map(Range::series).collect();
        assert_eq!(ranges, ["5.10 to 6.16", "6.17", "6.18 to 7.3"]);
    }

    #[test]
    fn each_program_has_changes_of_its_own() {
        let (_, changes) = search(|number| vec![("early", number < 1), ("late", number < 10)]);
        let ends: Vec<_> = changes.iter().map(|it| it.ranges[0].to).collect();
        assert_eq!(ends, ["5.10", "7.2"]);
        insta::assert_snapshot!(as_text(&changes, &[]));
    }
}
