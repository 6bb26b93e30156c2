//! What verification cost, from logs that kernels wrote about `xtask/tests/programs/cost`. Lines
//! about precision that came again and again were taken out of them.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fs;
use std::path::Path;

use bpf_verifier_log::{AdviceKind, LogShare, ProgramCost, measure_cost};

fn read_log(name: &str) -> Vec<u8> {
    fs::read(Path::new("tests/cost").join(name)).unwrap()
}

fn measure(name: &str) -> ProgramCost {
    let mut programs = measure_cost(&read_log(name));
    assert_eq!(programs.len(), 1, "{name}");
    programs.remove(0)
}

#[test]
fn the_log_shows_what_the_kernel_counted() {
    for (name, insns) in [
        ("rounds-5.10.log", 768),
        ("rounds-7.3.log", 766),
        ("calls-7.3.log", 1383),
        ("calls_global-7.3.log", 200),
    ] {
        let cost = measure(name);
        assert_eq!((cost.shown, cost.processed), (insns, Some(insns)), "{name}");
        assert_eq!(cost.share, LogShare::Whole, "{name}");
        let lines: u64 = cost.lines.iter().map(|line| line.insns).sum();
        let functions: u64 = cost.functions.iter().map(|it| it.insns).sum();
        assert_eq!((lines, functions), (insns, insns), "{name}");
        assert_eq!(
            cost.paths.begun,
            cost.paths.pruned + cost.paths.exited,
            "{name}"
        );
    }
}

#[test]
fn a_function_costs_what_linux_7_3_says() {
    for name in ["calls-7.3.log", "calls_global-7.3.log", "rounds-7.3.log"] {
        let text = String::from_utf8(read_log(name)).unwrap();
        let cost = measure(name);
        let mut told = 0;
        for line in text.lines().filter(|line| line.starts_with("subprog ")) {
            let words: Vec<&str> = line.split(' ').collect();
            let at = words.iter().position(|word| *word == "insns_self").unwrap();
            let number: u32 = words[1].parse().unwrap();
            let function = cost.functions.iter().find(|it| it.number == number);
            assert_eq!(function.unwrap().insns.to_string(), words[at + 1], "{line}");
            told += 1;
        }
        assert_eq!(told, cost.functions.len(), "{name}");
    }
}

#[test]
fn a_loop_is_told_with_its_counter() {
    for name in ["rounds-5.10.log", "rounds-7.3.log"] {
        let cost = measure(name);
        let [advice] = cost.advice.as_slice() else {
            panic!("{name}: {:?}", cost.advice);
        };
        assert_eq!(advice.kind, AdviceKind::LoopRounds, "{name}");
        let counter = &cost.obstacles[0];
        assert_eq!(
            (counter.name.as_str(), counter.step),
            ("R1", Some(8)),
            "{name}"
        );
        assert_eq!(counter.set_by, ["12: r1 += 8", "9: r1 = 0"], "{name}");
        let log = String::from_utf8(read_log(name)).unwrap();
        let (_, needed) = counter
            .needed_by
            .as_ref()
            .unwrap()
            .split_once(": ")
            .unwrap();
        assert!(log.contains(needed), "{name}: {needed}");
        // The counter ends at 160, and no number is told that the log does not have.
        assert_eq!(
            (counter.least, counter.greatest),
            (Some(0), Some(152)),
            "{name}"
        );
    }
}

/// Four paths meet at instruction 8. R2 must be known exactly for it; R3 is only added, and R4 is
/// never read: they differ more often, and keep no two states apart.
const MEETING: &str = "\
func#0 @0
0: R1=ctx() R10=fp0
0: (61) r6 = *(u32 *)(r1 +0)          ; R6_w=scalar()
1: (b7) r2 = 0                        ; R2_w=0
2: (15) if r6 == 0x3 goto pc+5        ; R6_w=scalar()
3: (b7) r3 = 1                        ; R3_w=1
4: (15) if r6 == 0x1 goto pc+3        ; R6_w=scalar()
5: (b7) r2 = 5                        ; R2_w=5
6: (15) if r6 == 0x2 goto pc+1        ; R6_w=scalar() R4=fp-8
7: (b7) r2 = 7                        ; R2_w=7
8: (0f) r0 += r2
mark_precise: frame0: last_idx 8 first_idx 8 subseq_idx -1
mark_precise: frame0: last_idx 6 first_idx 0 subseq_idx 8
mark_precise: frame0: regs=r2 stack= before 6: (15) if r6 == 0x2 goto pc+1
9: (0f) r0 += r3
10: (95) exit

from 6 to 8: R2=5 R3=2 R4=fp-16 R10=fp0
8: (0f) r0 += r2
9: (0f) r0 += r3
10: (95) exit

from 4 to 8: R2=0 R3=3 R4=fp-24 R10=fp0
8: (0f) r0 += r2
9: (0f) r0 += r3
10: (95) exit

from 2 to 8: R2=0 R3=4 R4=fp-32 R10=fp0
8: (0f) r0 += r2
9: (0f) r0 += r3
10: (95) exit
processed 20 insns (limit 1000000) max_states_per_insn 1 total_states 1 peak_states 1 mark_read 0
";

