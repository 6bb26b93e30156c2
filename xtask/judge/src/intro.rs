//! The judges of lesson 00. Its answers run on the learner's machine.

use anyhow::{Context as _, Result, bail, ensure};

use crate::answer_program::AnswerProgram;
use crate::bytecode::{
    self, ADD, ADD_32, CONDITIONS, IF_GREATER, IF_GREATER_SIGNED, IF_NOT_EQUAL, Instruction, MOVE,
    MOVE_32, exit_insn, goto_insn, with_constant, with_register,
};
use crate::check::{Check, MachineFault};
use crate::exercise::{Judge, JudgedExercise};

static EXERCISES: [JudgedExercise; 2] = [
    JudgedExercise {
        name: "00/decode-instruction",
        judge: Judge::Here(&[
            Check {
                says: "tells the two registers apart",
                holds: registers,
            },
            Check {
                says: "reads the offset with its sign",
                holds: offset,
            },
            Check {
                says: "reads the constant with its sign",
                holds: constant,
            },
            Check {
                says: "decodes 500 instructions",
                holds: many_instructions,
            },
        ]),
    },
    JudgedExercise {
        name: "00/run-program",
        judge: Judge::Here(&[
            Check {
                says: "moves and adds",
                holds: straight_on,
            },
            Check {
                says: "jumps over instructions",
                holds: jumps,
            },
            Check {
                says: "compares with and without sign",
                holds: compares,
            },
            Check {
                says: "jumps back",
                holds: loops,
            },
            Check {
                says: "calculates with 32 bits",
                holds: half_registers,
            },
            Check {
                says: "runs 50 programs",
                holds: many_programs,
            },
        ]),
    },
];

pub fn find_exercise(name: &str) -> Result<&'static JudgedExercise> {
    EXERCISES
        .iter()
        .find(|exercise| exercise.name == name)
        .with_context(|| format!("find the judge of {name}"))
}

// Decoding.

fn registers(answer: &mut AnswerProgram) -> Result<()> {
    let dst = fastrand::u8(1..6);
    let one = Instruction {
        code: fastrand::u8(..),
        dst,
        src: dst + fastrand::u8(1..5),
        ..Instruction::default()
    };
    let other = Instruction {
        dst: one.src,
        src: one.dst,
        ..one
    };
    decodes(answer, &[one, other])
}

fn offset(answer: &mut AnswerProgram) -> Result<()> {
    let offsets = [
        fastrand::i16(0x100..),
        fastrand::i16(..-0x100),
        -1,
        fastrand::i16(1..0x100),
    ];
    decodes(
        answer,
        &offsets.map(|off| Instruction {
            code: fastrand::u8(..),
            off,
            ..Instruction::default()
        }),
    )
}

fn constant(answer: &mut AnswerProgram) -> Result<()> {
    let constants = [
        fastrand::i32(0x1_0000..),
        fastrand::i32(..-0x1_0000),
        -1,
        fastrand::i32(1..0x100),
    ];
    decodes(
        answer,
        &constants.map(|imm| Instruction {
            code: fastrand::u8(..),
            imm,
            ..Instruction::default()
        }),
    )
}

fn many_instructions(answer: &mut AnswerProgram) -> Result<()> {
    let any = |_| Instruction {
        code: fastrand::u8(..),
        dst: fastrand::u8(..16),
        src: fastrand::u8(..16),
        off: fastrand::i16(..),
        imm: fastrand::i32(..),
    };
    decodes(answer, &[(); 500].map(any))
}

fn decodes(answer: &mut AnswerProgram, instructions: &[Instruction]) -> Result<()> {
    let printed = answer.run_with_input(&lines(instructions))?;
    let mut printed = printed.lines();
    for instruction in instructions {
        let bytes = instruction.hex_bytes();
        let expected = instruction.list_fields();
        let said = printed.next().with_context(|| {
            format!("{bytes}: the answer says nothing, and should say {expected}")
        })?;
        ensure!(
            said.trim() == expected,
            "{bytes}: the answer says {}, and should say {expected}",
            shown(said)
        );
    }
    let more = printed.next();
    ensure!(
        more.is_none(),
        "the answer says more than one line for each instruction: {}",
        shown(more.unwrap_or_default())
    );
    Ok(())
}

