//! The parts of an instruction's code, as `linux/bpf.h` and `linux/bpf_common.h` have them.

/// The part that says what an instruction works on.
pub const CLASS: u8 = 0x07;
pub const LOAD_CONSTANT: u8 = 0x00;
pub const LOAD: u8 = 0x01;
pub const STORE_CONSTANT: u8 = 0x02;
pub const STORE_REGISTER: u8 = 0x03;
pub const ALU_32: u8 = 0x04;
pub const JUMP: u8 = 0x05;
pub const JUMP_32: u8 = 0x06;
pub const ALU_64: u8 = 0x07;

/// The part of a load or a store that says how.
pub const MODE: u8 = 0xe0;
pub const MEMORY: u8 = 0x60;

/// The part of a calculation that says which one.
pub const OPERATION: u8 = 0xf0;
pub const ADD: u8 = 0x00;
pub const MOVE: u8 = 0xb0;

/// The part of a jump that says which one, as far as it matters here.
pub const ALWAYS: u8 = 0x00;
pub const CALL_OPERATION: u8 = 0x80;
pub const EXIT_OPERATION: u8 = 0x90;

pub const FROM_REGISTER: u8 = 0x08;
pub const CALL: u8 = 0x85;
pub const STACK: u8 = 10;
