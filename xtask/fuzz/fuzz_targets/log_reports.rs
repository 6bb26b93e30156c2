//! The forms of an explanation: a parser of each form reads it back, and a terminal shows it as
//! text. The book's explorer gets the same JSON.

#![no_main]

use bpf_verifier_log::explain_log;
use bpf_verifier_log::report::{NoContext, ReportFormat, format_report};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let explanation = explain_log(input);
    for format in ReportFormat::ALL {
        let report = format_report(&explanation, *format, &NoContext);
        assert!(report.ends_with('\n'), "{format:?}");
        let stray = report.chars().find(|it| it.is_control() && *it != '\n');
        assert_eq!(stray, None, "{format:?}: {report:?}");
        match format {
            ReportFormat::Json | ReportFormat::Sarif => drop(read_json(&report)),
            ReportFormat::Rustc => {
                for line in report.lines() {
                    assert!(read_json(line)["message"].is_string(), "{line}");
                }
            }
            ReportFormat::Github => {
                for line in report.lines() {
                    assert!(line.starts_with("::error ") || line.starts_with("::notice "));
                }
            }
            _ => {}
        }
    }
    for program in &explanation.programs {
        let trace = serde_json::to_string(&program.trace(input)).expect("a trace is JSON");
        assert!(!trace.chars().any(char::is_control), "{trace:?}");
    }
});

fn read_json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}
