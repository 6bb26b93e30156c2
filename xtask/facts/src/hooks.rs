//! Where programs can be attached, and what a kprobe is told.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result};
use libbpf_sys as sys_types;
use libbpf_sys::bpf_insn;
use nix::errno::Errno;
use nix::unistd::getppid;

use crate::insn::{exit_insn, mov_imm};
use crate::names::{RunningNames, Sort};
use crate::print::{print_fact, print_whether};
use crate::programs::{keeping_comm, keeping_registers};
use crate::sys::{self, Map, ProgramSpec};

/// The loopback interface, which each network namespace has first.
const LOOPBACK: i32 = 1;

/// This process calls it, and hardly anybody else does.
const FUNCTION: &str = "__x64_sys_getppid";

pub fn print_facts(names: &RunningNames) -> Result<()> {
    print_links()?;
    print_tracing(names);
    let of_kprobe = print_kprobes(names)?;
    print_multi(names, &of_kprobe)
}

fn print_links() -> Result<()> {
    let insns = [mov_imm(0, 0), exit_insn()];
    let load = |kind, attach| {
        ProgramSpec {
            kind,
            insns: &insns,
            attach,
            ..ProgramSpec::default()
        }
        .load_program()
    };
    let xdp = load(sys_types::BPF_PROG_TYPE_XDP, 0).context("cannot load an XDP program")?;
    const GENERIC: u32 = 1 << 1;
    let link = sys::create_link(&xdp, LOOPBACK, sys_types::BPF_XDP, GENERIC);
    print_whether("link/xdp", link.is_ok());
    let tc = load(sys_types::BPF_PROG_TYPE_SCHED_CLS, 0).context("cannot load a tc program")?;
    print_whether(
        "link/tcx",
        sys::create_link(&tc, LOOPBACK, sys_types::BPF_TCX_INGRESS, 0).is_ok(),
    );
    // A kernel that has these links misses the event; another does not know the request.
    let probe =
        load(sys_types::BPF_PROG_TYPE_TRACEPOINT, 0).context("cannot load a tracepoint program")?;
    let refused = sys::create_link(&probe, -1, sys_types::BPF_PERF_EVENT, 0).err();
    let has_link = refused.and_then(|error| error.raw_os_error()) == Some(Errno::EBADF as i32);
    print_whether("link/kprobe and tracepoint", has_link);
    Ok(())
}

fn print_tracing(names: &RunningNames) {
    let insns = [mov_imm(0, 0), exit_insn()];
    for (name, kind, attach, target) in [
        (
            "fentry",
            sys_types::BPF_PROG_TYPE_TRACING,
            sys_types::BPF_TRACE_FENTRY,
            "vfs_unlink",
        ),
        (
            "fexit",
            sys_types::BPF_PROG_TYPE_TRACING,
            sys_types::BPF_TRACE_FEXIT,
            "vfs_unlink",
        ),
        (
            "fmod_ret",
            sys_types::BPF_PROG_TYPE_TRACING,
            sys_types::BPF_MODIFY_RETURN,
            "security_file_open",
        ),
        (
            "lsm",
            sys_types::BPF_PROG_TYPE_LSM,
            sys_types::BPF_LSM_MAC,
            "bpf_lsm_file_open",
        ),
    ] {
        let btf_id = names.find_type(Sort::Function, target).unwrap_or_default();
        let program = ProgramSpec {
            kind,
            insns: &insns,
            attach,
            btf_id,
            sleepable: false,
        }
        .load_program();
        let attach = || {
            program
                .as_ref()
                .is_ok_and(|program| sys::attach_tracing(program).is_ok())
        };
        print_whether(&format!("attach/{name}"), attach());
        print_whether(
            &format!("attach/{name} a second time, after it was detached"),
            attach(),
        );
    }
}

/// The members of `struct pt_regs` of x86-64, in their order, eight bytes each.
const REGISTERS: [&str; 21] = [
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
    "orig_ax", "ip", "cs", "flags", "sp", "ss",
];

/// Where the instruction pointer is among them.
const IP: usize = 16;

/// The caller's registers: they are the same at each entry of the function.
const OF_CALLER: [&str; 5] = ["r15", "r14", "r13", "r12", "bx"];

type Registers = [u64; REGISTERS.len()];

fn map_for_registers() -> io::Result<OwnedFd> {
    let value_size = 8 * REGISTERS.len() as u32;
    let kind = sys_types::BPF_MAP_TYPE_ARRAY;
    Map {
        kind,
        key_size: 4,
        value_size,
        max_entries: 1,
        ..Map::default()
    }
    .create_map()
}

/// What the program has kept, after the function ran once.
fn registers(map: &OwnedFd) -> Result<Registers> {
    getppid();
    sys::read_map(map, 0).context("cannot read the registers")
}

