//! What a guest says, and the reports on it: twice as much takes twice the time.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "common/doubling.rs"]
mod doubling;

use std::hint::black_box;
use std::io::Cursor;

use bpf_verifier_log::report::{NoContext, ReportFormat, format_report};
use bpf_verifier_log::{explain_log, measure_cost};
use doubling::is_slow;
use kernel::Architecture;
use plan::frame::{Decoder, FrameKind, encode_frame, encode_message};
use plan::{News, Plan};
use testvm::PlanProgress;
use xtask::commands::explain::cost_comparison::compare_programs;
use xtask::commands::explain::cost_table::program_as_text;
use xtask::commands::verify::{
    KernelName, KernelResult, KernelVerdict, ReportForm, format_verdict,
};
use xtask::pipeline::loader::LoaderOutput;

/// What is read, about so many parts of it, and how it is read.
type Form = (&'static str, fn(usize) -> Vec<u8>, fn(&[u8]));

const FORMS: [Form; 13] = [
    ("verdicts on programs", of_programs, write_reports),
    ("verdicts on objects", of_objects, write_reports),
    ("verdicts on one program", of_one_program, write_reports),
    ("verdicts with logs", with_logs, write_reports),
    ("names without verdicts", without_verdicts, write_reports),
    ("a long line of a loader", one_long_line, write_reports),
    ("empty frames", empty_frames, read_frames),
    ("long frames", long_frames, read_frames),
    ("news", news, read_frames),
    ("explained programs", rejections, write_explanations),
    ("a log of states", states, write_explanations),
    ("costs", states, write_costs),
    ("a kernel without a release", no_release, read_kernel),
];

#[test]
#[ignore = "takes seconds: cargo xtask test vm"]
fn twice_the_input_takes_twice_the_time() {
    let slow = FORMS
        .iter()
        .filter(|(name, make, read)| is_slow(name, make, 500, *read));
    let slow: Vec<&str> = slow.map(|(name, ..)| *name).collect();
    assert_eq!(slow, [""; 0], "more than twice the time");
}

fn verdict(object: usize, program: usize, result: &str) -> String {
    let name = format!(r#""object":"{object}.o","program":"p{program}","section":"xdp""#);
    format!(r#"{{"load":{{{name},"library":"aya","result":{result}}}}}"#) + "\n"
}

fn verdicts(size: usize, verdict: impl Fn(usize) -> String) -> Vec<u8> {
    (0..size).map(verdict).collect::<String>().into_bytes()
}

const ACCEPTED: &str = r#"{"accepted":{"instructions":2,"machine_code":null,"processed":2}}"#;

fn of_programs(size: usize) -> Vec<u8> {
    verdicts(4 * size, |number| verdict(1, number, ACCEPTED))
}

fn of_objects(size: usize) -> Vec<u8> {
    verdicts(4 * size, |number| verdict(number, 1, ACCEPTED))
}

fn of_one_program(size: usize) -> Vec<u8> {
    verdicts(4 * size, |number| {
        verdict(
            1,
            1,
            &format!(r#"{{"failed":{{"why":"reason {number}"}}}}"#),
        )
    })
}

fn with_logs(size: usize) -> Vec<u8> {
    let result = r#"{"rejected":{"error":"e","log":"0: (bf) r0 = r2\nR2 !read_ok\n"}}"#;
    verdicts(size / 4, |number| verdict(1, number, result))
}

fn without_verdicts(size: usize) -> Vec<u8> {
    let name = |number| format!(r#"{{"program":"p{number}","section":"xdp"}}"#);
    let names: Vec<String> = (0..2 * size).map(name).collect();
    let names = names.join(",");
    format!("{{\"programs\":{{\"object\":\"1.o\",\"programs\":[{names}]}}}}\n").into_bytes()
}

fn one_long_line(size: usize) -> Vec<u8> {
    let why = "`|<a>&#1;\\u001b[2J ".repeat(20 * size);
    verdict(1, 1, &format!(r#"{{"failed":{{"why":"{why}"}}}}"#)).into_bytes()
}

/// Reads what a loader says, and writes each form of a report on it.
fn write_reports(bytes: &[u8]) {
    let mut output = LoaderOutput::default();
    for piece in bytes.chunks(4096) {
        output.read_bytes(piece).unwrap();
    }
    let kernel = KernelName {
        series: "7.3".to_owned(),
        architecture: Architecture::HOST,
    };
    let mut result = KernelResult {
        kernel: kernel.clone(),
        release: "7.3.1".to_owned(),
        loads: output.loads,
        without_programs: Vec::new(),
        machine_failed: None,
        has_modules: true,
        notes: Vec::new(),
    };
    for (object, programs) in &output.programs {
        result.blame_silence(object, Some(programs));
    }
    let verdict = |load| KernelVerdict {
        kernel: kernel.clone(),
        release: "7.3.1".to_owned(),
        load,
        advice: None,
    };
    let loads = std::mem::take(&mut result.loads);
    let verdicts: Vec<KernelVerdict> = loads.into_iter().map(verdict).collect();
    assert!(!verdicts.is_empty());
    let results = [result];
    for verdict in &verdicts {
        black_box(format_verdict(verdict, &[]).unwrap());
    }
    for form in [ReportForm::Junit, ReportForm::Markdown] {
        black_box(form.format_report(&verdicts, &results).unwrap());
    }
}

fn empty_frames(size: usize) -> Vec<u8> {
    encode_frame(FrameKind::Stdout, b"").repeat(100 * size)
}

fn long_frames(size: usize) -> Vec<u8> {
    encode_frame(FrameKind::Stdout, &[b'x'; 1 << 19]).repeat(size / 100)
}

fn news(size: usize) -> Vec<u8> {
    let news = News::LeftBehind(vec!["a map".to_owned()]);
    encode_message(FrameKind::News, &news)
        .unwrap()
        .repeat(4 * size)
}

/// As they come over the line, and as long as a guest may say them.
fn read_frames(bytes: &[u8]) {
    let plan = Plan { steps: Vec::new() };
    let mut progress = PlanProgress::new(&plan, 0);
    let mut decoder = Decoder::default();
    for piece in bytes.chunks(64 * 1024) {
        decoder.push_bytes(piece);
        while let Some(frame) = decoder.next_frame().unwrap() {
            if let Ok(news) = frame.read_message::<News>() {
                // What it may not say is refused; the next is read all the same here.
                let _ = progress.take_news(news);
            }
        }
    }
}

fn rejections(size: usize) -> Vec<u8> {
    let rejection = |number| {
        format!(
            "libbpf: prog 'p{number}': -- BEGIN PROG LOAD LOG --\n0: (bf) r0 = r2\nR2 !read_ok\n\
             processed 1 insns (limit 1000000)\n-- END PROG LOAD LOG --\n"
        )
    };
    (0..size / 10)
        .map(rejection)
        .collect::<String>()
        .into_bytes()
}

fn states(size: usize) -> Vec<u8> {
    let step = |number: usize| {
        let pc = number % 500;
        format!(
            "; value += data[{pc}]; @ count.bpf.c:{pc}\n{pc}: (0f) r2 += r1    ; \
             R1_w=scalar(umax=255) R2_w=scalar(id={number})\nfrom {pc} to {}: R0=scalar() \
             R1=ctx() R10=fp0\n",
            pc + 1
        )
    };
    let steps: String = (0..size).map(step).collect();
    format!("0: R1=ctx() R10=fp0\n{steps}R2 !read_ok\nprocessed {size} insns\n").into_bytes()
}

fn write_explanations(text: &[u8]) {
    let explanation = explain_log(text);
    for format in ReportFormat::ALL {
        black_box(format_report(&explanation, *format, &NoContext));
    }
    for program in &explanation.programs {
        black_box(program.trace(text));
    }
}

fn write_costs(text: &[u8]) {
    let programs = measure_cost(text);
    for program in &programs {
        black_box(program_as_text(program));
    }
    black_box(compare_programs(&programs, &programs));
}

fn no_release(size: usize) -> Vec<u8> {
    [b"\x7fELF", &b"Linux version ".repeat(100 * size)[..]].concat()
}

fn read_kernel(image: &[u8]) {
    let found = kernel::identify_image(&mut Cursor::new(image)).unwrap();
    assert_eq!(found, None);
}
