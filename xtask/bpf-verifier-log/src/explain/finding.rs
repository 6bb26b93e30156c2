//! What can be said about one rejection: what the register held, where that came from, and what
//! was missing.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::decide_reason::RejectionReason;
use crate::explain::helpers::describe_helper;
use crate::explain::memory_access::MemoryAccess;
use crate::explain::words::{describe_origin, describe_step, describe_value, format_bytes};
use crate::grammar::words::find_number_after;
use crate::log::insn::{FRAME_POINTER, InsnAction, Register};
use crate::log::knowledge::reconstruct_state;
use crate::log::state::{FrameState, TrackedValue};
use crate::log::step::LogStep;
use crate::log::trail::{Hop, find_origin, find_trail};

/// Sentences about one rejection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Finding {
    /// What the verifier knew.
    pub known: Vec<String>,
    /// What it would have had to know.
    pub missing: Option<String>,
}

impl Finding {
    fn known(known: Vec<String>) -> Self {
        Self {
            known,
            missing: None,
        }
    }
}

/// `at`: index of the instruction that was refused.
pub fn derive_finding(reason: &RejectionReason, steps: &[LogStep], at: Option<usize>) -> Finding {
    let mut finding = match at {
        Some(at) if at < steps.len() => Scene::new(reason, steps, at).derive(),
        _ => Finding::default(),
    };
    finding.known.extend(derive_from_message(reason));
    finding
}

/// The place that a reason is about.
struct Scene<'a> {
    reason: &'a RejectionReason,
    steps: &'a [LogStep],
    /// Index of the instruction that was refused.
    at: usize,
    /// What the verifier knew there.
    state: FrameState,
}

impl<'a> Scene<'a> {
    fn new(reason: &'a RejectionReason, steps: &'a [LogStep], at: usize) -> Self {
        Self {
            reason,
            steps,
            at,
            state: reconstruct_state(steps, at),
        }
    }

    fn derive(&self) -> Finding {
        let Some(class) = self.reason.class else {
            return self.about_register();
        };
        match class {
            Class::MapValueBounds
            | Class::MemBounds
            | Class::UnboundedAccess
            | Class::BufferBounds => self.about_memory(),
            Class::PacketBounds => self.about_packet(),
            Class::MapValueOrNull => self.about_null(),
            Class::UninitReg => self.about_unset_register(),
            Class::HelperSizeNegative | Class::HelperSizeUnbounded | Class::HelperSizeZero => {
                self.about_length(class)
            }
            Class::PtrArithUnbounded | Class::PtrArithOutOfBounds => self.about_sum(),
            Class::UnreleasedRef => self.about_unreleased(),
            _ => self.about_register(),
        }
    }

    /// The number of the refused instruction.
    fn pc(&self) -> u32 {
        self.steps[self.at].insn.pc
    }

    /// What the register of the message holds.
    fn named_value(&self) -> Option<&TrackedValue> {
        self.state.register_value(self.reason.register?)
    }

    /// What the register of the message holds, and where it comes from.
    fn about_register(&self) -> Finding {
        let Some(register) = self.reason.register else {
            return Finding::default();
        };
        let mut known = Vec::new();
        known.extend(self.holds(register));
        known.extend(self.way(register));
        Finding::known(known)
    }

    fn holds(&self, register: Register) -> Option<String> {
        let value = self.state.register_value(register)?;
        Some(format!("R{register} is {}.", describe_value(value)))
    }

    /// The instructions that brought a register its value.
    fn way(&self, register: Register) -> Vec<String> {
        /// Of the instructions after the one that made the value.
        const MOST: usize = 3;
        let hops = find_trail(self.steps, self.at, register);
        let Some((origin, later)) = hops.split_last() else {
            return Vec::new();
        };
        let mut sentences = vec![self.comes_from(register, *origin)];
        for hop in later.iter().rev().take(MOST) {
            let step = describe_step(&self.steps[hop.step]);
            sentences.push(format!("Then {step}."));
        }
        sentences
    }

    fn comes_from(&self, register: Register, hop: Hop) -> String {
        let step = &self.steps[hop.step];
        let action = step.insn.insn_action();
        let through = match action {
            InsnAction::Load { place, .. } if place.base != FRAME_POINTER => {
                self.through(hop.step, place.base)
            }
            _ => String::new(),
        };
        let (step, origin) = (describe_step(step), describe_origin(action));
        format!("R{register} comes from {step}: {origin}{through}.")
    }

    /// The pointer that a load went through.
    fn through(&self, step: usize, base: Register) -> String {
        let before = reconstruct_state(self.steps, step);
        let mut value = before.register_value(base);
        // Newer kernels print the registers that an instruction used, and what branches taught of
        // them.
        if let Some(after) = &self.steps[step].after
            && self.steps[step].insn.insn_action().set_register() != Some(base)
        {
            value = after.register_value(base).or(value);
        }
        match value {
            Some(value) => format!(" through R{base}, which was {}", describe_value(value)),
            None => String::new(),
        }
    }

