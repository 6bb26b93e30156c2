//! The wordings of the errors that people meet most, in the spelling of every kernel that changed
//! it, and what each must be taken for.

use alloc::borrow::ToOwned;
use alloc::format;

use crate::classes::Class;
use crate::explain::explained_program::LogVerdict;
use crate::explain::explanation::explain_log;

/// Class, and the messages, some of two lines.
const WORDINGS: &[(Class, &[&str])] = &[
    (
        Class::MapValueBounds,
        &[
            "invalid access to map value, value_size=48 off=65 size=1\nR1 max value is outside of \
             the allowed memory range",
            "invalid access to map value, value_size=48 off=65 size=1\nR1 max value is outside of \
             the array range",
            "invalid access to map value, value_size=48 off=-1 size=1\nR1 min value is outside of \
             the allowed memory range",
            "invalid access to map value, value_size=16 off=16 size=4",
        ],
    ),
    (
        Class::ScalarDeref,
        &[
            "R1 invalid mem access 'inv'",
            "R7 invalid mem access 'scalar'",
            "R1 invalid mem access 'imm'",
        ],
    ),
    (
        Class::PacketBounds,
        &[
            "invalid access to packet, off=23 size=1, R1(id=0,off=23,r=14)\nR1 offset is outside \
             of the packet",
        ],
    ),
    (
        Class::HelperArgType,
        &[
            "R2 type=inv expected=fp, pkt, pkt_meta, map_key, map_value",
            "R1 type=scalar expected=map_ptr",
            "R1 type=fp expected=ptr_, trusted_ptr_, rcu_ptr_",
            "R3 type=map_value_or_null expected=fp",
        ],
    ),
    (
        Class::UninitStack,
        &[
            "invalid indirect read from stack off -8+1 size 8",
            "invalid indirect read from stack R4 off -16+14 size 16",
            "invalid read from stack R4 off -16+14 size 16",
            "invalid read from stack R10 off=-32 size=8",
            "invalid read from stack off -8+0 size 8",
            "reading from stack R2 off -8+0 size 8, slot poisoned by dead code elimination",
        ],
    ),
    (Class::UninitReg, &["R2 !read_ok", "R0 !read_ok"]),
    (Class::NoExitLastInsn, &["last insn is not an exit or jmp"]),
    (
        Class::HelperNotAllowed,
        &[
            "unknown func bpf_get_current_comm#16",
            "program of this type cannot use helper bpf_get_current_comm#16",
            "invalid func unknown#211",
            "helper call is not allowed in probe",
        ],
    ),
    (
        Class::CtxAccess,
        &[
            "invalid bpf_context access off=152 size=8",
            "func 'f' arg3 type PTR is not a struct\ninvalid bpf_context access off=24 size=8",
            "func 'f' doesn't have 3-th argument\ninvalid bpf_context access off=16 size=8",
        ],
    ),
    (
        Class::PtrArithUnbounded,
        &[
            "math between map_value pointer and register with unbounded min value is not allowed",
            "math between pkt pointer and register with unbounded min value is not allowed",
        ],
    ),
    (
        Class::UnboundedAccess,
        &[
            "R0 unbounded memory access, make sure to bounds check any such access",
            "R0 unbounded memory access, make sure to bounds check any array access into a map",
        ],
    ),
    (
        Class::HelperSizeNegative,
        &[
            "R2 min value is negative, either use unsigned or 'var &= const'",
            "R2 min value is negative, either use unsigned index or do a if (index >=0) check.",
        ],
    ),
    (
        Class::HelperSizeUnbounded,
        &["R5 unbounded memory access, use 'var &= const' or 'if (var < const)'"],
    ),
    (
        Class::HelperSizeZero,
        &[
            "R4 invalid zero-sized read: u64=[0,31]",
            "invalid zero-sized read",
            "invalid access to map value, value_size=64 off=0 size=0\nR1 min value is outside of \
             the allowed memory range",
            "invalid stack type R3 off=-48 access_size=0",
        ],
    ),
    (
        Class::ComplexityInsns,
        &[
            "BPF program is too large. Processed 1000001 insn",
            "BPF program is too large. Processed 131073 insn",
        ],
    ),
    (
        Class::MapValueOrNull,
        &[
            "R0 invalid mem access 'map_value_or_null'",
            "R0 invalid mem access 'mem_or_null'",
            "R0 invalid mem access 'ringbuf_mem_or_null'",
            "R0 invalid mem access 'sock_or_null'",
            "R0 invalid mem access 'ptr_or_null_'",
            "R0 invalid mem access 'rcu_ptr_or_null_'",
        ],
    ),
    (
        Class::PtrArithOutOfBounds,
        &[
            "value -2147483648 makes pkt pointer be out of bounds",
            "math between pkt pointer and 4294967295 is not allowed",
            "fp pointer offset -1073741824 is not allowed",
        ],
    ),
    (
        Class::MemBounds,
        &[
            "invalid access to memory, mem_size=1 off=1 size=1\nR1 max value is outside of the \
             allowed memory range",
        ],
    ),
    (
        Class::StackLimit,
        &[
            "combined stack size of 2 calls is 544. Too large",
            "stack size of subprog 1 is 600. Too large",
        ],
    ),
    (
        Class::GlobalFuncArg,
        &[
            "R1 type=ctx expected=fp\nCaller passes invalid args into func#1",
            "R1 type=ctx expected=fp\nCaller passes invalid args into func#1 ('f')",
            "arg#0 reference type('UNKNOWN ') size cannot be determined: -22",
        ],
    ),
    (
        Class::CoreRelo,
        &[
            "invalid func unknown#195896080",
            "3: <invalid CO-RE relocation>\nfailed to resolve CO-RE relocation <byte_off> [6] \
             struct a.b (0:0 @ offset 0)",
        ],
    ),
    (
        Class::UnknownOpcode,
        &[
            "unknown opcode 00",
            "unknown opcode 8d",
            "unknown opcode a0",
        ],
    ),
    (
        Class::PtrArithProhibited,
        &[
            "R2 pointer arithmetic on pkt_end prohibited",
            "R2 pointer arithmetic on PTR_TO_PACKET_END prohibited",
            "R0 pointer arithmetic on map_value_or_null prohibited, null-check it first",
            "R2 pointer arithmetic with <<= operator prohibited",
            "R1 tried to subtract pointer from scalar",
        ],
    ),
    (
        Class::ReturnRange,
        &[
            "At program exit the register R0 has value (0x2; 0x0) should have been in (0x0; 0x1)",
            "At program exit the register R0 has unknown scalar value should have been in (0x0; \
             0x1)",
            "At program exit the register R0 has smin=2 smax=2 should have been in [0, 1]",
            "At bpf_set_retval the register R1 has smin=2 smax=2 should have been in [0, 1]",
        ],
    ),
    (
        Class::UnreleasedRef,
        &[
            "Unreleased reference id=3 alloc_insn=10",
            "Unreleased reference id=3 alloc_insn=10\nBPF_EXIT instruction in main prog would lead \
             to reference leak",
        ],
    ),
    (
        Class::StackBounds,
        &[
            "invalid write to stack R10 off=-520 size=8",
            "invalid read from stack R10 off=-520 size=8",
            "invalid indirect access to stack R2 off=-520 size=8",
            "invalid stack off=-520 size=8",
        ],
    ),
    (
        Class::Gpl,
        &[
            "cannot call GPL-restricted function from non-GPL compatible program",
            "cannot call kernel function from non-GPL compatible program",
            "Cannot access kernel 'struct sock' from non-GPL compatible program",
        ],
    ),
    (
        Class::ComplexityJumps,
        &["The sequence of 8193 jumps is too complex."],
    ),
    (
        Class::InfiniteLoop,
        &["infinite loop detected at insn 12\ncur state: R0=0 R10=fp0\nold state: R0=0 R10=fp0"],
    ),
    (Class::LoopBackEdge, &["back-edge from insn 5 to 2"]),
    (
        Class::BtfFuncInfo,
        &[
            "number of funcs in func_info doesn't match number of subprogs",
            "missing btf func_info",
        ],
    ),
    (Class::UnreachableInsn, &["unreachable insn 28"]),
    (
        Class::CtxModified,
        &[
            "dereference of modified ctx ptr R2 off=96 disallowed",
            "variable ctx access var_off=(0x0; 0x4) disallowed",
            "dereference of modified ctx ptr R1 off=48+0, ctx+const is allowed, ctx+const+const \
             is not",
        ],
    ),
    (
        Class::Misaligned,
        &[
            "misaligned stack access off (0x0; 0x0)+-8+2 size 8",
            "misaligned stack access off 0+-8+2 size 8",
            "misaligned packet access off 2+(0x0; 0x0)+14+2 size 4",
            "misaligned value access off (0x0; 0x0)+1 size 8",
        ],
    ),
    (
        Class::MapTypeMismatch,
        &["cannot pass map_type 27 into func bpf_perf_event_output#25"],
    ),
    (
        Class::StackVarOff,
        &[
            "invalid unbounded variable-offset read from stack R2",
            "invalid variable-offset read from stack R2 var_off=(0x0; 0xff) off=-16 size=1",
            "R1 variable offset stack access prohibited for !root, var_off=(0x0; 0xff)",
        ],
    ),
    (
        Class::HelperPacketArg,
        &["helper access to the packet is not allowed"],
    ),
    (
        Class::MapBtfRequired,
        &[
            "map 'Foo' has to have BTF in order to use bpf_spin_lock",
            "R1 has no valid kptr",
            "map 'x' has no valid kptr",
            "bpf_spin_lock cannot be accessed directly by load/store",
        ],
    ),
    (
        Class::MapWriteStatic,
        &["only read from bpf_array is supported"],
    ),
    (
        Class::MapReadonlyWrite,
        &[
            "write into map forbidden, value_size=8 off=0 size=8",
            "read from map forbidden, value_size=8 off=0 size=8",
        ],
    ),
    (
        Class::KfuncNotAllowed,
        &["calling kernel function bpf_x is not allowed"],
    ),
    (
        Class::KfuncMissing,
        &[
            "kernel btf_id 12 is not a function",
            "invalid kernel function call not eliminated in verifier pass",
        ],
    ),
    (
        Class::RcuOrTrusted,
        &[
            "R1 must be a rcu pointer",
            "R1 must be referenced or trusted",
            "R2 type=scalar expected=trusted_ptr_",
        ],
    ),
    (
        Class::KfuncNullArg,
        &[
            "Possibly NULL pointer passed to trusted arg0",
            "Possibly NULL pointer passed to trusted R1",
            "Possibly NULL pointer passed to helper arg2",
        ],
    ),
    (
        Class::BtfStructAccess,
        &[
            "access beyond struct sock at off 800 size 2",
            "cannot access ptr member ops with moff 0 in struct bpf_map with off 0 size 4",
            "access beyond the end of member name (mend:16) in struct task_struct with off 14 \
             size 4",
        ],
    ),
    (
        Class::LockRules,
        &[
            "bpf_spin_unlock is missing",
            "BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region",
            "function calls are not allowed while holding a lock",
            "global function calls are not allowed while holding a lock,\nuse static function \
             instead",
            "Locking two bpf_spin_locks are not allowed",
            "bpf_spin_unlock of different lock",
        ],
    ),
    (
        Class::SleepableContext,
        &[
            "helper call might sleep in a non-sleepable prog",
            "sleepable helper bpf_copy_from_user#148 in rcu_read_lock region",
            "bpf_rcu_read_unlock is missing",
            "BPF_EXIT instruction in main prog cannot be used inside bpf_rcu_read_lock-ed region",
            "kernel function f is sleepable but the program is not",
            "program must be sleepable to call sleepable kfunc f",
            "bpf_lsm_x is not sleepable",
        ],
    ),
    (
        Class::LeaksAddr,
        &[
            "R0 leaks addr as return value",
            "R2 leaks addr into map",
            "R1 leaks addr into ctx",
        ],
    ),
    (
        Class::UnprivCapability,
        &[
            "R3 pointer comparison prohibited",
            "loading/calling other bpf or kernel functions are allowed for CAP_BPF and \
             CAP_SYS_ADMIN",
            "map_ptr access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN",
        ],
    ),
    (
        Class::PtrBitwiseOp,
        &[
            "R4 bitwise operator |= on pointer prohibited",
            "R1 32-bit pointer arithmetic prohibited",
            "R1 partial copy of pointer",
            "R1 sign-extension part of pointer",
        ],
    ),
    (
        Class::RegisterSpill,
        &[
            "invalid size of register spill",
            "attempt to corrupt spilled pointer on stack",
            "invalid size of register fill",
        ],
    ),
    (
        Class::AtomicsReserved,
        &[
            "BPF_STX uses reserved fields",
            "BPF_ATOMIC stores into R1 pkt is not allowed",
            "BPF_XADD stores into R1 pkt is not allowed",
            "invalid atomic operand size",
            "BPF_ATOMIC uses invalid atomic opcode 30",
        ],
    ),
    (
        Class::JumpOutOfRange,
        &["jump out of range from insn 3 to 900"],
    ),
    (
        Class::TailCallRules,
        &[
            "tail_calls are not allowed in programs with bpf-to-bpf calls",
            "tail_calls are not allowed in non-JITed programs with bpf-to-bpf calls",
            "tail_calls are not allowed when call stack of previous frames is 288 bytes. Too large",
            "mixing of tail_calls and bpf-to-bpf calls is not supported",
            "tail_call would lead to reference leak",
        ],
    ),
    (
        Class::CallDepthRecursion,
        &[
            "the call stack of 9 frames is too deep",
            "the call stack of 9 frames is too deep !",
            "recursive call from a() to b()",
        ],
    ),
    (
        Class::Dynptr,
        &[
            "Expected an initialized dynptr as arg #1",
            "Expected an initialized dynptr as R1",
            "cannot overwrite referenced dynptr",
            "Dynptr has to be an uninitialized dynptr",
            "potential write to dynptr at off=-16 disallowed",
            "arg#0 expected pointer to stack or const struct bpf_dynptr",
            "R1 expected pointer to stack or const struct bpf_dynptr",
        ],
    ),
    (
        Class::Iterators,
        &[
            "expected an initialized iter_num as arg #1",
            "expected an initialized iter_num as R1",
            "expected uninitialized iter_num as R1",
        ],
    ),
    (
        Class::Callbacks,
        &[
            "callback function not static",
            "At callback return the register R0 has smin=5 smax=5 should have been in [0, 1]",
            "callbacks are not allowed in non-JITed programs",
        ],
    ),
    (
        Class::ResourceLimits,
        &[
            "The total number of maps per program has reached the limit of 64",
            "too many different kernel function calls",
        ],
    ),
    (
        Class::BpfTrapAndPointerMerge,
        &[
            "unexpected __bpf_trap() due to uninitialized variable?",
            "same insn cannot be used with different pointers",
        ],
    ),
    (
        Class::VerifierBug,
        &[
            "verifier bug: foo bar(1)",
            "verifier internal error: x",
            "bpf verifier is misconfigured",
        ],
    ),
    (
        Class::GlobalFuncReturn,
        &["Global function f() return value not void or scalar. Only those are supported."],
    ),
    (Class::AttachBtf, &["attach_btf_id 5 is invalid"]),
    (
        Class::StructOps,
        &["attach to invalid member x(@idx 3) of struct tcp_congestion_ops"],
    ),
];

