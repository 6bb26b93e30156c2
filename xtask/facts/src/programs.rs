//! What the verifier accepts, and what a program is told when it runs.

use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use libbpf_sys as sys_types;
use libbpf_sys::bpf_insn;

use crate::insn::{
    DW, W, add_imm, atomic_op, call_function, call_helper, exit_insn, jump_if, jump_unless,
    load_map, load_reg, mov_imm, mov_reg, store_imm, store_reg, subtract_reg,
};
use crate::names::{RunningNames, Sort};
use crate::print::{print_fact, print_whether};
use crate::sys::{self, Map, ProgramSpec};

const KPROBE: u32 = sys_types::BPF_PROG_TYPE_KPROBE;
const TRACING: u32 = sys_types::BPF_PROG_TYPE_TRACING;
const XDP: u32 = sys_types::BPF_PROG_TYPE_XDP;

pub fn print_facts(names: &RunningNames) -> Result<()> {
    print_types();
    print_limits();
    print_instructions();
    print_stack();
    print_lookup()?;
    print_log()?;
    print_info()?;
    print_rights()?;
    print_sleepable(names);
    print_typed(names);
    print_timers(names);
    print_formats()?;
    print_frames()
}

/// By section names of libbpf, or nearly.
fn print_types() {
    for (name, kind) in [
        ("kprobe", KPROBE),
        ("tracepoint", sys_types::BPF_PROG_TYPE_TRACEPOINT),
        ("raw_tp", sys_types::BPF_PROG_TYPE_RAW_TRACEPOINT),
        ("raw_tp.w", sys_types::BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE),
        ("perf_event", sys_types::BPF_PROG_TYPE_PERF_EVENT),
        ("tracing", TRACING),
        ("lsm", sys_types::BPF_PROG_TYPE_LSM),
        ("xdp", XDP),
        ("tc", sys_types::BPF_PROG_TYPE_SCHED_CLS),
        ("socket", sys_types::BPF_PROG_TYPE_SOCKET_FILTER),
        ("flow_dissector", sys_types::BPF_PROG_TYPE_FLOW_DISSECTOR),
        ("lwt_xmit", sys_types::BPF_PROG_TYPE_LWT_XMIT),
        ("cgroup_skb", sys_types::BPF_PROG_TYPE_CGROUP_SKB),
        ("cgroup/sock", sys_types::BPF_PROG_TYPE_CGROUP_SOCK),
        ("cgroup/connect4", sys_types::BPF_PROG_TYPE_CGROUP_SOCK_ADDR),
        ("cgroup/dev", sys_types::BPF_PROG_TYPE_CGROUP_DEVICE),
        ("cgroup/sysctl", sys_types::BPF_PROG_TYPE_CGROUP_SYSCTL),
        ("cgroup/sockopt", sys_types::BPF_PROG_TYPE_CGROUP_SOCKOPT),
        ("sockops", sys_types::BPF_PROG_TYPE_SOCK_OPS),
        ("sk_skb", sys_types::BPF_PROG_TYPE_SK_SKB),
        ("sk_msg", sys_types::BPF_PROG_TYPE_SK_MSG),
        ("sk_reuseport", sys_types::BPF_PROG_TYPE_SK_REUSEPORT),
        ("sk_lookup", sys_types::BPF_PROG_TYPE_SK_LOOKUP),
        ("freplace", sys_types::BPF_PROG_TYPE_EXT),
        ("struct_ops", sys_types::BPF_PROG_TYPE_STRUCT_OPS),
        ("syscall", sys_types::BPF_PROG_TYPE_SYSCALL),
        ("lirc_mode2", sys_types::BPF_PROG_TYPE_LIRC_MODE2),
        ("netfilter", sys_types::BPF_PROG_TYPE_NETFILTER),
    ] {
        print_whether(&format!("program/{name}"), sys::has_program_type(kind));
    }
}

fn accepts(kind: u32, insns: &[bpf_insn]) -> bool {
    ProgramSpec {
        kind,
        insns,
        ..ProgramSpec::default()
    }
    .is_accepted()
}