fn lines(instructions: &[Instruction]) -> String {
    instructions
        .iter()
        .map(|instruction| instruction.hex_bytes() + "\n")
        .collect()
}

/// A program may print anything, and at any length.
fn shown(text: &str) -> String {
    match text.trim() {
        "" => "nothing".to_owned(),
        text => text
            .chars()
            .take(100)
            .flat_map(char::escape_default)
            .collect(),
    }
}

// Running.

fn straight_on(answer: &mut AnswerProgram) -> Result<()> {
    let program = [
        with_constant(MOVE, 2, number()),
        with_register(MOVE, 0, 1),
        with_register(ADD, 0, 2),
        with_constant(ADD, 0, number()),
        exit_insn(),
    ];
    returns(answer, &program, fastrand::u64(1..1000))?;
    returns(answer, &[with_constant(MOVE, 0, -number()), exit_insn()], 0)
}

fn jumps(answer: &mut AnswerProgram) -> Result<()> {
    let program = [
        with_constant(MOVE, 0, number()),
        goto_insn(1),
        with_constant(MOVE, 0, number()),
        exit_insn(),
    ];
    returns(answer, &program, 0)?;
    let limit = number();
    let near = [-1, 0, 1].map(|more| u64::from((limit + more).unsigned_abs()));
    each_comparison(answer, limit, &near)
}

fn compares(answer: &mut AnswerProgram) -> Result<()> {
    let numbers = [
        0,
        1,
        u64::MAX,
        u64::MAX - 1,
        1 << 63,
        u64::from(u32::MAX),
        fastrand::u64(..),
    ];
    each_comparison(answer, -fastrand::i32(1..3), &numbers)
}

/// Every condition, with the limit as a constant and in a register.
fn each_comparison(answer: &mut AnswerProgram, limit: i32, numbers: &[u64]) -> Result<()> {
    let (yes, no) = (number(), -number());
    for condition in CONDITIONS {
        for test in [
            with_constant(condition, 1, limit),
            with_register(condition, 1, 2),
        ] {
            let (limit, yes, no) = (
                with_constant(MOVE, 2, limit),
                with_constant(MOVE, 0, yes),
                with_constant(MOVE, 0, no),
            );
            let program = [
                limit,
                yes,
                test.with_offset(2),
                no,
                exit_insn(),
                exit_insn(),
            ];
            numbers
                .iter()
                .try_for_each(|r1| returns(answer, &program, *r1))?;
        }
    }
    Ok(())
}

fn loops(answer: &mut AnswerProgram) -> Result<()> {
    // The sum of the numbers from r1 down to 1.
    let program = [
        with_constant(MOVE, 0, 0),
        with_register(ADD, 0, 1),
        with_constant(ADD, 1, -1),
        with_constant(IF_NOT_EQUAL, 1, 0).with_offset(-3),
        exit_insn(),
    ];
    returns(answer, &program, fastrand::u64(3..200))
}

fn half_registers(answer: &mut AnswerProgram) -> Result<()> {
    for program in half_register_programs() {
        returns(answer, &program, u64::MAX - fastrand::u64(..1000))?;
        returns(answer, &program, fastrand::u64(..))?;
    }
    Ok(())
}

/// All that the first instruction leaves in the upper half of r0 is to go: where that is nothing,
/// an answer that keeps it is right.
fn half_register_programs() -> [[Instruction; 3]; 4] {
    let (constant, other) = (-number(), -number());
    [
        [
            with_constant(MOVE, 0, other),
            with_constant(MOVE_32, 0, constant),
            exit_insn(),
        ],
        [
            with_constant(MOVE, 0, other),
            with_register(MOVE_32, 0, 1),
            exit_insn(),
        ],
        [
            with_register(MOVE, 0, 1),
            with_constant(ADD_32, 0, constant),
            exit_insn(),
        ],
        [
            with_constant(MOVE, 0, constant),
            with_register(ADD_32, 0, 1),
            exit_insn(),
        ],
    ]
}