/// Lines that look like errors and are printed for programs that load.
const DECOYS: &[&str] = &[
    "R1 type=ctx expected=fp",
    "btf_vmlinux is malformed",
    "reg type unsupported for arg#0 function f#12",
    "Unrecognized arg#0 type PTR",
    "arg#0 reference type('FWD pt_regs') size cannot be determined: -22",
    "func 'x' arg0 has btf_id 77 type STRUCT 'y'",
    "R1 is not a scalar",
    "Func#1 is safe for any args that match its prototype",
    "Validating f() func#1...",
    "libbpf: elf: skipping unrecognized data section(5) .eh_frame",
];

const END: &str = "processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0 \
                   peak_states 0 mark_read 0";

fn class(text: &str) -> Option<Class> {
    explain_log(text.as_bytes()).programs.first()?.class
}

/// Calls `check` with each wording and the class it must have.
fn each(check: impl Fn(Class, &str)) {
    for (class, messages) in WORDINGS {
        for message in *messages {
            check(*class, message);
        }
    }
}

#[test]
fn every_wording_in_a_log_of_libbpf() {
    each(|wanted, message| {
        let is_early = wanted == Class::GlobalFuncArg && message.starts_with("arg#");
        let (insns, end) = if is_early {
            ("", END.replace('9', "0"))
        } else {
            ("0: (95) exit\n", END.to_owned())
        };
        let log = format!(
            "libbpf: prog 'p': BPF program load failed: Invalid argument\n\
             libbpf: prog 'p': -- BEGIN PROG LOAD LOG --\n\
             {insns}{message}\n\
             {end}\n\
             -- END PROG LOAD LOG --\n\
             libbpf: prog 'p': failed to load: -22\n"
        );
        assert_eq!(class(&log), Some(wanted), "{message}");
    });
}

