//! What programs cost, for people and for programs.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::cost::{AIM, Cost, FIGURES, Figures, Pair, TIME, is_above_aim};
use crate::vm::Accel;

/// What a table is about.
pub struct Heading<'a> {
    pub lesson: &'a str,
    pub release: &'a str,
    pub accel: Accel,
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
    let Heading { lesson, release, accel, rounds } = heading;
    let how = match accel {
        Accel::Kvm => "with KVM",
        Accel::Tcg => "emulated",
    };
    let mut text = format!("\n{lesson} on Linux {release}, {how}; medians of {rounds}\n");
    text += &line([
        "program",
        "type",
        "by",
        "instructions",
        "machine code",
        "verified",
        "time a run",
        "runs, range",
    ]);
    for pair in pairs {
        let mut first = [pair.program.as_str(), kind(pair.kind)];
        for (name, cost) in [("aya", &pair.aya), ("libbpf", &pair.libbpf)] {
            if let Some(cost) = cost {
                text += &cost_line(first, name, cost, *accel);
                first = ["", ""];
            }
        }
        if pair.aya.is_some() && pair.libbpf.is_some() {
            let [instructions, code, verified, time] = pair.ratios.map(ratio);
            text += &line(["", "", "aya/libbpf", &instructions, &code, &verified, &time, &range(pair)]);
        }
    }
    if pairs.iter().any(|pair| pair.ratios.into_iter().flatten().any(is_above_aim)) {
        text += &format!("  ! more than {AIM} times what C costs\n");
    }
    text
}

fn range(pair: &Pair) -> String {
    pair.time_range.map_or(String::new(), |(least, greatest)| format!("{least:.2}-{greatest:.2}"))
}

fn cost_line([program, kind]: [&str; 2], by: &str, cost: &Cost, accel: Accel) -> String {
    let [instructions, code, verified, time] = shown(cost.figures, accel);
    let number =
        |value: Option<f64>, unit: &str| value.map_or("-".to_owned(), |value| format!("{value:.0}{unit}"));
    line([
        program,
        kind,
        by,
        &number(instructions, ""),
        &number(code, " B"),
        &number(verified, ""),
        &number(time, " ns"),
        &cost.runs.to_string(),
    ])
}

fn line([program, kind, by, instructions, code, verified, time, runs]: [&str; 8]) -> String {
    // A mark stands behind its number, where no digit would.
    let number = |text: &str| if text.ends_with('!') { text.to_owned() } else { format!("{text}  ") };
    let text = format!(
        "  {program:<15} {kind:<14} {by:<10} {:>14} {:>12} {:>10} {:>12} {runs:>11}",
        number(instructions),
        number(code),
        number(verified),
        number(time)
    );
    text.trim_end().to_owned() + "\n"
}

/// An emulated CPU's nanoseconds mean nothing; their ratio does.
fn shown(mut figures: Figures, accel: Accel) -> Figures {
    if accel == Accel::Tcg {
        figures[TIME] = None;
    }
    figures
}

/// A ratio with its mark.
pub fn ratio(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if is_above_aim(value) => format!("{value:.2} !"),
        Some(value) => format!("{value:.2}"),
    }
}

pub fn as_json(heading: &Heading<'_>, pairs: &[Pair]) -> Result<String> {
    let mut text = String::new();
    for pair in pairs {
        let cost = |cost: &Option<Cost>| {
            cost.as_ref().map(|cost| {
                let mut object = object(shown(cost.figures, heading.accel));
                object.insert("runs".to_owned(), cost.runs.into());
                object
            })
        };
        let above = FIGURES.into_iter().zip(pair.ratios).filter(|(_, ratio)| ratio.is_some_and(is_above_aim));
        let line = json!({
            "lesson": heading.lesson,
            "kernel": heading.release,
            "accelerator": heading.accel.name(),
            "rounds": heading.rounds,
            "program": pair.program,
            "type": kind(pair.kind),
            "aya": cost(&pair.aya),
            "libbpf": cost(&pair.libbpf),
            "ratio": object(pair.ratios),
            "time_ratio_range": pair.time_range,
            "above_aim": above.map(|(name, _)| name).collect::<Vec<_>>(),
        });
        text += &(serde_json::to_string(&line)? + "\n");
    }
    Ok(text)
}

fn object(figures: Figures) -> Map<String, Value> {
    FIGURES.into_iter().zip(figures).map(|(name, value)| (name.to_owned(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cost::{self, tests::program};

    fn pairs() -> Vec<Pair> {
        let round = |enter: u32, time: u64, alone: &str| {
            vec![cost::of_round(&[program("hello_enter", enter, 2000, time), program(alone, 9, 0, 0)])]
        };
        cost::pairs(&[round(66, 6_000_000, "only_in_rust"), round(57, 3_000_000, "only_in_c")])
    }

    fn heading(accel: Accel) -> Heading<'static> {
        Heading { lesson: "01-hello-kprobe", release: "6.12.1", accel, rounds: 5 }
    }

    #[test]
    fn both_implementations_stand_side_by_side() {
        insta::assert_snapshot!(as_text(&heading(Accel::Kvm), &pairs()));
    }

    #[test]
    fn an_emulated_cpus_time_is_a_ratio_only() {
        let text = as_text(&heading(Accel::Tcg), &pairs());
        assert!(!text.contains(" ns") && text.contains("2.00 !"), "{text}");
        let json = as_json(&heading(Accel::Tcg), &pairs()).unwrap();
        let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(first["aya"]["nanoseconds_per_run"], Value::Null);
        assert_eq!(first["ratio"]["nanoseconds_per_run"], 2.0);
        assert_eq!(json.lines().count(), 3);
    }

    #[test]
    fn tables_fit_into_110_columns() {
        let longest = as_text(&heading(Accel::Kvm), &pairs()).lines().map(str::len).max();
        assert!(longest <= Some(110), "{longest:?}");
    }
}
