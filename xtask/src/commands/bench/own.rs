//! What a lesson measures by itself: its program prints an object a case, with `ns_per_run`.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use course::Implementation;
use course::catalog::Lesson;
use kernel::Architecture;
use processes::{Foreground, Interrupted};
use serde::Serialize;
use serde_json::{Map, Value};

use super::cost::{cost_ratio, is_above_aim};
use super::rounds::{find_median, measure_in_turn};
use crate::output::screen;
use crate::pipeline::demo;

/// The figure; whatever else an object has names its case.
const FIGURE: &str = "ns_per_run";

/// What an object has besides, and what does not tell one case from another.
const NO_NAMES: [&str; 2] = ["impl", "packets_per_second"];

/// Where it was measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BenchPlace<'a> {
    /// On this machine's own kernel.
    Here,
    /// In an emulated VM with a kernel of this release and architecture. Its nanoseconds mean
    /// nothing; their ratio does.
    Vm(&'a str, Architecture),
}

impl BenchPlace<'_> {
    fn release(self) -> String {
        match self {
            BenchPlace::Here => kernel::running_release(),
            BenchPlace::Vm(release, _) => release.to_owned(),
        }
    }

    fn architecture(self) -> Architecture {
        match self {
            BenchPlace::Here => Architecture::HOST,
            BenchPlace::Vm(_, architecture) => architecture,
        }
    }

    /// The times as far as they mean something here.
    fn shown(self, nanoseconds: [Option<f64>; 2]) -> [Option<f64>; 2] {
        nanoseconds.map(|value| value.filter(|_| self == BenchPlace::Here))
    }
}

/// Nanoseconds a run, of both implementations.
#[derive(Debug, PartialEq)]
pub struct Case {
    names: Map<String, Value>,
    nanoseconds: [Option<f64>; 2],
}

impl Case {
    fn ratio(&self) -> Option<f64> {
        cost_ratio(self.nanoseconds[0], self.nanoseconds[1])
    }

    /// `drop, 1000 entries`
    fn name(&self) -> String {
        let names = self.names.iter().map(|(name, value)| match value {
            Value::String(text) => text.clone(),
            other => format!("{other} {name}"),
        });
        names.collect::<Vec<_>>().join(", ")
    }
}

pub fn bench_arguments(lesson: &Lesson) -> Vec<String> {
    lesson
        .about
        .bench
        .iter()
        .cloned()
        .chain(["--json".to_owned()])
        .collect()
}

/// Gathers what each implementation printed, as medians.
pub fn measure_cases(
    rounds: u16,
    mut perform: impl FnMut(Implementation) -> Result<Vec<u8>>,
) -> Result<Vec<Case>> {
    let rounds = measure_in_turn(rounds, |implementation| {
        let printed = perform(implementation)?;
        parse(&printed)
            .with_context(|| format!("cannot parse what it measured with {implementation}"))
    })?;
    Ok(cases(&rounds))
}

type Measured = (Map<String, Value>, f64);

fn parse(printed: &[u8]) -> Result<Vec<Measured>> {
    let objects = serde_json::Deserializer::from_slice(printed).into_iter::<Map<String, Value>>();
    let case = |object: serde_json::Result<Map<String, Value>>| {
        let mut names = object?;
        let figure = names.remove(FIGURE).and_then(|value| value.as_f64());
        NO_NAMES.iter().for_each(|name| drop(names.remove(*name)));
        Ok((
            names,
            figure.with_context(|| format!("an object without {FIGURE}"))?,
        ))
    };
    objects.map(case).collect()
}

fn cases(rounds: &[Vec<Vec<Measured>>; 2]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (names, _) in rounds.iter().flatten().flatten() {
        if !cases.iter().any(|case| case.names == *names) {
            let of = |rounds: &Vec<Vec<Measured>>| {
                find_median(
                    rounds
                        .iter()
                        .flatten()
                        .filter(|(other, _)| other == names)
                        .map(|(_, ns)| *ns)
                        .collect(),
                )
            };
            cases.push(Case {
                names: names.clone(),
                nanoseconds: rounds.each_ref().map(of),
            });
        }
    }
    cases
}

