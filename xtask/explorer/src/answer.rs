//! What a page gets to know of a text.

use bpf_verifier_log::{Class, ExplainedProgram, LogTrace, LogVerdict, explain_log};
use serde::Serialize;

/// Programs with their steps: a page shows one at a time.
const MOST_PROGRAMS: usize = 20;

#[derive(Serialize)]
struct Answer<'a> {
    version: u32,
    verdict: LogVerdict,
    programs: Vec<Explored<'a>>,
    /// Programs that are not shown.
    left_out: usize,
}

#[derive(Serialize)]
struct Explored<'a> {
    #[serde(flatten)]
    program: &'a ExplainedProgram,
    /// The entry of the gallery about this class of errors.
    gallery: Option<&'static str>,
    trace: LogTrace,
}

/// Which entry of the gallery is about a class: (class, entry). The first one counts.
const GALLERY: &[(Class, &str)] = &include!(concat!(env!("OUT_DIR"), "/gallery.rs"));

/// `{"version":1,"verdict":"explained","programs":[{..., "gallery":"uninit-reg",
/// "trace":{"steps":[...]}}],"left_out":0}`
pub fn format_answer(text: &[u8]) -> String {
    let report = explain_log(text);
    let shown = report.programs.iter().take(MOST_PROGRAMS);
    let answer = Answer {
        version: 1,
        verdict: report.verdict,
        programs: shown.map(|program| explored(program, text)).collect(),
        left_out: report.programs.len().saturating_sub(MOST_PROGRAMS),
    };
    // Without maps of odd keys, there is nothing in it that JSON cannot hold.
    serde_json::to_string(&answer).unwrap_or_default()
}

fn explored<'a>(program: &'a ExplainedProgram, text: &[u8]) -> Explored<'a> {
    let entry = GALLERY
        .iter()
        .find(|(class, _)| Some(*class) == program.class);
    Explored {
        program,
        gallery: entry.map(|(_, entry)| *entry),
        trace: program.trace(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn explore(text: &str) -> Value {
        serde_json::from_str(&format_answer(text.as_bytes())).unwrap()
    }

    const LOG: &str =
        "0: R1=ctx() R10=fp0\n0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns (limit 1000000)\n";

    #[test]
    fn a_rejection_comes_with_its_steps_and_its_page() {
        let answer = explore(LOG);
        assert_eq!(answer["verdict"], "explained");
        let program = &answer["programs"][0];
        assert_eq!(
            (&program["gallery"], &program["trace"]["decisive"]),
            (&"uninit-reg".into(), &0.into())
        );
        assert_eq!(program["trace"]["steps"][0]["known"][0]["name"], "R1");
    }

    #[test]
    fn an_entry_of_another_name_is_found_by_its_class() {
        assert!(GALLERY.iter().any(|(class, entry)| class.slug() != *entry));
    }

    #[test]
    fn garbage_is_no_log() {
        let answer = explore("hello, world\n\0\u{1}\u{2}\n");
        assert_eq!(
            (&answer["verdict"], &answer["programs"]),
            (&"no-log".into(), &Value::Array(Vec::new()))
        );
    }

    #[test]
    fn of_many_programs_the_first_are_shown() {
        let log = |name: usize| {
            LOG.replace("r2", "r3").replace("R2", "R3").replace(
                "0: R1",
                &format!("libbpf: prog 'p{name}': BPF program load failed\n0: R1"),
            )
        };
        let answer = explore(&(0..30).map(log).collect::<String>());
        assert_eq!(answer["programs"].as_array().unwrap().len(), MOST_PROGRAMS);
        assert_eq!(answer["left_out"], 10);
    }
}