fn print_limits() {
    let long = |count: usize| [vec![mov_imm(0, 0); count], vec![exit_insn()]].concat();
    print_whether(
        "limit/a program of 5000 instructions",
        accepts(XDP, &long(5000)),
    );
    print_whether(
        "limit/a loop",
        accepts(
            XDP,
            &[
                mov_imm(0, 10),
                add_imm(0, -1),
                jump_unless(0, 0, -2),
                exit_insn(),
            ],
        ),
    );
    let longest = (1..=64)
        .take_while(|&functions| accepts(XDP, &chain(functions)))
        .last();
    print_fact(
        "limit/functions in a chain of calls",
        longest.unwrap_or_default(),
    );
}

/// So many functions, each of which calls the next.
fn chain(functions: usize) -> Vec<bpf_insn> {
    // The next function begins after the `exit` of this one.
    let mut insns: Vec<bpf_insn> = (1..functions)
        .flat_map(|_| [call_function(1), exit_insn()])
        .collect();
    insns.extend([mov_imm(0, 0), exit_insn()]);
    insns
}

fn print_instructions() {
    const FETCH_ADD: i32 = 0x01;
    const LOAD_ACQUIRE: i32 = 0x100;
    let on_stack = |operation, register| {
        accepts(
            XDP,
            &[
                store_imm(10, -8, 0),
                mov_imm(1, 1),
                atomic_op(register, -8, 1, operation),
                mov_imm(0, 0),
                exit_insn(),
            ],
        )
    };
    print_whether("instruction/atomic addition", on_stack(0, 10));
    print_whether(
        "instruction/atomic addition with its result",
        on_stack(FETCH_ADD, 10),
    );
    let acquire = [
        store_imm(10, -8, 0),
        atomic_op(1, -8, 10, LOAD_ACQUIRE),
        mov_imm(0, 0),
        exit_insn(),
    ];
    print_whether("instruction/load-acquire", accepts(XDP, &acquire));
}

/// Reading bytes of the stack that were never written, as root.
fn print_stack() {
    let below = [load_reg(DW, 0, 10, -8), mov_imm(0, 0), exit_insn()];
    print_whether(
        "stack/root reads below the deepest write",
        accepts(XDP, &below),
    );
    let above = [
        store_imm(10, -16, 0),
        load_reg(DW, 0, 10, -8),
        mov_imm(0, 0),
        exit_insn(),
    ];
    print_whether(
        "stack/root reads above the deepest write",
        accepts(XDP, &above),
    );
}

/// Whether the value of an array may be read without a comparison with null, if the index is a
/// constant.
fn print_lookup() -> Result<()> {
    const LOOKUP: i32 = 1;
    let kind = sys_types::BPF_MAP_TYPE_ARRAY;
    let map = Map {
        kind,
        key_size: 4,
        value_size: 8,
        max_entries: 2,
        ..Map::default()
    }
    .create_map();
    let map = map.context("cannot create an array")?;
    let mut insns = vec![mov_imm(1, 1), store_reg(W, 10, -8, 1)];
    insns.extend(load_map(1, map.as_raw_fd()));
    insns.extend([
        mov_reg(2, 10),
        add_imm(2, -8),
        call_helper(LOOKUP),
        load_reg(DW, 0, 0, 0),
        mov_imm(0, 0),
        exit_insn(),
    ]);
    print_whether(
        "lookup/a constant index of an array is always found",
        accepts(XDP, &insns),
    );
    Ok(())
}

fn print_log() -> Result<()> {
    let insns = [
        load_reg(DW, 1, 1, 104),
        load_reg(DW, 0, 1, 0),
        mov_imm(0, 0),
        exit_insn(),
    ];
    let refused = ProgramSpec {
        kind: KPROBE,
        insns: &insns,
        ..ProgramSpec::default()
    }
    .load_with_log();
    let (_, log) = refused
        .err()
        .context("a number was followed as a pointer")?;
    print_whether(
        "log/a number is called scalar",
        log.contains("invalid mem access 'scalar'"),
    );
    print_whether(
        "log/a number is called inv",
        log.contains("invalid mem access 'inv'"),
    );
    print_whether(
        "log/a report follows the reason",
        log.contains("Verification failed"),
    );
    Ok(())
}

