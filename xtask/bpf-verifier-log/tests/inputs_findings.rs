//! What is said about values: inputs of the kinds that once got a wrong answer, and others of the
//! same kinds.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fs;
use std::path::Path;

use bpf_verifier_log::{Class, ExplainedProgram, explain_log};

const END: &str = "processed 13 insns (limit 1000000) max_states_per_insn 0";

fn explain_text(text: &str) -> ExplainedProgram {
    explain_log(text.as_bytes()).programs.remove(0)
}

fn explain_file(name: &str) -> ExplainedProgram {
    // Tests run in the directory of their package.
    let path = Path::new("tests/inputs").join(format!("{name}.txt"));
    explain_text(&fs::read_to_string(path).unwrap())
}

/// A log of these lines with an end.
fn explain_lines(lines: &str) -> ExplainedProgram {
    explain_text(&format!("{lines}\n{END}"))
}

fn known(program: &ExplainedProgram) -> String {
    program.finding.known.join("\n")
}

fn missing(program: &ExplainedProgram) -> &str {
    program.finding.missing.as_deref().unwrap_or_default()
}

/// Says which instruction added the number, and what it was.
fn assert_added(program: &ExplainedProgram, insn: &str, number: &str) {
    let known = known(program);
    let added = format!("number was added by instruction {insn}");
    assert!(known.contains(&added), "{added}:\n{known}");
    assert_eq!(known.matches("was added by").count(), 1, "{known}");
    let was = format!("was a number {number}.");
    assert!(known.contains(&was), "{was}:\n{known}");
}

#[test]
fn the_addition_of_a_constant_is_passed_over() {
    let handed = explain_file("const-addition-blamed");
    assert_added(&handed, "3: r6 += r2", "between 0 and 255");

    let old_map = explain_lines(
        "5: (0f) r0 += r7\n \
         R0_w=map_value(id=0,off=0,ks=4,vs=64,umax_value=63,var_off=(0x0; 0x3f)) \
         R1=inv4 R7=inv(id=0,umax_value=63,var_off=(0x0; 0x3f)) R10=fp0\n\
         4: R0=map_value(id=0,off=0,ks=4,vs=64,imm=0) R1=inv4 \
         R7=inv(id=0,umax_value=63,var_off=(0x0; 0x3f)) R10=fp0\n\
         4: (bf) r8 = r0\n\
         5: (0f) r8 += r7\n\
         6: (0f) r8 += r1\n\
         7: (71) r3 = *(u8 *)(r8 +0)\n \
         R0=map_value(id=0,off=0,ks=4,vs=64,imm=0) R1=inv4 \
         R7=inv(id=0,umax_value=63,var_off=(0x0; 0x3f)) \
         R8_w=map_value(id=0,off=4,ks=4,vs=64,umax_value=63,var_off=(0x0; 0x3f)) R10=fp0\n\
         invalid access to map value, value_size=64 off=67 size=1\n\
         R8 max value is outside of the allowed memory range",
    );
    assert!(
        known(&old_map).contains("added by instruction 5: r8 += r7"),
        "{}",
        known(&old_map)
    );
    assert!(
        !known(&old_map).contains("added by instruction 6"),
        "{}",
        known(&old_map)
    );

    let other_register = explain_lines(
        "0: R1=ctx() R10=fp0\n\
         0: (61) r9 = *(u32 *)(r1 +76)   ; R1=ctx() R9_w=pkt(r=0)\n\
         1: (61) r8 = *(u32 *)(r1 +4)    ; R1=ctx() R8_w=scalar(umax=4294967295)\n\
         2: (57) r8 &= 15                ; R8_w=scalar(umax=15,var_off=(0x0; 0xf))\n\
         3: (0f) r8 += r9                ; R8_w=pkt(id=2,r=0,umax=15,var_off=(0x0; 0xf)) \
         R9=pkt(r=0)\n\
         4: (b7) r2 = 20                 ; R2_w=20\n\
         5: (0f) r8 += r2                ; R2_w=20 \
         R8_w=pkt(id=2,off=20,r=0,umax=15,var_off=(0x0; 0xf))\n\
         6: (69) r0 = *(u16 *)(r8 +0)\n\
         invalid access to packet, off=20 size=2, R8(id=2,off=20,r=0)\n\
         R8 offset is outside of the packet",
    );
    assert_added(&other_register, "3: r8 += r9", "between 0 and 15");
}