    fn about_memory(&self) -> Finding {
        let mut finding = self.about_register();
        finding.known.truncate(1);
        if let Some(access) = MemoryAccess::read_access(&self.reason.lines) {
            finding.known.push(access.describe_access());
            let most = self.named_value().map(|value| value.bounds.umax);
            finding.missing = access.describe_missing(most);
        } else if let (Some(register), Some(value)) = (self.reason.register, self.named_value()) {
            let limit = if value.bounds.may_be_negative() {
                "lower limit of 0"
            } else {
                "upper limit"
            };
            finding.missing = Some(format!(
                "a {limit} for the number that was added to R{register}"
            ));
        }
        finding.known.extend(self.about_added_number());
        finding
    }

    /// The number that was added last to the pointer of the message, and where it comes from.
    fn about_added_number(&self) -> Vec<String> {
        let Some(pointer) = self.reason.register else {
            return Vec::new();
        };
        let Some((step, by)) = self.find_addition(pointer) else {
            return Vec::new();
        };
        // Either side of `r1 += r2` can be the number.
        let state = reconstruct_state(self.steps, step);
        let Some(number) = find_number(&state, [by, pointer]) else {
            return Vec::new();
        };
        let addition = describe_step(&self.steps[step]);
        let mut known = vec![format!("The number was added by {addition}.")];
        if let Some(value) = state.register_value(number) {
            known.push(format!("There, R{number} was {}.", describe_value(value)));
        }
        if let Some(hop) = find_origin(self.steps, step, number) {
            known.push(self.comes_from(number, hop));
        }
        known
    }

    /// The last step that added a register to a pointer, and that register.
    fn find_addition(&self, pointer: Register) -> Option<(usize, Register)> {
        for hop in find_trail(self.steps, self.at, pointer) {
            if let Some(by) = self.steps[hop.step].insn.insn_action().changes_by() {
                return Some((hop.step, by));
            }
        }
        None
    }

    fn about_packet(&self) -> Finding {
        let is_access = |text: &&str| text.contains("access to packet");
        let mut texts = self.reason.lines.iter().map(|line| line.text.as_str());
        let Some(text) = texts.find(is_access) else {
            return self.about_register();
        };
        let after = |name: &str| find_number_after(text, name);
        let (Some(offset), Some(size)) = (after("off="), after("size=")) else {
            return self.about_register();
        };
        let proof = match after("r=") {
            None | Some(0) => "nothing was proved to be there".to_owned(),
            Some(proved) => {
                let proved = format_bytes(proved);
                format!("only the first {proved} were proved to be there")
            }
        };
        let (bytes, base) = (format_bytes(size), describe_packet_base(after("id=")));
        let mut known = vec![format!(
            "The access needs {bytes} at offset {offset} from {base}; {proof}."
        )];
        known.extend(self.about_added_number());
        Finding {
            known,
            missing: Some(self.missing_comparison(offset, size)),
        }
    }

    /// What would have proved an access to the packet.
    fn missing_comparison(&self, offset: i64, size: i64) -> String {
        // Where the number that was added can be more, comparisons prove nothing (MAX_PACKET_OFF).
        const MOST: u64 = 0xffff;
        let is_too_large = |value: &TrackedValue| value.bounds.umax > MOST;
        if self.named_value().is_some_and(is_too_large) {
            return format!(
                "a limit of at most {MOST} for the number that is added, before the comparison \
                 with data_end"
            );
        }
        if offset < 0 {
            return "a pointer that does not start after the access: bytes before a checked pointer \
                    are not proved"
                .to_owned();
        }
        let needed = offset.saturating_add(size);
        format!(
            "a comparison of data_end with a pointer at least {needed} bytes after the same place"
        )
    }

    fn about_null(&self) -> Finding {
        let Some(register) = self.reason.register else {
            return Finding::default();
        };
        let between = match find_origin(self.steps, self.at, register) {
            Some(hop) => format!("between instruction {} and", self.steps[hop.step].insn.pc),
            None => "before".to_owned(),
        };
        let missing = format!(
            "a comparison of R{register} with 0 (NULL) {between} instruction {}",
            self.pc()
        );
        Finding {
            missing: Some(missing),
            ..self.about_register()
        }
    }

    fn about_unset_register(&self) -> Finding {
        let Some(register) = self.reason.register else {
            return Finding::default();
        };
        let known = match (self.last_call(), register) {
            (Some(call), 0..=5) => {
                format!("R1 to R5 lost their values at {}.", describe_step(call))
            }
            (None, 0) => "Nothing has set R0, the return value, on this path.".to_owned(),
            (None, 1..=5) => {
                format!(
                    "R{register} was never set: at the start only R1, the context, has a value."
                )
            }
            _ => format!("R{register} was never set on this path."),
        };
        let missing = format!("a value in R{register} before instruction {}", self.pc());
        Finding {
            known: vec![known],
            missing: Some(missing),
        }
    }