fn print_info() -> Result<()> {
    let insns = [mov_imm(0, 2), exit_insn()];
    let program = ProgramSpec {
        kind: XDP,
        insns: &insns,
        ..ProgramSpec::default()
    };
    let info = sys::program_info(
        &program
            .load_program()
            .context("cannot load the smallest program")?,
    )?;
    print_fact(
        "info/tag of the smallest program",
        info.tag.map(|byte| format!("{byte:02x}")).concat(),
    );
    print_whether(
        "info/tells how many instructions were followed",
        info.verified_insns > 0,
    );
    Ok(())
}

fn print_rights() -> Result<()> {
    const CAP_BPF: u32 = 39;
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap")
        .context("cannot read the last capability")?;
    print_whether("rights/CAP_BPF", last.trim().parse::<u32>()? >= CAP_BPF);
    Ok(())
}

/// Which types may sleep.
fn print_sleepable(names: &RunningNames) {
    let insns = [mov_imm(0, 0), exit_insn()];
    let untyped = [
        ("tracepoint", sys_types::BPF_PROG_TYPE_TRACEPOINT),
        ("raw_tp", sys_types::BPF_PROG_TYPE_RAW_TRACEPOINT),
        ("perf_event", sys_types::BPF_PROG_TYPE_PERF_EVENT),
        ("uprobe", KPROBE),
        ("xdp", XDP),
    ];
    for (name, kind) in untyped {
        let program = ProgramSpec {
            kind,
            insns: &insns,
            sleepable: true,
            ..ProgramSpec::default()
        };
        print_whether(&format!("sleepable/{name}"), program.is_accepted());
    }
    for (name, kind, attach, sort, target) in [
        (
            "tp_btf/sys_enter",
            TRACING,
            RAW_TP,
            Sort::Typedef,
            "btf_trace_sys_enter",
        ),
        (
            "tp_btf/sched_switch",
            TRACING,
            RAW_TP,
            Sort::Typedef,
            "btf_trace_sched_switch",
        ),
        (
            "fentry/security_file_open",
            TRACING,
            FENTRY,
            Sort::Function,
            "security_file_open",
        ),
        (
            "fentry/__x64_sys_connect",
            TRACING,
            FENTRY,
            Sort::Function,
            "__x64_sys_connect",
        ),
        (
            "lsm/bprm_committed_creds",
            LSM,
            LSM_MAC,
            Sort::Function,
            "bpf_lsm_bprm_committed_creds",
        ),
        (
            "lsm/file_open",
            LSM,
            LSM_MAC,
            Sort::Function,
            "bpf_lsm_file_open",
        ),
    ] {
        let Some(btf_id) = names.find_type(sort, target) else {
            print_fact(&format!("sleepable/{name}"), "not in BTF");
            continue;
        };
        let program = ProgramSpec {
            kind,
            insns: &insns,
            attach,
            btf_id,
            sleepable: true,
        };
        print_whether(&format!("sleepable/{name}"), program.is_accepted());
    }
}

const LSM: u32 = sys_types::BPF_PROG_TYPE_LSM;
const LSM_MAC: u32 = sys_types::BPF_LSM_MAC;
const RAW_TP: u32 = sys_types::BPF_TRACE_RAW_TP;
const FENTRY: u32 = sys_types::BPF_TRACE_FENTRY;
const FEXIT: u32 = sys_types::BPF_TRACE_FEXIT;
const MODIFY_RETURN: u32 = sys_types::BPF_MODIFY_RETURN;