#[test]
fn what_is_computed_from_a_register_is_no_constant() {
    let log = |change: &str| {
        format!(
            "0: (61) r6 = *(u32 *)(r1 +0)\n\
             1: (71) r2 = *(u8 *)(r10 -8)\n\
             2: (b7) r3 = 0\n\
             3: {change}\n\
             4: (0f) r6 += r3\n\
             5: (71) r0 = *(u8 *)(r6 +3)\n\
             invalid access to packet, off=3 size=1, R6(id=1,off=3,r=0)\n\
             R6 offset is outside of the packet"
        )
    };
    let constant = explain_lines(&log("(07) r3 += 1"));
    assert!(
        !known(&constant).contains("added by"),
        "{}",
        known(&constant)
    );
    let number = explain_lines(&log("(0f) r3 += r2"));
    assert!(
        known(&number).contains("added by instruction 4: r6 += r3"),
        "{}",
        known(&number)
    );
    assert!(known(&number).contains("R3 comes from instruction 3: r3 += r2"));
}

#[test]
fn of_a_loop_the_last_round_counts() {
    let program = explain_lines(
        "0: R1=ctx() R6=map_value(map=m,ks=4,vs=16) R10=fp0\n\
         0: (b7) r2 = 0        ; R2_w=0\n\
         1: (bf) r3 = r6       ; R3_w=map_value(map=m,ks=4,vs=16) R6=map_value(map=m,ks=4,vs=16)\n\
         2: (0f) r3 += r2      ; R2=0 R3_w=map_value(map=m,ks=4,vs=16)\n\
         3: (71) r4 = *(u8 *)(r3 +0)   ; R3=map_value(map=m,ks=4,vs=16) R4_w=scalar(umax=255)\n\
         4: (bf) r2 = r4       ; R2_w=scalar(id=1,umax=255) R4_w=scalar(id=1,umax=255)\n\
         5: (05) goto pc-5\n\
         1: (bf) r3 = r6       ; R3_w=map_value(map=m,ks=4,vs=16) R6=map_value(map=m,ks=4,vs=16)\n\
         2: (0f) r3 += r2      ; R2=scalar(id=1,umax=255) \
         R3_w=map_value(map=m,ks=4,vs=16,umax=255)\n\
         3: (71) r4 = *(u8 *)(r3 +0)\n\
         invalid access to map value, value_size=16 off=255 size=1\n\
         R3 max value is outside of the allowed memory range",
    );
    assert_added(&program, "2: r3 += r2", "between 0 and 255");
    assert_eq!(
        missing(&program),
        "a check that the number which is added is at most 15"
    );
}

#[test]
fn without_states_no_addition_is_blamed_among_several() {
    let program = explain_lines(
        "0: (61) r6 = *(u32 *)(r1 +0)\n\
         1: (71) r2 = *(u8 *)(r10 -8)\n\
         2: (71) r3 = *(u8 *)(r10 -16)\n\
         3: (0f) r6 += r2\n\
         4: (0f) r6 += r3\n\
         5: (71) r0 = *(u8 *)(r6 +3)\n\
         invalid access to packet, off=3 size=1, R6(id=1,off=3,r=0)\n\
         R6 offset is outside of the packet",
    );
    assert!(
        !known(&program).contains("was added by"),
        "{}",
        known(&program)
    );
}

