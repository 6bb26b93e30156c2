//! What a guest sends: frames on one line, its kernel's console on another. Whatever it says, what
//! the host keeps of it stays small, and a plan has only finished if each of its steps has.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plan::frame::{Decoder, FrameKind};
use plan::{News, Plan, Step, Surroundings};
use testvm::{PlanProgress, PlanTurn};

#[path = "../../testvm/src/console.rs"]
mod console;

use console::Console;

fuzz_target!(|input: &[u8]| {
    read_console(input);
    read_frames(input);
});

fn read_console(input: &[u8]) {
    let mut console = Console::default();
    for piece in input.chunks(7) {
        console.push_output(piece);
    }
    let words = console.last_words();
    assert!(words.len() <= 41);
    for line in words.iter().map(String::as_str).chain(console.crash_line()) {
        assert!(line.len() <= 1200 && !line.chars().any(|it| it.is_control() && it != '\t'));
    }
}

fn read_frames(input: &[u8]) {
    let plan = plan();
    let mut progress = PlanProgress::new(&plan, 0);
    let mut decoder = Decoder::default();
    let mut printed = 0;
    for piece in input.chunks(1 + input.len() / 3) {
        decoder.push_bytes(piece);
        loop {
            let frame = match decoder.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => return assert!(error.to_string().len() < 100),
            };
            match frame.kind {
                FrameKind::Stdout | FrameKind::Stderr => {
                    printed += frame.payload.len();
                    if progress.count_output(frame.payload.len()).is_err() {
                        return;
                    }
                }
                _ => match frame
                    .read_message::<News>()
                    .map(|news| progress.take_news(news))
                {
                    Ok(Ok(PlanTurn::Finished)) => {
                        let report = progress.into_report();
                        assert_eq!(report.steps.len(), plan.steps.len());
                        assert!(printed <= input.len());
                        return;
                    }
                    Ok(Ok(PlanTurn::Started(index) | PlanTurn::Ended(index))) => {
                        assert!(index < plan.steps.len());
                    }
                    Ok(Ok(PlanTurn::WantsInput | PlanTurn::Noted)) => {}
                    Ok(Err(fault)) => return assert!(fault.len() < 2000),
                    Err(_) => return,
                },
            }
        }
    }
}

/// A step that is watched and takes input, and one that does neither.
fn plan() -> Plan {
    let step = Step {
        program: "/bin/true".to_owned(),
        args: Vec::new(),
        env: Vec::new(),
        seconds: Some(1),
        output_limit: Some(10),
        terminal: None,
        observe: false,
        surroundings: None,
    };
    let surroundings = Surroundings {
        directory: "/".to_owned(),
        input: true,
    };
    let first = Step {
        observe: true,
        surroundings: Some(surroundings),
        ..step.clone()
    };
    Plan {
        steps: vec![first, step],
    }
}
