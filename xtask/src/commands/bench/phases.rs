//! Where the time of one run goes, from the moments that it noted.

use std::time::Duration;

use super::rounds::find_median;

/// A part of a run: its field in `--json`, for people, and the moments at its beginning and its
/// end.
struct Phase {
    field: &'static str,
    name: &'static str,
    from: &'static str,
    until: &'static str,
}

pub const BEGIN: &str = "begin";
pub const END: &str = "end";
/// The last moment before the lesson says that it has detached.
const DEMO_ENDED: &str = "demo ended";
const DETACHED: &str = "printed detached";

const fn phase(field: &'static str, name: &'static str, [from, until]: [&'static str; 2]) -> Phase {
    Phase {
        field,
        name,
        from,
        until,
    }
}

const PHASES: [Phase; 11] = [
    phase("xtask_start", "xtask's start", [BEGIN, "QEMU starts"]),
    phase("resume", "resume", ["QEMU starts", "resumed"]),
    phase("wake", "clock, random numbers", ["resumed", "awake"]),
    phase("upload", "upload", ["awake", "unpacked"]),
    phase(
        "load",
        "exec, load, verify, attach",
        ["unpacked", "printed attached"],
    ),
    phase("demo", "demo", ["printed attached", DEMO_ENDED]),
    phase("detach", "detach", [DEMO_ENDED, DETACHED]),
    phase("exit", "exit", [DETACHED, "step ended"]),
    phase("report", "what was left behind", ["step ended", "finished"]),
    phase("end", "end of VM and xtask", ["finished", END]),
    phase(
        "build_check",
        "build check, beside all that",
        [BEGIN, "built"],
    ),
];

/// How long each of [`PHASES`] took; `None` where a moment was not noted: a VM that is booted is
/// not resumed.
#[derive(Clone, Copy)]
pub struct Phases([Option<Duration>; PHASES.len()]);

impl Phases {
    /// Of one run.
    pub fn of_moments(moments: &[(Duration, &str)]) -> Self {
        let time = |wanted: &str| {
            let of = |(_, moment): &(Duration, &str)| *moment == wanted;
            let at = match wanted {
                DEMO_ENDED => moments
                    .iter()
                    .position(|it| it.1 == DETACHED)?
                    .checked_sub(1)?,
                _ => moments.iter().position(of)?,
            };
            Some(moments[at].0)
        };
        Self(PHASES.map(|phase| time(phase.until)?.checked_sub(time(phase.from)?)))
    }

    /// Of several runs, each phase for itself.
    pub fn find_medians(runs: &[Self]) -> Self {
        let mut medians = [None; PHASES.len()];
        for (number, median) in medians.iter_mut().enumerate() {
            *median = find_median(runs.iter().filter_map(|run| run.0[number]).collect());
        }
        Self(medians)
    }

    pub fn as_text(&self) -> String {
        let mut text = String::new();
        for (phase, time) in PHASES.iter().zip(self.0) {
            let time = time.map_or("-".to_owned(), |time| {
                format!("{:.3} s", time.as_secs_f64())
            });
            text += &format!("    {:<36}{time}\n", phase.name);
        }
        text
    }

    /// Seconds by field.
    pub fn as_json(&self) -> serde_json::Map<String, serde_json::Value> {
        let fields = PHASES.iter().zip(self.0).map(|(phase, time)| {
            let seconds = time.map(|time| time.as_secs_f64());
            (format!("{}_seconds", phase.field), seconds.into())
        });
        fields.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_lie_between_moments() {
        let moments = [
            (Duration::from_millis(1), BEGIN),
            (Duration::from_millis(4), "QEMU starts"),
            (Duration::from_millis(100), "awake"),
            (Duration::from_millis(300), "printed attached"),
            (Duration::from_millis(330), "printed pid=1"),
            (Duration::from_millis(337), DETACHED),
        ];
        let phases = Phases::of_moments(&moments);
        let json = phases.as_json();
        assert_eq!(json["xtask_start_seconds"], 0.003);
        assert_eq!(json["resume_seconds"], serde_json::Value::Null);
        assert_eq!(json["demo_seconds"], 0.03);
        assert_eq!(json["detach_seconds"], 0.007);
        let text = Phases::find_medians(&[phases, phases]).as_text();
        assert!(
            text.contains("    demo                                0.030 s\n"),
            "{text}"
        );
        assert!(
            text.contains("    resume                              -\n"),
            "{text}"
        );
    }
}