#[test]
fn only_what_keeps_states_apart_is_named() {
    let cost = measure_cost(MEETING.as_bytes()).remove(0);
    assert_eq!((cost.shown, cost.share), (20, LogShare::Whole));
    let paths = cost.paths;
    assert_eq!((paths.begun, paths.pruned, paths.exited), (4, 0, 4));
    let [obstacle] = cost.obstacles.as_slice() else {
        panic!("{:?}", cost.obstacles);
    };
    assert_eq!(
        (obstacle.pc, obstacle.name.as_str(), obstacle.arrivals),
        (8, "R2", 4)
    );
    assert_eq!(obstacle.differs, 2);
    assert_eq!(obstacle.set_by, ["5: r2 = 5", "1: r2 = 0"]);
    assert_eq!(obstacle.needed_by.as_deref(), Some("8: r0 += r2"));
}

#[test]
fn old_kernels_get_no_advice_that_they_lack() {
    let advice = |name| measure(name).advice.remove(0).instead;
    assert!(advice("rounds-5.10.log").starts_with("fewer rounds"));
    let new = advice("rounds-7.3.log");
    assert!(new.contains("bpf_loop()") && new.contains("this kernel also has bpf_for()"));
}

#[test]
fn a_static_function_is_told_and_a_global_one_is_not() {
    let [advice] = measure("calls-7.3.log").advice.try_into().unwrap();
    assert_eq!(
        (advice.kind, advice.insns),
        (AdviceKind::RepeatedFunction, 1352)
    );
    let global = measure("calls_global-7.3.log");
    assert_eq!(global.advice.len(), 0);
    assert!(
        global
            .functions
            .iter()
            .any(|it| it.is_global && it.insns == 169)
    );
}

#[test]
fn lines_name_their_file_visits_and_states() {
    let cost = measure("calls-7.3.log");
    let line = cost
        .lines
        .iter()
        .find(|line| line.text == "int calls(struct __sk_buff *skb)");
    assert!(line.is_none(), "it begins with SEC");
    let called = cost
        .lines
        .iter()
        .find(|line| line.text == "return hash & 63;");
    let called = called.unwrap();
    assert_eq!((called.insns, called.visits), (16, 8));
    assert_eq!(called.file.as_deref(), Some("calls.bpf.c"));
    assert_eq!(called.advice, Some(0));
}

#[test]
fn what_is_cut_off_is_said() {
    let log = read_log("rounds-7.3.log");
    let text = String::from_utf8(log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let share = |lines: &[&str]| measure_cost(lines.join("\n").as_bytes())[0].share;
    assert_eq!(share(&lines[..lines.len() / 2]), LogShare::EndMissing);
    assert_eq!(share(&lines[lines.len() / 2..]), LogShare::BeginningMissing);
    let last_path = "0: (b7) r0 = 0\n1: (95) exit\nprocessed 20 insns (limit 1000000)";
    assert_eq!(
        measure_cost(last_path.as_bytes())[0].share,
        LogShare::LastPath
    );
}

#[test]
fn surroundings_do_not_change_the_counts() {
    let text = String::from_utf8(read_log("calls_global-7.3.log")).unwrap();
    let plain = measure("calls_global-7.3.log");
    let mut quoted = String::new();
    for line in text.lines() {
        quoted += &format!("> {line}\r\n");
    }
    let json = format!(
        "{{\"log\":\"{}\"}}",
        text.replace('"', "\\\"").replace('\n', "\\n")
    );
    for other in [quoted, json] {
        let cost = measure_cost(other.as_bytes()).remove(0);
        assert_eq!(cost.shown, plain.shown);
        assert_eq!(cost.lines.len(), plain.lines.len());
    }
}

/// Mutated logs end, and the numbers that are told of them agree with each other.
#[test]
fn mutated_logs_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(7);
    let logs = ["rounds-5.10.log", "rounds-7.3.log", "calls-7.3.log"].map(read_log);
    for round in 0..600 {
        let log = &logs[round % logs.len()];
        let start = random.usize(..log.len());
        let end = (start + random.usize(..20_000)).min(log.len());
        let mut piece = log[start..end].to_vec();
        for _ in 0..random.usize(..60) {
            if piece.is_empty() {
                break;
            }
            let at = random.usize(..piece.len());
            match random.u8(..4) {
                0 => piece[at] = random.u8(..),
                1 => piece.insert(at, b"0123456789: (=,)\n"[random.usize(..17)]),
                2 => drop(piece.remove(at)),
                _ => {
                    let from = random.usize(..piece.len());
                    let copied = piece[from..(from + 40).min(piece.len())].to_vec();
                    piece.splice(at..at, copied);
                }
            }
        }
        for cost in measure_cost(&piece) {
            let lines: u64 = cost.lines.iter().map(|line| line.insns).sum();
            let functions: u64 = cost.functions.iter().map(|it| it.insns).sum();
            assert!(lines <= cost.shown && functions <= cost.shown);
            for line in &cost.lines {
                assert!(line.states <= line.visits);
                assert!(line.advice.is_none_or(|index| index < cost.advice.len()));
            }
        }
    }
}
