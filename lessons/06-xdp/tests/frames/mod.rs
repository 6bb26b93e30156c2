//! Unit tests of the eBPF programs. BPF_PROG_TEST_RUN runs a loaded program on a frame, without any
//! interface, and returns its verdict and the frame as it left it.
//!
//! They need root, on any kernel:
//!
//! ```console
//! $ cargo test --package xdp -- --ignored
//! ```

mod cases;

use aya::EbpfLoader;
use network::frame;
use network::interface::Interface;

use crate::counters::{DROP, FrameCounters, PASS, verdict_name};
use crate::program::{LoadedProgram, PacketProgram};
use cases::{BLOCKED, Case, EXCEPTION, Fate, REDIRECTED, address};

const PROGRAMS: [PacketProgram; 5] = [
    PacketProgram::Parse,
    PacketProgram::Count,
    PacketProgram::Block,
    PacketProgram::Reply,
    PacketProgram::Redirect,
];

/// The shortest frame that BPF_PROG_TEST_RUN accepts on every kernel: the Ethernet header.
const SHORTEST: usize = 14;

/// Each program with each library, with rules as far as it has them.
fn for_each_program(test: impl Fn(&dyn LoadedProgram, PacketProgram)) {
    let mut loader = EbpfLoader::new();
    for program in PROGRAMS {
        let mut aya = crate::aya::load(&mut loader, program).expect("aya loads it");
        prepare(&mut aya, program);
        test(&aya, program);
        let mut libbpf = crate::libbpf::load(program).expect("libbpf loads it");
        prepare(&mut libbpf, program);
        test(&libbpf, program);
    }
}

fn prepare(loaded: &mut dyn LoadedProgram, program: PacketProgram) {
    if matches!(program, PacketProgram::Parse | PacketProgram::Count) {
        return;
    }
    for (network, verdict) in [(BLOCKED[0], DROP), (BLOCKED[1], DROP), (EXCEPTION, PASS)] {
        let network = network.parse().expect("a network");
        loaded
            .set_rule(network, Some(verdict))
            .expect("there is room for it");
    }
    if program == PacketProgram::Redirect {
        // Every network namespace has it.
        let lo = Interface::find_interface("lo").expect("there is lo");
        loaded
            .set_redirect(REDIRECTED, &lo)
            .expect("there is room for it");
    }
}

#[test]
#[ignore = "needs root"]
fn every_frame_gets_its_verdict_and_is_counted() {
    for_each_program(|loaded, program| {
        for case in cases::all_cases() {
            judge(loaded, program, &case);
        }
    });
}

/// A frame that ends too soon is dropped, wherever it ends.
#[test]
#[ignore = "needs root"]
fn a_frame_that_is_cut_short_is_dropped() {
    for_each_program(|loaded, program| {
        for (name, frame) in cases::whole_frames() {
            for length in SHORTEST..frame.len() {
                let case = Case {
                    name,
                    frame: frame[..length].to_vec(),
                    kind: "malformed",
                    fate: Fate::Malformed,
                };
                judge(loaded, program, &case);
            }
            // It is the cut that makes the difference.
            let result = loaded.test_run(&frame, 1).expect("it runs");
            assert_eq!(result.verdict, PASS, "{name}");
        }
    });
}

#[test]
#[ignore = "needs root"]
fn no_frame_is_left_uncounted() {
    const MANY: u32 = 100_000;
    let frame =
        frame::udp_frame(address("192.0.2.1"), address("198.51.100.1"), 7000).expect("one family");
    for_each_program(|loaded, program| {
        if program != PacketProgram::Parse {
            loaded.test_run(&frame, MANY).expect("it runs");
            let counters = loaded.read_counters().expect("it counts");
            assert_eq!(counters.total_frames(), u64::from(MANY), "{program:?}");
        }
    });
}

fn judge(loaded: &dyn LoadedProgram, program: PacketProgram, case: &Case) {
    let context = format!("{program:?}, {}, {} bytes", case.name, case.frame.len());
    let expected = case.fate.verdict(program);
    let before = read_counters(loaded, program);
    let result = loaded.test_run(&case.frame, 1).expect("it runs");
    assert_eq!(verdict_name(result.verdict), expected, "{context}");

    let rows = read_counters(loaded, program)
        .counted_since(&before)
        .list_rows();
    if program == PacketProgram::Parse {
        assert_eq!(rows, [], "{context}");
    } else {
        assert_eq!(rows.len(), 1, "{context}: {rows:?}");
        assert_eq!(
            (rows[0].kind, rows[0].verdict),
            (case.kind, expected),
            "{context}"
        );
        let counted = (rows[0].counter.frames, rows[0].counter.bytes);
        assert_eq!(counted, (1, case.frame.len() as u64), "{context}");
    }

    let frame = match &case.fate {
        Fate::Answered(answer) if program == PacketProgram::Reply => answer,
        _ => &case.frame,
    };
    assert_eq!(&result.frame, frame, "{context}");
}

fn read_counters(loaded: &dyn LoadedProgram, program: PacketProgram) -> FrameCounters {
    match program {
        PacketProgram::Parse => FrameCounters::default(),
        _ => loaded.read_counters().expect("it counts"),
    }
}