/// Programs that are loaded for a function of the kernel.
fn print_typed(names: &RunningNames) {
    let load_typed = |kind, attach, function: &str, insns: &[bpf_insn]| {
        let Some(btf_id) = names.find_type(Sort::Function, function) else {
            return "not in BTF".to_owned();
        };
        let program = ProgramSpec {
            kind,
            insns,
            attach,
            btf_id,
            sleepable: false,
        };
        if program.is_accepted() {
            "yes".to_owned()
        } else {
            "no".to_owned()
        }
    };
    let zero = [mov_imm(0, 0), exit_insn()];
    for function in [
        "security_file_open",
        "__x64_sys_openat",
        "vfs_unlink",
        "should_failslab",
    ] {
        print_fact(
            &format!("fmod_ret/{function}"),
            load_typed(TRACING, MODIFY_RETURN, function, &zero),
        );
    }
    print_fact(
        "fexit/do_exit",
        load_typed(TRACING, FEXIT, "do_exit", &zero),
    );
    print_fact(
        "lsm/returns 1",
        load_typed(
            LSM,
            LSM_MAC,
            "bpf_lsm_file_open",
            &[mov_imm(0, 1), exit_insn()],
        ),
    );
    const OVERRIDE_RETURN: i32 = 58;
    let overriding = [
        mov_imm(2, 0),
        call_helper(OVERRIDE_RETURN),
        mov_imm(0, 0),
        exit_insn(),
    ];
    print_whether(
        "kprobe/bpf_override_return is there",
        accepts(KPROBE, &overriding),
    );
}

/// Which types may use a map with a timer in its values.
fn print_timers(names: &RunningNames) {
    let map = map_with_timer(names);
    let print = |name: &str, kind, attach, btf_id: Option<u32>| {
        let allowed = map.as_ref().zip(btf_id).is_some_and(|(map, btf_id)| {
            let insns = [
                load_map(1, map.as_raw_fd()).as_slice(),
                &[mov_imm(0, 0), exit_insn()],
            ]
            .concat();
            ProgramSpec {
                kind,
                insns: &insns,
                attach,
                btf_id,
                sleepable: false,
            }
            .is_accepted()
        });
        print_whether(&format!("timer/{name}"), allowed);
    };
    for (name, kind) in [
        ("kprobe", KPROBE),
        ("tracepoint", sys_types::BPF_PROG_TYPE_TRACEPOINT),
        ("raw_tp", sys_types::BPF_PROG_TYPE_RAW_TRACEPOINT),
        ("perf_event", sys_types::BPF_PROG_TYPE_PERF_EVENT),
        ("xdp", XDP),
    ] {
        print(name, kind, 0, Some(0));
    }
    print(
        "tp_btf",
        TRACING,
        RAW_TP,
        names.find_type(Sort::Typedef, "btf_trace_sched_switch"),
    );
    print(
        "fentry",
        TRACING,
        FENTRY,
        names.find_type(Sort::Function, "security_file_open"),
    );
    print(
        "lsm",
        LSM,
        LSM_MAC,
        names.find_type(Sort::Function, "bpf_lsm_file_open"),
    );
}

fn map_with_timer(names: &RunningNames) -> Option<OwnedFd> {
    // Older kernels take the map, and see no timer in it.
    names.enum_value("bpf_func_id", "BPF_FUNC_timer_init")?;
    let (btf, key, value) = sys::describe_timer().ok()?;
    let kind = sys_types::BPF_MAP_TYPE_ARRAY;
    let btf_of_value = Some((btf.as_raw_fd(), key, value));
    Map {
        kind,
        key_size: 4,
        value_size: 16,
        max_entries: 1,
        btf: btf_of_value,
        ..Map::default()
    }
    .create_map()
    .ok()
}

/// What `bpf_trace_printk` makes of formats: the number of characters, or an error number below 0.
fn print_formats() -> Result<()> {
    for format in ["%d", "%s %s", "%c", "%5d", "%%"] {
        let program = ProgramSpec {
            kind: XDP,
            insns: &printing(format),
            ..ProgramSpec::default()
        }
        .load_program();
        let program =
            program.with_context(|| format!("cannot load a program that prints {format}"))?;
        let result = sys::run_program(&program, &[0; 64])? as i32;
        let result = if result < 0 {
            result.to_string()
        } else {
            "prints".to_owned()
        };
        print_fact(&format!("printk/{format}"), result);
    }
    Ok(())
}

