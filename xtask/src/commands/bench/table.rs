//! What programs cost, for people and for programs.

use anyhow::Result;
use kernel::Architecture;
use serde::Serialize;

use super::cost::{AIM, Cost, FIGURES, Figures, Pair, is_above_aim};

/// What a table is about.
pub struct Heading<'a> {
    pub lesson: &'a str,
    pub architecture: Architecture,
    pub release: &'a str,
    pub rounds: u16,
}

/// `BPF_PROG_TYPE_*`, by number, as bpftool calls them.
const KINDS: [&str; 33] = [
    "unspec",
    "socket_filter",
    "kprobe",
    "sched_cls",
    "sched_act",
    "tracepoint",
    "xdp",
    "perf_event",
    "cgroup_skb",
    "cgroup_sock",
    "lwt_in",
    "lwt_out",
    "lwt_xmit",
    "sock_ops",
    "sk_skb",
    "cgroup_device",
    "sk_msg",
    "raw_tracepoint",
    "cgroup_sock_addr",
    "lwt_seg6local",
    "lirc_mode2",
    "sk_reuseport",
    "flow_dissector",
    "cgroup_sysctl",
    "raw_tracepoint_writable",
    "cgroup_sockopt",
    "tracing",
    "struct_ops",
    "ext",
    "lsm",
    "sk_lookup",
    "syscall",
    "netfilter",
];

fn kind(number: u32) -> &'static str {
    KINDS.get(number as usize).copied().unwrap_or("unknown")
}

pub fn as_text(heading: &Heading<'_>, pairs: &[Pair]) -> String {
    let Heading {
        lesson,
        release,
        rounds,
        ..
    } = heading;
    let mut text = format!("\n{lesson} on Linux {release}, medians of {rounds}\n");
    text += &line([
        "program",
        "type",
        "by",
        "instructions",
        "machine code",
        "verified",
        "executed",
        "runs",
    ]);
    for pair in pairs {
        let mut names = [pair.program.as_str(), kind(pair.kind)];
        for (by, cost) in [("aya", &pair.aya), ("libbpf", &pair.libbpf)] {
            if let Some(cost) = cost {
                text += &cost_line(std::mem::take(&mut names), by, cost);
            }
        }
        if pair.aya.is_some() && pair.libbpf.is_some() {
            let [instructions, code, verified, executed] = pair.ratios.map(format_ratio);
            text += &line([
                "",
                "",
                "aya/libbpf",
                &instructions,
                &code,
                &verified,
                &executed,
                "",
            ]);
        }
    }
    if pairs
        .iter()
        .any(|pair| pair.ratios.into_iter().flatten().any(is_above_aim))
    {
        text += &format!("  ! more than {AIM} times what C costs\n");
    }
    text
}

fn cost_line([program, kind]: [&str; 2], by: &str, cost: &Cost) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.0}"));
    let [instructions, code, verified, executed] = cost.figures.map(number);
    let runs = cost.runs.to_string();
    line([
        program,
        kind,
        by,
        &instructions,
        &format!("{code} B"),
        &verified,
        &executed,
        &runs,
    ])
}

fn line(
    [
        program,
        kind,
        by,
        instructions,
        code,
        verified,
        executed,
        runs,
    ]: [&str; 8],
) -> String {
    // A mark comes after its number, where no digit would.
    let number = |text: &str| {
        if text.ends_with('!') {
            text.to_owned()
        } else {
            format!("{text}  ")
        }
    };
    let text = format!(
        "  {program:<15} {kind:<14} {by:<10} {:>14} {:>14} {:>10} {:>10} {runs:>8}",
        number(instructions),
        number(code),
        number(verified),
        number(executed)
    );
    text.trim_end().to_owned() + "\n"
}

/// A ratio with its mark.
pub fn format_ratio(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if is_above_aim(value) => format!("{value:.2} !"),
        Some(value) => format!("{value:.2}"),
    }
}