fn many_programs(answer: &mut AnswerProgram) -> Result<()> {
    (0..50).try_for_each(|_| returns(answer, &any_program(), any_number()))
}

fn returns(answer: &mut AnswerProgram, program: &[Instruction], r1: u64) -> Result<()> {
    let expected =
        bytecode::run_bytecode(program, r1).context("run a program of the judge's own")?;
    let seen = match answer.run_with_input(&format!("{r1}\n{}", lines(program))) {
        Ok(said) if said.trim() == expected.to_string() => return Ok(()),
        Ok(said) => format!("the answer says {}", shown(&said)),
        Err(error) if error.is::<MachineFault>() => return Err(error),
        Err(error) => format!("{error:#}"),
    };
    let words: String = program
        .iter()
        .map(|it| format!("\n  {}    {it}", it.hex_bytes()))
        .collect();
    bail!("with r1 = {r1} this program should return {expected}, and {seen}:{words}")
}

/// Neither 0 nor so great that sums leave 32 bits.
fn number() -> i32 {
    fastrand::i32(2..1_000_000)
}

/// Small ones are more often alike.
fn any_number() -> u64 {
    if fastrand::bool() {
        fastrand::u64(..)
    } else {
        fastrand::i64(-3..4).cast_unsigned()
    }
}

/// Values for all registers that it uses, then a loop of blocks, each of which may be jumped over.
/// The verifier would accept it: it ends, and reads no register that has no value.
fn any_program() -> Vec<Instruction> {
    const COUNTER: u8 = 6;
    let mut program: Vec<_> = [0, 2, 3, 4, 5]
        .map(|register| with_constant(MOVE, register, any_constant()))
        .to_vec();
    program.push(with_constant(MOVE, COUNTER, fastrand::i32(1..5)));
    let begin = program.len();
    for _ in 0..fastrand::u8(2..5) {
        let block: Vec<_> = (0..fastrand::u8(1..4)).map(|_| any_calculation()).collect();
        program.push(
            any_operand(fastrand::choice(CONDITIONS).unwrap_or(IF_GREATER))
                .with_offset(block.len() as i16),
        );
        program.extend(block);
    }
    program.push(with_constant(ADD, COUNTER, -1));
    let back = begin as i16 - program.len() as i16 - 1;
    program.extend([
        with_constant(IF_GREATER_SIGNED, COUNTER, 0).with_offset(back),
        exit_insn(),
    ]);
    program
}

fn any_calculation() -> Instruction {
    any_operand(fastrand::choice([ADD, MOVE, ADD_32, MOVE_32]).unwrap_or(ADD))
}

fn any_operand(code: u8) -> Instruction {
    let register = || fastrand::u8(..6);
    if fastrand::bool() {
        with_constant(code, register(), any_constant())
    } else {
        with_register(code, register(), register())
    }
}

fn any_constant() -> i32 {
    if fastrand::bool() {
        fastrand::i32(..)
    } else {
        fastrand::i32(-3..4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_comes_to_an_end() {
        for _ in 0..1000 {
            let program = any_program();
            assert!(
                bytecode::run_bytecode(&program, any_number()).is_some(),
                "{}",
                lines(&program)
            );
        }
    }

    #[test]
    fn upper_halves_are_not_empty_beforehand() {
        for [first, ..] in half_register_programs() {
            let before = bytecode::run_bytecode(&[first, exit_insn()], u64::MAX);
            assert_eq!(before.unwrap() >> 32, u64::from(u32::MAX), "{first}");
        }
    }

    #[test]
    fn what_a_program_prints_cannot_harm_the_terminal() {
        assert_eq!(shown("\u{1b}[2J "), "\\u{1b}[2J");
        assert_eq!(shown(&"x".repeat(1000)).len(), 100);
    }
}