#[test]
fn a_comparison_that_is_there_is_not_missing() {
    let handed = explain_file("packet-limit-with-offset");
    assert!(
        known(&handed).contains("comparison, instruction 6: if r3 > r7"),
        "{}",
        known(&handed)
    );
    assert!(
        missing(&handed).contains("at most 65535 together"),
        "{}",
        missing(&handed)
    );

    // Linux 7.2 and later have the constant in the limits.
    let folded = fs::read_to_string("tests/inputs/packet-limit-with-offset.txt").unwrap();
    let folded = folded.replace(
        "off=1,r=0,smin=smin32=0,smax=umax=smax32=umax32=0xffff,var_off=(0x0; 0xffff)",
        "r=0,smin=umin=smin32=umin32=1,smax=umax=smax32=umax32=0x10000,var_off=(0x0; 0x1ffff)",
    );
    assert!(missing(&explain_text(&folded)).contains("65535 together"));

    // The sum is small enough, and the comparison too short.
    let small = folded_with_limit(1000);
    assert_eq!(
        missing(&small),
        "a comparison of data_end with a pointer at least 4 bytes after the same place"
    );

    let old = explain_lines(
        "5: R2=inv(id=0,umax_value=65530) R3=pkt_end(id=0,off=0,imm=0) \
         R6=pkt(id=0,off=0,r=34,imm=0) R10=fp0\n\
         5: (0f) r6 += r2\n\
         6: (bf) r1 = r6\n\
         7: (07) r1 += 8\n\
         8: (2d) if r1 > r3 goto pc+4\n \
         R1=pkt(id=3,off=8,r=0,umax_value=65530) R2=inv(id=0,umax_value=65530) \
         R3=pkt_end(id=0,off=0,imm=0) R6=pkt(id=3,off=0,r=0,umax_value=65530) R10=fp0\n\
         9: (69) r0 = *(u16 *)(r6 +6)\n\
         invalid access to packet, off=6 size=2, R6(id=3,off=6,r=0)\n\
         R6 offset is outside of the packet",
    );
    assert!(
        known(&old).contains("may be 65538 bytes"),
        "{}",
        known(&old)
    );
    assert!(
        missing(&old).contains("65535 together"),
        "{}",
        missing(&old)
    );
}

/// A pointer with a comparison of one byte, and an access of four.
fn folded_with_limit(most: u32) -> ExplainedProgram {
    explain_lines(&format!(
        "0: R1=ctx() R10=fp0\n\
         0: (61) r7 = *(u32 *)(r1 +4)   ; R1=ctx() R7_w=pkt_end()\n\
         1: (61) r6 = *(u32 *)(r1 +0)   ; R1=ctx() R6_w=pkt(r=0)\n\
         2: (69) r2 = *(u16 *)(r10 -8)  ; R2_w=scalar(smin=0,smax=umax={most}) R10=fp0\n\
         3: (0f) r6 += r2      ; R6_w=pkt(id=1,r=0,smin=0,smax=umax={most})\n\
         4: (bf) r3 = r6       ; R3_w=pkt(id=1,r=0,smin=0,smax=umax={most})\n\
         5: (07) r3 += 1       ; R3_w=pkt(id=1,off=1,r=0,smin=0,smax=umax={most})\n\
         6: (2d) if r3 > r7 goto pc+2   ; R3_w=pkt(id=1,off=1,r=1,smin=0,smax=umax={most}) \
         R7_w=pkt_end()\n\
         7: (61) r0 = *(u32 *)(r6 +0)\n\
         invalid access to packet, off=0 size=4, R6(id=1,off=0,r=1)\n\
         R6 offset is outside of the packet"
    ))
}

