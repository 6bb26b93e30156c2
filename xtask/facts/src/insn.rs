//! Instructions of eBPF, as in RFC 9669, to build small programs from.

use libbpf_sys::bpf_insn;

pub const DW: u8 = 0x18;
pub const W: u8 = 0;

/// `dst = imm`
pub fn mov_imm(dst: u8, imm: i32) -> bpf_insn {
    insn(0xb7, dst, 0, 0, imm)
}

/// `dst = src`
pub fn mov_reg(dst: u8, src: u8) -> bpf_insn {
    insn(0xbf, dst, src, 0, 0)
}

/// `dst += imm`
pub fn add_imm(dst: u8, imm: i32) -> bpf_insn {
    insn(0x07, dst, 0, 0, imm)
}

/// `dst -= src`
pub fn subtract_reg(dst: u8, src: u8) -> bpf_insn {
    insn(0x1f, dst, src, 0, 0)
}

/// `dst = *(size *)(src + off)`
pub fn load_reg(size: u8, dst: u8, src: u8, off: i16) -> bpf_insn {
    insn(0x61 | size, dst, src, off, 0)
}

/// `*(size *)(dst + off) = src`
pub fn store_reg(size: u8, dst: u8, off: i16, src: u8) -> bpf_insn {
    insn(0x63 | size, dst, src, off, 0)
}

/// `*(u64 *)(dst + off) = imm`
pub fn store_imm(dst: u8, off: i16, imm: i32) -> bpf_insn {
    insn(0x7a, dst, 0, off, imm)
}

/// An atomic operation on 64 bits; `imm` says which one.
pub fn atomic_op(dst: u8, off: i16, src: u8, imm: i32) -> bpf_insn {
    insn(0xdb, dst, src, off, imm)
}

/// `if dst != imm goto off`
pub fn jump_unless(dst: u8, imm: i32, off: i16) -> bpf_insn {
    insn(0x55, dst, 0, off, imm)
}

/// `if dst == imm goto off`
pub fn jump_if(dst: u8, imm: i32, off: i16) -> bpf_insn {
    insn(0x15, dst, 0, off, imm)
}

/// Calls a helper by its number.
pub fn call_helper(helper: i32) -> bpf_insn {
    insn(0x85, 0, 0, 0, helper)
}

/// Calls the function that begins `off` instructions after the next one.
pub fn call_function(off: i32) -> bpf_insn {
    insn(0x85, 0, 1, 0, off)
}

/// `dst = the map`: the two halves of one instruction.
pub fn load_map(dst: u8, map: i32) -> [bpf_insn; 2] {
    [insn(0x18, dst, 1, 0, map), insn(0, 0, 0, 0, 0)]
}

pub fn exit_insn() -> bpf_insn {
    insn(0x95, 0, 0, 0, 0)
}

fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> bpf_insn {
    let mut insn = bpf_insn {
        code,
        off,
        imm,
        ..bpf_insn::default()
    };
    insn.set_dst_reg(dst);
    insn.set_src_reg(src);
    insn
}