/// Puts the format on the stack, prints with it, and returns what the helper returned.
fn printing(format: &str) -> Vec<bpf_insn> {
    const TRACE_PRINTK: i32 = 6;
    let mut bytes = [0; 8];
    bytes[..format.len()].copy_from_slice(format.as_bytes());
    let half =
        |at: usize| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let store_half = |off: i16, imm: i32| [mov_imm(1, imm), store_reg(W, 10, off, 1)];
    let mut insns = vec![store_imm(10, -16, i32::from(b'A'))];
    insns.extend(store_half(-8, half(0)));
    insns.extend(store_half(-4, half(4)));
    insns.extend([
        mov_reg(1, 10),
        add_imm(1, -8),
        mov_imm(2, format.len() as i32 + 1),
    ]);
    // An address of the kernel's, for %s; any number for the others.
    insns.extend([
        mov_reg(3, 10),
        add_imm(3, -16),
        mov_reg(4, 3),
        mov_imm(5, 0),
        call_helper(TRACE_PRINTK),
        exit_insn(),
    ]);
    insns
}

/// BPF_PROG_TEST_RUN of an XDP program, by the size of its frame: how many bytes the program sees.
fn print_frames() -> Result<()> {
    const DATA: i16 = 0;
    const DATA_END: i16 = 4;
    let insns = [
        load_reg(W, 2, 1, DATA),
        load_reg(W, 0, 1, DATA_END),
        subtract_reg(0, 2),
        exit_insn(),
    ];
    let program = ProgramSpec {
        kind: XDP,
        insns: &insns,
        ..ProgramSpec::default()
    };
    let program = program
        .load_program()
        .context("cannot load a program that measures its frame")?;
    for size in [0, 13, 14, 3520, 4096] {
        let result = sys::run_program(&program, &vec![0; size]);
        let result = result.map_or_else(
            |error| sys::error_number(&error),
            |seen| format!("{seen} bytes"),
        );
        print_fact(&format!("test-run/a frame of {size} bytes"), result);
    }
    Ok(())
}

/// A program that keeps the first so many registers of its `pt_regs` in a map.
pub fn keeping_registers(map: &OwnedFd, count: usize) -> Vec<bpf_insn> {
    const LOOKUP: i32 = 1;
    let mut insns = vec![mov_reg(6, 1), store_imm(10, -8, 0)];
    insns.extend(load_map(1, map.as_raw_fd()));
    insns.extend([
        mov_reg(2, 10),
        add_imm(2, -8),
        call_helper(LOOKUP),
        jump_if(0, 0, 2 * count as i16),
    ]);
    let registers = (0..count as i16).flat_map(|index| {
        [
            load_reg(DW, 7, 6, 8 * index),
            store_reg(DW, 0, 8 * index, 7),
        ]
    });
    insns.extend(registers.chain([mov_imm(0, 0), exit_insn()]));
    insns
}

/// A program that asks for the name of the process, into a map.
pub fn keeping_comm(map: &OwnedFd) -> Vec<bpf_insn> {
    const LOOKUP: i32 = 1;
    const GET_CURRENT_COMM: i32 = 16;
    let mut insns = vec![store_imm(10, -8, 0)];
    insns.extend(load_map(1, map.as_raw_fd()));
    insns.extend([
        mov_reg(2, 10),
        add_imm(2, -8),
        call_helper(LOOKUP),
        jump_if(0, 0, 3),
    ]);
    insns.extend([
        mov_reg(1, 0),
        mov_imm(2, 16),
        call_helper(GET_CURRENT_COMM),
        mov_imm(0, 0),
        exit_insn(),
    ]);
    insns
}