/// Runs the program on this machine's own kernel, as whoever we are; returns what it printed.
pub fn run_here(
    lesson: &Lesson,
    program: &Path,
    implementation: Implementation,
) -> Result<Vec<u8>> {
    let mut command = Command::new(program);
    command.args(demo::arguments_of(implementation, &bench_arguments(lesson)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Foreground::start_command(command)?;
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    // Few lines come from either, so that one never fills its pipe while the other is read.
    let (mut printed, mut errors) = (Vec::new(), String::new());
    stdout
        .context("no standard output")?
        .read_to_end(&mut printed)
        .context("cannot read its output")?;
    stderr
        .context("no standard error")?
        .read_to_string(&mut errors)
        .context("cannot read its output")?;
    match running.wait_for_exit()? {
        (_, Some(signal)) => Err(Interrupted(signal).into()),
        (status, None) if status.success() => Ok(printed),
        (status, None) => bail!("{}", errors.lines().next().unwrap_or(&status.to_string())),
    }
}

pub fn show_cases(lesson: &str, place: BenchPlace<'_>, cases: &[Case], json: bool) -> Result<()> {
    let text = if json {
        as_json(lesson, place, cases)?
    } else {
        as_text(lesson, place, cases)
    };
    Ok(screen::write_answer(text.as_bytes())?)
}

fn as_text(lesson: &str, place: BenchPlace<'_>, cases: &[Case]) -> String {
    let whose = if place == BenchPlace::Here {
        "this machine's own kernel"
    } else {
        "in a VM: ratios only"
    };
    let mut text = format!(
        "\n{lesson}, measured by itself on Linux {}, {whose}\n",
        place.release()
    );
    text += &format!(
        "  {:<40} {:>12} {:>12} {:>12} {:>12}  aya/libbpf\n",
        "case", "aya", "libbpf", "aya", "libbpf"
    );
    for case in cases {
        let [aya, libbpf] = place.shown(case.nanoseconds);
        let time =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1} ns"));
        let pace = |value: Option<f64>| {
            value.map_or("-".to_owned(), |value| format!("{:.2} M/s", 1e3 / value))
        };
        text += &format!(
            "  {:<40} {:>12} {:>12} {:>12} {:>12}  {}\n",
            case.name(),
            time(aya),
            time(libbpf),
            pace(aya),
            pace(libbpf),
            super::table::format_ratio(case.ratio())
        );
    }
    text
}

/// A line of `bench --json` about a case that a lesson measures itself; `bench --help` tells the
/// fields.
#[derive(Serialize)]
struct CaseJson<'a> {
    lesson: &'a str,
    kernel: String,
    architecture: Architecture,
    here: bool,
    /// What names the case, in the lesson's own words.
    case: &'a Map<String, Value>,
    aya: TimeJson,
    libbpf: TimeJson,
    ratio: TimeJson,
    above_aim: bool,
}

#[derive(Serialize)]
struct TimeJson {
    ns_per_run: Option<f64>,
}

fn as_json(lesson: &str, place: BenchPlace<'_>, cases: &[Case]) -> Result<String> {
    let mut text = String::new();
    for case in cases {
        let time = |ns_per_run| TimeJson { ns_per_run };
        let [aya, libbpf] = place.shown(case.nanoseconds).map(time);
        let line = CaseJson {
            lesson,
            kernel: place.release(),
            architecture: place.architecture(),
            here: place == BenchPlace::Here,
            case: &case.names,
            aya,
            libbpf,
            ratio: time(case.ratio()),
            above_aim: case.ratio().is_some_and(is_above_aim),
        };
        text += &(serde_json::to_string(&line)? + "\n");
    }
    Ok(text)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const AYA: &str = concat!(
        r#"{"impl":"aya","case":"drop","entries":1000,"ns_per_run":46.0,"#,
        r#""packets_per_second":21739130}"#,
        "\n",
        r#"{"impl":"aya","case":"pass","entries":0,"ns_per_run":20}"#,
        "\n"
    );
    const LIBBPF: &str = r#"{"impl":"libbpf","case":"drop","entries":1000,"ns_per_run":40.0}"#;

    fn measured() -> Vec<Case> {
        let print = |implementation| match implementation {
            Implementation::Aya => Ok(AYA.into()),
            Implementation::Libbpf => Ok(LIBBPF.into()),
        };
        measure_cases(3, print).unwrap()
    }

    pub fn json_sample() -> Result<String> {
        let unnamed = Case {
            names: Map::new(),
            nanoseconds: [Some(46.0), Some(40.0)],
        };
        as_json("06-xdp", BenchPlace::Here, &[unnamed])
    }

    #[test]
    fn cases_are_told_apart_by_whatever_names_them() {
        let text = as_text("06-xdp", BenchPlace::Here, &measured());
        insta::assert_snapshot!(text.replace(&kernel::running_release(), "(the running kernel)"));
    }

    #[test]
    fn an_emulated_cpus_time_is_a_ratio_only() {
        let emulated = BenchPlace::Vm("6.12.1", Architecture::Amd64);
        let text = as_text("06-xdp", emulated, &measured());
        assert!(!text.contains(" ns") && text.contains("1.15"), "{text}");
        assert!(
            as_json("06-xdp", emulated, &measured())
                .unwrap()
                .contains(r#""aya":{"ns_per_run":null}"#)
        );
    }

    #[test]
    fn what_is_no_measurement_is_said() {
        let print = |text: &'static str| {
            measure_cases(1, move |_| Ok(text.into())).map_err(|error| format!("{error:#}"))
        };
        assert!(
            print("not an object")
                .unwrap_err()
                .contains("measured with aya")
        );
        assert!(
            print(r#"{"case":"drop"}"#)
                .unwrap_err()
                .contains("without ns_per_run")
        );
        assert_eq!(print(""), Ok(vec![]));
    }
}