#[test]
fn no_limit_helps_where_a_pointer_is_subtracted_from_a_number() {
    let handed = explain_file("scalar-minus-pointer");
    let packet = explain_lines(
        "0: R1=ctx() R10=fp0\n\
         0: (61) r6 = *(u32 *)(r1 +76)  ; R1=ctx() R6_w=pkt(r=0)\n\
         1: (79) r7 = *(u64 *)(r10 -8)  ; R7_w=scalar() R10=fp0\n\
         2: (1f) r7 -= r6\n\
         math between pkt pointer and register with unbounded min value is not allowed",
    );
    let old = explain_lines(
        "4: R0=map_value(id=0,off=0,ks=4,vs=8,imm=0) \
         R8=inv(id=0,smin_value=-2147483648,smax_value=2147483647) R10=fp0\n\
         4: (1f) r8 -= r0\n\
         value -2147483648 makes map_value pointer be out of bounds",
    );
    for program in [&handed, &packet, &old] {
        assert_eq!(program.class, Some(Class::PtrArithProhibited));
        assert!(
            !missing(program).contains(" limit for"),
            "{}",
            missing(program)
        );
        assert!(missing(program).contains("no pointer can be subtracted"));
    }
    let pointer_minus_number = explain_lines(
        "4: R0=map_value(id=0,off=0,ks=4,vs=8,imm=0) R8=inv(id=0) R10=fp0\n\
         4: (1f) r0 -= r8\n\
         math between map_value pointer and register with unbounded min value is not allowed",
    );
    assert_eq!(pointer_minus_number.class, Some(Class::PtrArithUnbounded));
    assert_eq!(
        missing(&pointer_minus_number),
        "a lower limit for R8 before instruction 4"
    );
}

#[test]
fn a_number_that_is_too_large_needs_no_lower_limit() {
    let program = explain_lines(
        "4: R0=map_value(id=0,off=0,ks=4,vs=8,imm=0) R8=inv(id=0,umax_value=4294967295) R10=fp0\n\
         4: (0f) r0 += r8\n\
         value 4294967295 makes map_value pointer be out of bounds",
    );
    assert_eq!(
        missing(&program),
        "a smaller upper limit for R8 before instruction 4"
    );
}

#[test]
fn one_is_one_byte_and_an_upper_limit_has_its_article() {
    let handed = explain_file("grammar");
    assert_eq!(
        missing(&handed),
        "an upper limit for the number that was added to R1"
    );
    let texts = [
        "4: R6=mem(id=0,ref_obj_id=2,off=0,imm=0) R10=fp0\n\
         4: (71) r0 = *(u8 *)(r6 +1)\n\
         invalid access to memory, mem_size=1 off=1 size=1\n\
         R6 min value is outside of the allowed memory range",
        "4: R6=map_value(map=m,ks=4,vs=1) R10=fp0\n\
         4: (71) r0 = *(u8 *)(r6 +1)\n\
         invalid access to map value, value_size=1 off=1 size=1\n\
         R6 min value is outside of the allowed memory range",
        "4: R6=pkt(r=1) R10=fp0\n\
         4: (69) r0 = *(u16 *)(r6 +0)\n\
         invalid access to packet, off=0 size=2, R6(id=0,off=0,r=1)\n\
         R6 offset is outside of the packet",
        "4: R6=pkt(r=0) R10=fp0\n\
         4: (71) r0 = *(u8 *)(r6 +0)\n\
         invalid access to packet, off=0 size=1, R6(id=0,off=0,r=0)\n\
         R6 offset is outside of the packet",
        "4: R10=fp0\n\
         4: (71) r0 = *(u8 *)(r10 +1)\n\
         invalid read from stack R10 off=1 size=1",
        "4: R10=fp0 R2=pkt(r=1)\n\
         4: (bf) r0 = r2\n\
         5: (95) exit\n\
         R0 leaks addr as return value",
    ];
    for text in texts {
        let program = explain_lines(text);
        let said = format!("{}\n{}", known(&program), missing(&program));
        assert!(said.len() > 10, "{text}");
        for wrong in ["1 bytes", "a upper", "a address", "1 are", "bytes is"] {
            let mut found = said.match_indices(wrong);
            let is_wrong = found.any(|(at, _)| !said[..at].ends_with(|c: char| c.is_ascii_digit()));
            assert!(!is_wrong, "{wrong}: {said}");
        }
    }
}