#[test]
fn every_wording_in_a_quoted_string_after_a_time_stamp() {
    each(|wanted, message| {
        if wanted == Class::GlobalFuncArg && message.starts_with("arg#") {
            return;
        }
        let log = format!("0: (95) exit\n{message}\n{END}").replace('\n', "\\n");
        let log = format!(
            "2024-03-27T06:20:40Z stderr F {{\"error\":\"load program: permission denied: {log}\"}}"
        );
        assert_eq!(class(&log), Some(wanted), "{message}");
    });
}

#[test]
fn decoys_before_the_instructions_are_none() {
    let begin = "libbpf: prog 'p': -- BEGIN PROG LOAD LOG --\n";
    for decoy in DECOYS {
        for before in ["", begin, "Verifier output: "] {
            let accepted =
                format!("{before}{decoy}\n0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n1: (95) exit\n");
            // Also where the end is missing.
            for end in [END, ""] {
                let report = explain_log(format!("{accepted}{end}").as_bytes());
                assert_eq!(report.verdict, LogVerdict::NoRejection, "{before}{decoy}");
            }
            let rejected = format!(
                "{before}{decoy}\n0: R1=ctx() R10=fp0\n0: (bf) r0 = r2\nR2 !read_ok\n{END}"
            );
            assert_eq!(class(&rejected), Some(Class::UninitReg), "{decoy}");
        }
    }
}