/// The program and the event that it runs at.
fn attach_kprobe(insns: &[bpf_insn]) -> Result<(OwnedFd, OwnedFd)> {
    let program = ProgramSpec {
        kind: sys_types::BPF_PROG_TYPE_KPROBE,
        insns,
        ..ProgramSpec::default()
    };
    let program = program
        .load_program()
        .context("cannot load a kprobe program")?;
    let event = sys::open_kprobe(FUNCTION).with_context(|| format!("cannot probe {FUNCTION}"))?;
    sys::attach_to_event(&program, &event).context("cannot attach a kprobe program")?;
    Ok((program, event))
}

/// Returns what a kprobe is told.
fn print_kprobes(names: &RunningNames) -> Result<Registers> {
    let map = map_for_registers().context("cannot create a map for registers")?;
    let insns = keeping_registers(&map, REGISTERS.len());
    let probe = attach_kprobe(&insns)?;
    let kept = registers(&map)?;
    print_fact(
        "kprobe/ip is the function's address plus",
        distance(names, &kept),
    );
    drop(probe);

    print_comm()?;
    let name = names
        .find_shared_name(&["t_start", "s_start", "t_next", "s_show"])
        .context("no name occurs twice")?;
    let result =
        sys::open_kprobe(name).map_or_else(|error| sys::error_number(&error), |_| "yes".to_owned());
    print_fact("kprobe/on a name that two functions have", result);
    Ok(kept)
}

/// The helper's buffer has 16 bytes, and the name of this process fewer.
fn print_comm() -> Result<()> {
    const FILLED: u64 = u64::MAX;
    let kind = sys_types::BPF_MAP_TYPE_ARRAY;
    let map = Map {
        kind,
        key_size: 4,
        value_size: 16,
        max_entries: 1,
        ..Map::default()
    }
    .create_map();
    let map = map.context("cannot create a map for a name")?;
    sys::update_map(&map, 0, &[FILLED; 2]).context("cannot fill a map")?;
    let insns = keeping_comm(&map);
    let _probe = attach_kprobe(&insns).context("cannot ask for a name")?;
    getppid();
    let [begin, end] = sys::read_map(&map, 0).context("cannot read a name")?;
    anyhow::ensure!(
        begin != FILLED,
        "the program that asks for a name did not run"
    );
    print_whether(
        "helper/bpf_get_current_comm writes zeros after a short name",
        end == 0,
    );
    Ok(())
}

fn distance(names: &RunningNames, registers: &Registers) -> u64 {
    registers[IP].wrapping_sub(names.find_address(FUNCTION).unwrap_or_default())
}

fn print_multi(names: &RunningNames, of_kprobe: &Registers) -> Result<()> {
    let map = map_for_registers().context("cannot create a map for registers")?;
    let insns = keeping_registers(&map, REGISTERS.len());
    let attach = |attach| {
        let kind = sys_types::BPF_PROG_TYPE_KPROBE;
        let program = ProgramSpec {
            kind,
            insns: &insns,
            attach,
            ..ProgramSpec::default()
        }
        .load_program()?;
        sys::create_multi_link(&program, attach, FUNCTION)
    };
    print_whether(
        "link/kprobe.session",
        attach(sys_types::BPF_TRACE_KPROBE_SESSION).is_ok(),
    );
    let link = attach(sys_types::BPF_TRACE_KPROBE_MULTI);
    print_whether("link/kprobe.multi", link.is_ok());
    let kept = if link.is_ok() {
        Some(registers(&map)?)
    } else {
        None
    };
    let place = kept.map_or_else(
        || "no".to_owned(),
        |kept| distance(names, &kept).to_string(),
    );
    print_fact("kprobe.multi/ip is the function's address plus", place);
    let tells = kept.is_some() && tells_caller(&map, of_kprobe)?;
    print_whether("kprobe.multi/tells the caller's bx and r12 to r15", tells);
    Ok(())
}

/// Whether a program is told the registers of its caller each time. Where a kernel does not save
/// them, the program gets what earlier calls left on the stack, which may be the same by chance.
fn tells_caller(map: &OwnedFd, of_kprobe: &Registers) -> Result<bool> {
    const TIMES: usize = 16;
    for _ in 0..TIMES {
        fs::read("/proc/self/status").context("cannot make other calls")?;
        if !of_caller(&registers(map)?).eq(of_caller(of_kprobe)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn of_caller(registers: &Registers) -> impl Iterator<Item = u64> {
    let all = REGISTERS.iter().zip(registers);
    all.filter(|(name, _)| OF_CALLER.contains(name))
        .map(|(_, value)| *value)
}