    fn last_call(&self) -> Option<&LogStep> {
        let is_call = |step: &&LogStep| {
            matches!(
                step.insn.insn_action(),
                InsnAction::Helper { .. } | InsnAction::Function
            )
        };
        self.steps[..self.at].iter().rfind(is_call)
    }

    fn about_length(&self, class: Class) -> Finding {
        let Some(register) = self.reason.register else {
            return Finding::default();
        };
        let missing = match class {
            Class::HelperSizeNegative => format!("a check that R{register} is not negative"),
            Class::HelperSizeUnbounded => format!("an upper limit for R{register}"),
            _ => "a check that the length is not 0".to_owned(),
        };
        Finding {
            missing: Some(missing),
            ..self.about_register()
        }
    }

    /// `r1 += r2`: the message names the kind of pointer, and the state tells which side is the
    /// number.
    fn about_sum(&self) -> Finding {
        let action = self.steps[self.at].insn.insn_action();
        let (Some(by), Some(to)) = (action.changes_by(), action.set_register()) else {
            return self.about_register();
        };
        let Some(number) = find_number(&self.state, [by, to]) else {
            return self.about_register();
        };
        let mut known = Vec::new();
        known.extend(self.holds(number));
        known.extend(self.way(number));
        let limit = match self.state.register_value(number) {
            Some(value) if !value.bounds.may_be_negative() => "an upper limit",
            _ => "a lower limit",
        };
        Finding {
            known,
            missing: Some(format!(
                "{limit} for R{number} before instruction {}",
                self.pc()
            )),
        }
    }

    fn about_unreleased(&self) -> Finding {
        let missing = format!(
            "a release on the path that ends at instruction {}",
            self.pc()
        );
        let mut known = Vec::new();
        if let Some(step) = self.find_acquisition() {
            known.push(format!("It was acquired by {}.", describe_step(step)));
        }
        Finding {
            known,
            missing: Some(missing),
        }
    }

    fn find_acquisition(&self) -> Option<&LogStep> {
        let acquired_at = |text: &str| find_number_after(text, "alloc_insn=");
        let mut lines = self.reason.lines.iter();
        let pc = lines.find_map(|line| acquired_at(&line.text))?;
        self.steps.iter().find(|step| i64::from(step.insn.pc) == pc)
    }
}

/// The first of these registers that holds a number, or of which nothing is known.
fn find_number(state: &FrameState, registers: [Register; 2]) -> Option<Register> {
    registers.into_iter().find(|register| {
        state
            .register_value(*register)
            .is_none_or(TrackedValue::is_number)
    })
}

/// What the offsets in a packet are counted from: pointers with the same `id` have the same number
/// added.
fn describe_packet_base(id: Option<i64>) -> &'static str {
    match id {
        Some(0) => "the start of the packet",
        Some(_) => "where this pointer was after the last number was added",
        None => "this pointer",
    }
}

/// What a message tells by itself.
fn derive_from_message(reason: &RejectionReason) -> Option<String> {
    let text = reason.lines.first()?.text.as_str();
    let after = |name: &str| find_number_after(text, name);
    match reason.class? {
        Class::StackBounds => Some(describe_stack_access(after("off=")?, after("size="))),
        Class::StackLimit => {
            let bytes = after("calls is ").or(after("is "))?;
            Some(format!(
                "This call chain needs {bytes} bytes of stack; there are 512."
            ))
        }
        Class::ComplexityInsns => {
            let count = after("Processed ")?;
            Some(format!("The verifier went through {count} instructions."))
        }
        // `invalid func unknown#182`
        Class::HelperNotAllowed => describe_helper(usize::try_from(after("unknown#")?).ok()?),
        _ => None,
    }
}

/// Where an access is that is not within the 512 bytes of the stack.
fn describe_stack_access(offset: i64, size: Option<i64>) -> String {
    let below = format_bytes(offset.saturating_neg());
    let beyond = offset.saturating_add(size.unwrap_or(0));
    match (offset, size) {
        (..-512, _) => format!(
            "The access begins {below} below the top of the stack, which is only 512 bytes deep."
        ),
        (..0, Some(size)) if beyond > 0 => format!(
            "The access begins {below} below the top of the stack and is {} long: {} of it would \
             be above the stack.",
            format_bytes(size),
            format_bytes(beyond)
        ),
        (0.., _) => format!(
            "The access begins {} above the top of the stack.",
            format_bytes(offset)
        ),
        _ => format!("The access begins {below} below the top of the stack."),
    }
}