#[test]
fn a_store_through_a_number_gets_no_advice_about_reading() {
    for (insn, message) in [
        (
            "4: (63) *(u32 *)(r1 +0) = r2",
            "R1 invalid mem access 'inv'",
        ),
        (
            "4: (7a) *(u64 *)(r1 +0) = 0",
            "R1 invalid mem access 'scalar'",
        ),
        (
            "4: (db) lock *(u64 *)(r1 +0) += r2",
            "R1 invalid mem access 'scalar'",
        ),
        (
            "4: (db) r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)",
            "R1 invalid mem access 'scalar'",
        ),
    ] {
        let program = explain_lines(&format!("4: R1=8 R2=0 R10=fp0\n{insn}\n{message}"));
        assert_eq!(program.class, Some(Class::ScalarDeref));
        assert_eq!(
            missing(&program),
            "a pointer in R1 to memory that the program may write"
        );
        let fix = program.finding.fix.unwrap();
        assert!(
            fix.contains("in a value of a map") && !fix.contains("probe_read"),
            "{fix}"
        );
    }
    let load = explain_lines(
        "4: R1=8 R10=fp0\n4: (61) r2 = *(u32 *)(r1 +0)\nR1 invalid mem access 'scalar'",
    );
    assert_eq!((load.finding.fix, load.finding.missing), (None, None));
}

#[test]
fn a_check_of_another_copy_is_named() {
    let program = explain_lines(
        "5: R10=fp0\n\
         5: (85) call bpf_map_lookup_elem#1   ; R0_w=map_value_or_null(id=1,map=m,ks=4,vs=8)\n\
         6: (7b) *(u64 *)(r10 -8) = r0        ; R0_w=map_value_or_null(id=1,map=m,ks=4,vs=8) \
         R10=fp0 fp-8_w=map_value_or_null(id=1,map=m,ks=4,vs=8)\n\
         7: (15) if r0 == 0x0 goto pc+3       ; R0_w=map_value(map=m,ks=4,vs=8)\n\
         8: (79) r1 = *(u64 *)(r10 -8)        ; R1_w=map_value_or_null(id=1,map=m,ks=4,vs=8) \
         R10=fp0\n\
         9: (79) r2 = *(u64 *)(r1 +0)\n\
         R1 invalid mem access 'map_value_or_null'",
    );
    assert!(
        known(&program).contains("instruction 7: if r0 == 0x0"),
        "{}",
        known(&program)
    );
    assert!(missing(&program).starts_with("a comparison with 0 (NULL) that the verifier connects"));
}

#[test]
fn the_byte_of_the_stack_that_was_not_written_is_named() {
    for (message, byte) in [
        (
            "invalid indirect read from stack R2 off -12+1 size 4",
            "fp-11",
        ),
        ("invalid read from stack off -8+4 size 8", "fp-4"),
        ("invalid read from stack R3 off -4+0 size 1", "fp-4"),
    ] {
        let program = explain_lines(&format!(
            "4: R2=fp-12 R3=fp-4 R10=fp0\n4: (85) call bpf_x#1\n{message}"
        ));
        let expected = format!("the byte at {byte} is the first that was not written");
        assert!(known(&program).contains(&expected), "{}", known(&program));
    }
}

