//! `verify`: the lines of a loader in a guest, and each form of the verdicts on them. A parser of
//! the form reads it back, and nothing in it is markup or for a terminal to obey.

#![no_main]

use kernel::Architecture;
use libfuzzer_sys::fuzz_target;
use plan::load::Load;
use quick_xml::Reader;
use quick_xml::events::Event;
use xtask::commands::verify::{
    KernelName, KernelResult, KernelVerdict, ReportForm, format_verdict,
};
use xtask::pipeline::loader::LoaderOutput;

fuzz_target!(|input: &[u8]| {
    let mut output = LoaderOutput::default();
    for piece in input.chunks(1 + input.len() / 3) {
        // What it said before it said nonsense counts.
        if output.read_bytes(piece).is_err() {
            break;
        }
    }
    let verdicts: Vec<KernelVerdict> = output.loads.iter().map(verdict).collect();
    let mut result = KernelResult {
        kernel: kernel(),
        release: "7.3.1".to_owned(),
        loads: output.loads,
        without_programs: Vec::new(),
        machine_failed: Some(String::from_utf8_lossy(input).into_owned()),
        has_modules: true,
        notes: Vec::new(),
    };
    for (object, programs) in &output.programs {
        result.blame_silence(object, Some(programs));
    }
    let results = [result];
    for verdict in &verdicts {
        let line = format_verdict(verdict, &[]).expect("it can be written");
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
        assert!(!has_control(&line), "{line:?}");
        let json: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        assert_eq!(json["program"], verdict.load.program);
    }
    let report = |form: ReportForm| {
        let bytes = form
            .format_report(&verdicts, &results)
            .expect("it can be written");
        let text = String::from_utf8(bytes).expect("it is text");
        assert!(!has_control(&text), "{text:?}");
        text
    };
    read_xml(&report(ReportForm::Junit));
    read_markdown(&report(ReportForm::Markdown));
});

fn kernel() -> KernelName {
    KernelName {
        series: "7.3".to_owned(),
        architecture: Architecture::HOST,
    }
}

fn verdict(load: &Load) -> KernelVerdict {
    KernelVerdict {
        kernel: kernel(),
        release: "7.3.1".to_owned(),
        load: load.clone(),
        advice: None,
    }
}

fn has_control(text: &str) -> bool {
    text.chars()
        .any(|it| it.is_control() && !matches!(it, '\n' | '\t'))
}

fn read_xml(text: &str) {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut depth = 0;
    loop {
        match reader.read_event().expect("it is XML") {
            Event::Eof => return assert_eq!(depth, 0),
            Event::Start(tag) => {
                depth += 1;
                assert!(is_known(tag.name().as_ref()), "{text}");
                tag.attributes()
                    .for_each(|it| drop(it.expect("it is an attribute")));
            }
            Event::Empty(tag) => assert!(is_known(tag.name().as_ref()), "{text}"),
            Event::End(_) => depth -= 1,
            Event::Text(_) | Event::Decl(_) | Event::GeneralRef(_) => {}
            other => panic!("{other:?} in {text}"),
        }
    }
}

fn is_known(tag: &str) -> bool {
    ["testsuites", "testsuite", "testcase", "failure", "error"].contains(&tag)
}

/// Outside of code there is nothing but this tool's own words.
fn read_markdown(text: &str) {
    for line in text.lines() {
        let mut rest = line;
        while let Some(start) = rest.find('`') {
            let length = rest[start..].chars().take_while(|it| *it == '`').count();
            assert!(is_own(&rest[..start]), "{line}");
            let code = &rest[start + length..];
            let end = find_fence(code, length).unwrap_or_else(|| panic!("no end: {line}"));
            rest = &code[end + length..];
        }
        assert!(is_own(rest), "{line}");
    }
}

/// A run of exactly so many backticks.
fn find_fence(code: &str, length: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        let start = at + code[at..].find('`')?;
        let run = code[start..].bytes().take_while(|it| *it == b'`').count();
        if run == length {
            return Some(start);
        }
        at = start + run;
    }
}

fn is_own(text: &str) -> bool {
    let is_own = |it: char| it.is_ascii_alphanumeric() || " |-:.,?✓✗".contains(it);
    text.chars().all(is_own)
}
