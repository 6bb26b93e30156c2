//! Which registers are still read. What no instruction reads any more keeps no two states apart.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::insn_effects::{InsnFlow, InsnRegisters, flow_of, registers_of};
use super::insn_table::InsnTable;
use crate::log::insn::find_jump_goal;

/// Rounds over all instructions; those of most programs settle after a few.
const MOST_ROUNDS: usize = 20;

/// For each instruction that was walked, the registers that are read from there on, as a mask.
pub fn live_registers(table: &InsnTable) -> BTreeMap<u32, u16> {
    let mut insns: Vec<WalkedInsn> = Vec::new();
    for (pc, record) in table.reached_records().filter(|(_, it)| it.is_walked()) {
        let flow = flow_of(record.opcode);
        insns.push(WalkedInsn {
            pc,
            flow,
            target: find_jump_goal(pc, &record.text).filter(|_| flow != InsnFlow::Call),
            registers: registers_of(pc, record.opcode, &record.text),
        });
    }
    let mut live: BTreeMap<u32, u16> = BTreeMap::new();
    for _ in 0..MOST_ROUNDS {
        let mut changed = false;
        for insn in insns.iter().rev() {
            let next = insn.live_before(&live);
            changed |= live.insert(insn.pc, next) != Some(next);
        }
        if !changed {
            return live;
        }
    }
    // It did not settle: nothing is known.
    BTreeMap::new()
}

struct WalkedInsn {
    pc: u32,
    flow: InsnFlow,
    target: Option<u32>,
    registers: InsnRegisters,
}

impl WalkedInsn {
    fn live_before(&self, live: &BTreeMap<u32, u16>) -> u16 {
        let at = |pc: u32| live.get(&pc).copied().unwrap_or(0);
        let mut after = self.target.map_or(0, at);
        if !matches!(self.flow, InsnFlow::Goto | InsnFlow::Exit) {
            // A load of 64 bits takes the place of two instructions.
            let next = [self.pc + 1, self.pc + 2].into_iter();
            after |= next
                .filter_map(|pc| live.get(&pc))
                .next()
                .copied()
                .unwrap_or(0);
        }
        (after & !self.registers.sets) | self.registers.reads
    }
}