#[test]
fn what_the_log_leaves_out_is_not_replaced() {
    // Instruction 7 is refused, and its line is missing.
    let refused = explain_lines(
        "5: R1=scalar() R10=fp0\n\
         5: (bf) r2 = r1      ; R1=scalar(id=1) R2_w=scalar(id=1)\n\
         6: (b7) r3 = 1\n\
         R1 invalid mem access 'scalar'",
    );
    assert_eq!(
        (refused.insn.as_ref(), known(&refused)),
        (None, String::new())
    );
    // What set R1 is missing.
    let set = explain_lines(
        "0: (b7) r1 = 8\n\
         1: (b7) r2 = 1\n\
         4: (61) r2 = *(u32 *)(r1 +0)\n\
         R1 invalid mem access 'scalar'",
    );
    assert_eq!(set.insn.as_ref().map(|insn| insn.pc), Some(4));
    assert_eq!(known(&set), "");
}

#[test]
fn a_register_that_a_call_cleared() {
    let program = explain_lines(
        "0: R1=ctx() R10=fp0\n\
         0: (b7) r2 = 0       ; R2_w=0\n\
         1: (85) call bpf_ktime_get_ns#5   ; R0_w=scalar()\n\
         2: (bf) r3 = r2\n\
         R2 !read_ok",
    );
    assert_eq!(
        known(&program),
        "R1 to R5 have no value after instruction 1: call bpf_ktime_get_ns#5."
    );
    let in_function = explain_lines(
        "0: R1=ctx() R10=fp0\n\
         0: (85) call pc+1\n\
         caller:\n R6=ctx() R10=fp0\n\
         callee:\n frame1: R1=ctx() R10=fp0\n\
         2: frame1: R1=ctx() R10=fp0\n\
         2: (bf) r0 = r6\n\
         R6 !read_ok",
    );
    assert_eq!(known(&in_function), "R6 was never set on this path.");
}

#[test]
fn old_numbers_are_not_taken_for_new_ones() {
    // Up to Linux 4.13, `inv32` is a number whose upper 32 bits are 0.
    let program = explain_lines(
        "4: (bf) r1 = r9\n\
         5: (2d) if r1 > r5 goto pc+188\n \
         R0=imm0,min_value=0,max_value=0 R1=inv31 R5=inv32 R9=inv32 R10=fp\n\
         6: (61) r2 = *(u32 *)(r9 +0)\n\
         R9 invalid mem access 'inv'",
    );
    assert!(!known(&program).contains("32."), "{}", known(&program));
}

#[test]
fn halves_and_conversions_are_other_values() {
    let deref = |insns: &str| {
        explain_lines(&format!(
            "0: R1=ctx() R6=scalar(smin=-8,smax=-1) R10=fp0\n{insns}\n\
             1: (61) r2 = *(u32 *)(r3 +0)\nR3 invalid mem access 'scalar'"
        ))
    };
    assert!(known(&deref("0: (bf) r3 = r6")).contains("R3 is a number between -8 and -1."));
    for insn in [
        "0: (bc) w3 = w6",
        "0: (bf) r3 = (s8)r6",
        "0: (dc) r3 = be16 r6",
    ] {
        assert!(
            !known(&deref(insn)).contains("R3 is "),
            "{insn}: {}",
            known(&deref(insn))
        );
    }
    let constant = deref("0: (b4) w3 = -1");
    assert!(
        known(&constant).contains("R3 is the number 4294967295."),
        "{}",
        known(&constant)
    );
}

#[test]
fn a_length_and_an_index_count_together() {
    let program = explain_lines(
        "4: R1=map_value(off=12,ks=4,vs=4108,smin=0,smax=umax=4095) R10=fp0\n\
         4: (85) call bpf_probe_read_user#112\n\
         invalid access to map value, value_size=4108 off=4107 size=4095\n\
         R1 max value is outside of the allowed memory range",
    );
    assert_eq!(
        missing(&program),
        "",
        "where the number was added is not in the log"
    );
    let program = explain_lines(
        "3: R1=map_value(ks=4,vs=64) R2=scalar(smin=0,smax=umax=63) R10=fp0\n\
         3: (85) call bpf_map_lookup_elem#1 ; R0_w=map_value(ks=4,vs=64)\n\
         4: (71) r2 = *(u8 *)(r0 +0)  ; R0_w=map_value(ks=4,vs=64) \
         R2_w=scalar(smin=0,smax=umax=255)\n\
         5: (bf) r1 = r0              ; R0_w=map_value(ks=4,vs=64) R1_w=map_value(ks=4,vs=64)\n\
         6: (0f) r1 += r2             ; R1_w=map_value(ks=4,vs=64,smin=0,smax=umax=255) \
         R2_w=scalar(smin=0,smax=umax=255)\n\
         7: (85) call bpf_probe_read_user#112\n\
         invalid access to map value, value_size=64 off=255 size=16\n\
         R1 max value is outside of the allowed memory range",
    );
    assert_eq!(
        missing(&program),
        "a check that what is added to the pointer and the length of the access are at most 64 \
         together"
    );
}

