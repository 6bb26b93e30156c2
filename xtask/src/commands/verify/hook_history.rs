//! On which kernels that is there to which a program attaches.

use anyhow::Result;
use kernel::SERIES;
use kernel_names::{Kind, Names, SeriesRange};
use plan::load::Missing;

use super::advice;

/// What a section says that its program attaches to.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Hook<'a> {
    kind: Kind,
    name: &'a str,
    /// Only what BTF describes can be attached to.
    needs_btf: bool,
}

/// The places in `SERIES` at which the hook of a section comes or goes. None if the section names
/// no hook, or one that no kernel has.
pub fn find_hook_changes(section: &str, names: &Names) -> Result<Vec<usize>> {
    let Some(hook) = Hook::of_section(section) else {
        return Ok(Vec::new());
    };
    let there_on = match hook.kind {
        Kind::Function => {
            let history = names.function(hook.name)?;
            let attachable = history.map_values(|function| {
                let takes = if hook.needs_btf {
                    function.takes_fentry()
                } else {
                    function.takes_kprobe()
                };
                takes.then_some(())
            });
            attachable.presence()
        }
        kind => {
            let name = hook.name.replacen('/', ":", 1);
            names.presence(kind, &name)?
        }
    };
    Ok(changes_between(&there_on))
}

/// The places at which something comes or goes that a kernel was found to lack.
pub fn find_changes_of(missing: &Missing, names: &Names) -> Result<Vec<usize>> {
    let Some((kind, name)) = advice::name_of(missing) else {
        return Ok(Vec::new());
    };
    let there_on = advice::find_presence(kind, &name, names)?;
    Ok(changes_between(&there_on))
}

fn changes_between(there_on: &[SeriesRange]) -> Vec<usize> {
    let is_there = |place: usize| {
        let series = SERIES[place];
        there_on.iter().any(|range| range.contains_series(series))
    };
    let changes = (1..SERIES.len()).filter(|place| is_there(place - 1) != is_there(*place));
    changes.collect()
}

impl<'a> Hook<'a> {
    fn of_section(section: &'a str) -> Option<Self> {
        let (kind, name) = section.trim_start_matches('?').split_once('/')?;
        let (kind, needs_btf) = match kind.trim_end_matches(".s") {
            "kprobe" | "kretprobe" => (Kind::Function, false),
            "fentry" | "fexit" | "fmod_ret" | "fsession" => (Kind::Function, true),
            "tracepoint" | "tp" => (Kind::Tracepoint, false),
            "raw_tp" | "raw_tracepoint" | "tp_btf" => (Kind::RawTracepoint, false),
            "lsm" | "lsm_cgroup" => (Kind::Hook, false),
            _ => return None,
        };
        // `do_unlinkat+0x10`
        let name = name.split('+').next().unwrap_or(name);
        Some(Self {
            kind,
            name,
            needs_btf,
        })
    }
}

#[cfg(test)]
mod tests {
    use kernel::Architecture;

    use super::*;

    fn series_at_changes(section: &str) -> Vec<&'static str> {
        let names = Names::read(Architecture::Amd64).unwrap();
        let changes = find_hook_changes(section, &names).unwrap();
        changes.into_iter().map(|place| SERIES[place]).collect()
    }

    #[test]
    fn what_comes_and_goes_is_known_without_a_vm() {
        assert_eq!(series_at_changes("kprobe/do_unlinkat"), ["7.0"]);
        assert_eq!(series_at_changes("fentry/do_unlinkat+0x10"), ["7.0"]);
        assert_eq!(series_at_changes("tracepoint/sched/sched_switch"), [""; 0]);
        assert_eq!(series_at_changes("kprobe/no_such_function"), [""; 0]);
        assert_eq!(series_at_changes("xdp"), [""; 0]);
    }
}
