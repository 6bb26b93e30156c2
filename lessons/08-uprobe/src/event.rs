//! What the eBPF programs tell the user-space program, and what they are told. Both compile this
//! file; the programs in C have the same event in `bpf/event.h`.

use bytemuck::{Pod, Zeroable};

/// The function was entered, and has not done anything yet.
pub const ENTER: u32 = 0;
/// The function returned: `values[0]` is its result.
pub const RETURN: u32 = 1;
/// A USDT probe point was reached.
pub const POINT: u32 = 2;

/// `TEXT_ARGUMENT`: no argument is a string.
pub const NO_TEXT: u32 = u32::MAX;

// ANCHOR: event
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct ProbeEvent {
    /// `ENTER`, `RETURN` or `POINT`
    pub kind: u32,
    pub pid: u32,
    /// The first three arguments, or the result.
    pub values: [u64; 3],
    /// 0, or why the string could not be read, as a negative number.
    pub text_error: i64,
    pub comm: [u8; 16],
    /// Ends with a zero byte; a longer string is cut.
    pub text: [u8; 64],
}
// ANCHOR_END: event

/// Events of one CPU.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct EventCounts {
    pub sent: u64,
    /// Those that did not fit into the ring buffer.
    pub lost: u64,
}

/// `PointArgument::place`: there is no such argument.
pub const NOWHERE: u32 = 0;
/// The argument is `value`.
pub const CONSTANT: u32 = 1;
/// The argument is in a register.
pub const REGISTER: u32 = 2;
/// The argument is in memory: `value` bytes from the address in a register.
pub const MEMORY: u32 = 3;

/// Where an argument of a USDT probe point is, for the program in Rust. libbpf has its own form.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Pod, Zeroable)]
pub struct PointArgument {
    pub place: u32,
    /// Where `struct pt_regs` has the register.
    pub register: u32,
    pub value: i64,
    /// 64 minus the bits that the argument has.
    pub unused_bits: u32,
    pub is_signed: u32,
}

impl PointArgument {
    pub const NONE: Self = Self {
        place: NOWHERE,
        register: 0,
        value: 0,
        unused_bits: 0,
        is_signed: 0,
    };
}