#[test]
fn a_comparison_teaches_of_copies_what_is_not_printed() {
    let packet = explain_lines(
        "0: R1=pkt(r=0) R2=pkt_end() R10=fp0\n\
         0: (bf) r3 = r1               ; R1=pkt(r=0) R3_w=pkt(r=0)\n\
         1: (07) r3 += 34              ; R3_w=pkt(off=34,r=0)\n\
         2: (2d) if r3 > r2 goto pc+6  ; R2=pkt_end() R3_w=pkt(off=34,r=34)\n\
         3: (71) r1 = *(u8 *)(r1 +15)  ; R1_w=scalar(umax=255)\n\
         4: (61) r0 = *(u32 *)(r1 +0)\n\
         R1 invalid mem access 'scalar'",
    );
    assert!(
        known(&packet).contains("R1 comes from instruction 3"),
        "{}",
        known(&packet)
    );
    assert!(
        !known(&packet).contains("0 bytes are proved"),
        "{}",
        known(&packet)
    );
    let number = explain_lines(
        "0: R6=scalar(id=1) R7=scalar(id=1) R10=fp0\n\
         0: (25) if r7 > 0x8 goto pc+6  ; R7=scalar(id=1,umax=8)\n\
         1: (61) r0 = *(u32 *)(r6 +0)\n\
         R6 invalid mem access 'scalar'",
    );
    assert!(!known(&number).contains("R6 is"), "{}", known(&number));
}

#[test]
fn nothing_is_said_where_the_message_and_the_steps_differ() {
    for (state, message) in [
        ("R1=map_value(ks=4,vs=8)", "R1 invalid mem access 'scalar'"),
        (
            "R1=scalar(umax=8)",
            "R1 invalid mem access 'map_value_or_null'",
        ),
        ("R1=map_value(ks=4,vs=8)", "R1 !read_ok"),
        ("R1=scalar()", "R1 type=fp expected=map_ptr"),
        ("R1=64", "R1 invalid zero-sized read: u64=[0,63]"),
        (
            "R1=scalar(umax=8)",
            "R1 min value is negative, either use unsigned or 'var &= const'",
        ),
        (
            "R1=scalar(umax=8)",
            "R1 unbounded memory access, use 'var &= const' or 'if (var < const)'",
        ),
    ] {
        let lines = format!("4: {state} R10=fp0\n4: (85) call bpf_x#1\n{message}");
        let finding = explain_lines(&lines).finding;
        assert_eq!((finding.known.len(), finding.missing), (0, None), "{lines}");
    }
}

#[test]
fn an_instruction_that_the_verifier_went_on_from_is_not_refused() {
    let program = explain_lines(
        "5: R1=ctx() R10=fp0\n\
         5: (61) r2 = *(u32 *)(r1 +0)   ; R1=ctx() R2_w=scalar()\n\
         R1 invalid mem access 'scalar'",
    );
    assert_eq!(program.insn, None);
    let jump = explain_lines("5: R1=ctx() R10=fp0\n5: (05) goto pc+2 8: R1=ctx() R10=fp0\nhmm hm");
    assert_eq!(jump.insn, None);
}