/// A line of `bench --json` about a program; `bench --help` tells the fields.
#[derive(Serialize)]
struct PairJson<'a> {
    lesson: &'a str,
    kernel: &'a str,
    architecture: Architecture,
    rounds: u16,
    program: &'a str,
    r#type: &'static str,
    aya: Option<CostJson>,
    libbpf: Option<CostJson>,
    ratio: FiguresJson,
    above_aim: Vec<&'static str>,
}

#[derive(Serialize)]
struct CostJson {
    #[serde(flatten)]
    figures: FiguresJson,
    runs: u64,
}

/// In the order of [`FIGURES`], and with their names.
#[derive(Serialize)]
struct FiguresJson {
    instructions: Option<f64>,
    jited_bytes: Option<f64>,
    verified_instructions: Option<f64>,
    executed_per_run: Option<f64>,
}

impl From<Figures> for FiguresJson {
    fn from(figures: Figures) -> Self {
        let [
            instructions,
            jited_bytes,
            verified_instructions,
            executed_per_run,
        ] = figures;
        Self {
            instructions,
            jited_bytes,
            verified_instructions,
            executed_per_run,
        }
    }
}

impl From<&Cost> for CostJson {
    fn from(cost: &Cost) -> Self {
        Self {
            figures: cost.figures.into(),
            runs: cost.runs,
        }
    }
}

pub fn as_json(heading: &Heading<'_>, pairs: &[Pair]) -> Result<String> {
    let mut text = String::new();
    for pair in pairs {
        let above = FIGURES
            .into_iter()
            .zip(pair.ratios)
            .filter(|(_, ratio)| ratio.is_some_and(is_above_aim));
        let line = PairJson {
            lesson: heading.lesson,
            kernel: heading.release,
            architecture: heading.architecture,
            rounds: heading.rounds,
            program: &pair.program,
            r#type: kind(pair.kind),
            aya: pair.aya.as_ref().map(CostJson::from),
            libbpf: pair.libbpf.as_ref().map(CostJson::from),
            ratio: pair.ratios.into(),
            above_aim: above.map(|(name, _)| name).collect(),
        };
        text += &(serde_json::to_string(&line)? + "\n");
    }
    Ok(text)
}

#[cfg(test)]
pub mod tests {
    use serde_json::Value;

    use super::*;
    use crate::commands::bench::cost;
    use crate::commands::bench::cost::tests::program;

    fn pairs() -> Vec<Pair> {
        let round = |enter: u32, executed: u64, alone: &str| {
            vec![cost::of_round(&[
                program("hello_enter", enter, 2, executed * 8),
                program(alone, 9, 0, 0),
            ])]
        };
        cost::pair_costs(&[round(66, 900, "only_in_rust"), round(57, 450, "only_in_c")])
    }

    const HEADING: Heading<'_> = Heading {
        lesson: "01-hello-kprobe",
        architecture: Architecture::Amd64,
        release: "6.12.1",
        rounds: 3,
    };

    pub fn json_sample() -> Result<String> {
        as_json(&HEADING, &pairs())
    }

    #[test]
    fn both_implementations_stand_side_by_side() {
        insta::assert_snapshot!(as_text(&HEADING, &pairs()));
    }

    #[test]
    fn json_has_an_object_a_program() {
        let json = as_json(&HEADING, &pairs()).unwrap();
        let objects: Vec<Value> = json
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(objects[0]["ratio"]["executed_per_run"], 2.0);
        assert_eq!(objects[0]["above_aim"].as_array().unwrap().len(), 4);
        assert_eq!(objects[1]["libbpf"], Value::Null);
        assert_eq!(objects.len(), 3);
    }

    #[test]
    fn tables_fit_into_110_columns() {
        let longest = as_text(&HEADING, &pairs()).lines().map(str::len).max();
        assert!(longest <= Some(110), "{longest:?}");
    }
}
