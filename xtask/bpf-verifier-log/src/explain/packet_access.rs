//! An access to the packet that no comparison has proved.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use crate::explain::added_number::{AddedNumbers, find_added_numbers, tell_added_numbers};
use crate::explain::scene::Scene;
use crate::explain::words::format_bytes;
use crate::grammar::words::find_number_after;
use crate::log::insn::{Insn, InsnAction, Operand, Register};
use crate::log::knowledge::reconstruct_state;
use crate::log::path::find_previous_step;
use crate::log::state::{FrameState, TrackedValue};

/// Where a pointer into the packet can be farther, comparisons prove nothing (MAX_PACKET_OFF).
const MOST: u64 = 0xffff;

/// `invalid access to packet, off=23 size=1, R1(id=0,off=23,r=14)`
struct PacketAccess {
    offset: i64,
    size: i64,
    /// Pointers with the same number have the same variable part; 0: none.
    id: Option<i64>,
    /// How many bytes are proved.
    proved: Option<i64>,
}

impl PacketAccess {
    fn read_access(scene: &Scene<'_>) -> Option<Self> {
        let is_access = |text: &&str| text.contains("access to packet");
        let mut texts = scene.reason.lines.iter().map(|line| line.text.as_str());
        let text = texts.find(is_access)?;
        let after = |name: &str| find_number_after(text, name);
        Some(Self {
            offset: after("off=")?,
            size: after("size=")?,
            id: after("id="),
            // Linux 4.x says `allowed=14`.
            proved: after("r=").or_else(|| after("allowed=")),
        })
    }

    fn describe_access(&self) -> String {
        let bytes = format_bytes(self.size);
        let base = match self.id {
            Some(0) => "the start of the packet",
            Some(_) => "where this pointer was after the last number was added",
            None => "this pointer",
        };
        let proof = match self.proved {
            None => ".".to_owned(),
            Some(0) => "; nothing was proved to be there.".to_owned(),
            Some(1) => "; only the first byte was proved to be there.".to_owned(),
            Some(more) => format!(
                "; only the first {} were proved to be there.",
                format_bytes(more)
            ),
        };
        format!(
            "The access needs {bytes} at offset {} from {base}{proof}",
            self.offset
        )
    }
}

pub fn tell_packet_access(scene: &mut Scene<'_>) {
    let Some(access) = PacketAccess::read_access(scene) else {
        return scene.tell_register();
    };
    scene.tell_known(access.describe_access());
    if let Some(register) = scene.reason.register
        && let AddedNumbers::Known(numbers) = find_added_numbers(scene, register)
        && !numbers.list.is_empty()
    {
        tell_added_numbers(scene, &numbers);
    }
    scene.finding.missing = tell_missing_proof(scene, &access);
}

/// What would have proved an access to the packet.
fn tell_missing_proof(scene: &mut Scene<'_>, access: &PacketAccess) -> Option<String> {
    if access.offset < 0 {
        return Some(
            "a pointer that does not start after the access: bytes before a checked pointer are \
             not proved"
                .to_owned(),
        );
    }
    let end = match scene.named_value() {
        Some(value) if value.kind == "pkt_meta" => "data",
        _ => "data_end",
    };
    let needed = access.offset.saturating_add(access.size);
    let comparison = Some(format!(
        "a comparison of {end} with a pointer at least {} after the same place",
        format_bytes(needed)
    ));
    let check = find_comparison(scene, access);
    match check {
        FoundCheck::None if is_too_far(scene.named_value(), needed) => Some(format!(
            "a limit for the number that is added, so that it and the {} after it are at most \
             {MOST}, and then a comparison with {end}",
            format_bytes(needed)
        )),
        FoundCheck::None => comparison,
        // What is proved says that no comparison went far enough; where nothing is, there may be
        // one that proves nothing.
        FoundCheck::Unknown => {
            comparison.filter(|_| access.id == Some(0) || access.proved > Some(0))
        }
        FoundCheck::Found { step, pointer } => {
            let farthest = farthest(&pointer);
            let name = scene.name_step(step);
            if farthest > MOST {
                scene.tell_known(format!(
                    "There is a comparison, {name}, but it proves nothing: its pointer may be \
                     {farthest} bytes into the packet, and the verifier follows pointers for at \
                     most {MOST}."
                ));
                return Some(format!(
                    "a smaller limit for the number that is added: it and the pointer's constant \
                     offset must be at most {MOST} together"
                ));
            }
            scene.tell_known(format!("There is a comparison, {name}."));
            // On which of its two branches bytes are proved, and how many, is another matter.
            comparison.filter(|_| pointer.offset < needed)
        }
    }
}

fn farthest(pointer: &TrackedValue) -> u64 {
    let offset = u64::try_from(pointer.offset).unwrap_or(0);
    pointer.bounds.umax.saturating_add(offset)
}

fn is_too_far(pointer: Option<&TrackedValue>, needed: i64) -> bool {
    let needed = u64::try_from(needed).unwrap_or(0);
    pointer.is_some_and(|pointer| {
        let is_varying = pointer.bounds.as_constant().is_none() && !pointer.is_partial;
        is_varying && pointer.bounds.umax.saturating_add(needed) > MOST
    })
}

/// A comparison of a pointer with the same variable part.
enum FoundCheck {
    None,
    /// There is one of which the log does not say what was compared.
    Unknown,
    Found {
        step: usize,
        pointer: Box<TrackedValue>,
    },
}

fn find_comparison(scene: &Scene<'_>, access: &PacketAccess) -> FoundCheck {
    /// A proof that is farther away is rare, and to look for it takes time.
    const FARTHEST: usize = 1000;
    let Some(id) = access.id.and_then(|id| u64::try_from(id).ok()) else {
        return FoundCheck::Unknown;
    };
    let mut at = scene.at;
    for _ in 0..FARTHEST {
        let Some(before) = find_previous_step(scene.steps, at) else {
            let is_start = scene.steps[at].insn.pc == 0 && scene.steps[at].came_from.is_none();
            return if is_start {
                FoundCheck::None
            } else {
                FoundCheck::Unknown
            };
        };
        let insn = &scene.steps[before].insn;
        if makes_pointer(insn, id) {
            return FoundCheck::None;
        }
        if let InsnAction::Compare {
            left,
            right: Some(Operand::Register(right)),
            ..
        } = insn.insn_action()
        {
            match compare_operands(scene, before, at, [*left, *right], id) {
                FoundCheck::None => {}
                found => return found,
            }
        }
        at = before;
    }
    FoundCheck::Unknown
}

/// Whether no comparison before this instruction can be about the pointer: it may move the packet.
fn makes_pointer(insn: &Insn, id: u64) -> bool {
    id == 0 && insn.clears_arguments()
}

fn compare_operands(
    scene: &Scene<'_>,
    step: usize,
    next: usize,
    operands: [Register; 2],
    id: u64,
) -> FoundCheck {
    let before = reconstruct_state(scene.steps, step);
    let states = [
        scene.steps[step].after.as_ref(),
        scene.steps[next].before.as_ref(),
        Some(&before),
    ];
    let value = |register| {
        let values = states.into_iter().flatten();
        values
            .filter_map(|state: &FrameState| state.register_value(register))
            .next()
    };
    let values = operands.map(value);
    for value in values.into_iter().flatten() {
        if value.is_in_packet() && value.id.unwrap_or(0) == id && !value.is_partial {
            return FoundCheck::Found {
                step,
                pointer: Box::new(value.clone()),
            };
        }
    }
    if values.contains(&None) {
        return FoundCheck::Unknown;
    }
    FoundCheck::None
}
