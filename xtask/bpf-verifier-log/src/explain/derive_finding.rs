//! Says of one rejection what the log shows: nothing that it does not show.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use crate::classes::Class;
use crate::explain::added_number::{
    AddedNumbers, find_added_numbers, find_number, tell_added_numbers,
};
use crate::explain::agreement::contradicts_message;
use crate::explain::decide_reason::RejectionReason;
use crate::explain::finding::Finding;
use crate::explain::memory_access::MemoryAccess;
use crate::explain::message_fact::derive_from_message;
use crate::explain::packet_access::tell_packet_access;
use crate::explain::scene::Scene;
use crate::grammar::words::find_number_after;
use crate::log::insn::{InsnAction, Operand, Register};
use crate::log::path::{StepKind, find_previous_step, find_step_kind};
use crate::log::state::TrackedValue;
use crate::log::step::LogStep;
use crate::log::trail::find_origin;

/// `at`: index of the instruction that was refused.
pub fn derive_finding(reason: &RejectionReason, steps: &[LogStep], at: Option<usize>) -> Finding {
    let mut finding = match at {
        Some(at) if at < steps.len() => {
            let mut scene = Scene::new(reason, steps, at);
            tell_scene(&mut scene);
            scene.finding
        }
        _ => Finding::default(),
    };
    finding.known.extend(derive_from_message(reason));
    finding
}

fn tell_scene(scene: &mut Scene<'_>) {
    if contradicts_message(scene) {
        return;
    }
    let Some(class) = scene.reason.class else {
        return scene.tell_register();
    };
    match class {
        Class::MapValueBounds | Class::MemBounds | Class::UnboundedAccess | Class::BufferBounds => {
            tell_memory_access(scene)
        }
        Class::PacketBounds => tell_packet_access(scene),
        Class::MapValueOrNull => tell_null(scene),
        Class::ScalarDeref => tell_scalar(scene),
        Class::UninitReg => tell_unset_register(scene),
        Class::HelperSizeNegative | Class::HelperSizeUnbounded | Class::HelperSizeZero => {
            tell_length(scene, class);
        }
        Class::PtrArithUnbounded | Class::PtrArithOutOfBounds => tell_sum(scene),
        Class::PtrArithProhibited if is_number_minus_pointer(scene) => tell_difference(scene),
        Class::UnreleasedRef => tell_unreleased(scene),
        _ => scene.tell_register(),
    }
}

fn tell_memory_access(scene: &mut Scene<'_>) {
    let Some(register) = scene.reason.register else {
        return;
    };
    scene.tell_value(register);
    let access = MemoryAccess::read_access(&scene.reason.lines);
    if let Some(access) = &access {
        scene.tell_known(access.describe_access());
    }
    scene.finding.missing = find_missing_limit(scene, register);
    let AddedNumbers::Known(numbers) = find_added_numbers(scene, register) else {
        return;
    };
    if let Some(access) = &access
        && !numbers.list.is_empty()
    {
        let most = numbers.greatest_sum(scene.named_value());
        let has_length = scene.refused_step().insn.clears_arguments();
        scene.finding.missing = access.describe_missing(most, numbers.are_several(), has_length);
    }
    tell_added_numbers(scene, &numbers);
}

/// What a message says that the number needs which was added to a pointer.
fn find_missing_limit(scene: &Scene<'_>, pointer: Register) -> Option<String> {
    let limit = if scene.message_says("min value is negative") {
        "a lower limit of 0"
    } else if scene.message_says("unbounded memory access") {
        "an upper limit"
    } else {
        return None;
    };
    Some(format!(
        "{limit} for the number that was added to R{pointer}"
    ))
}

fn tell_null(scene: &mut Scene<'_>) {
    let Some(register) = scene.reason.register else {
        return;
    };
    scene.tell_register();
    let pc = scene.refused_pc();
    let Some(origin) = find_origin(scene.steps, scene.at, register) else {
        return scene.tell_missing(format!(
            "a comparison with 0 (NULL), before instruction {pc}, of R{register} or of a copy that \
             the verifier connects with it"
        ));
    };
    let made_by = scene.steps[origin.step].insn.pc;
    if let Some(check) = find_null_check(scene, origin.step) {
        let step = scene.name_step(check);
        scene.tell_known(format!("There is a comparison with 0, {step}."));
        return scene.tell_missing(format!(
            "a comparison with 0 (NULL) that the verifier connects with R{register}: it must be \
             of R{register} itself, or of a copy that was made before and not changed since"
        ));
    }
    scene.tell_missing(format!(
        "a comparison of R{register} with 0 (NULL) after instruction {made_by} and before \
         instruction {pc}"
    ));
}

/// A comparison with 0 of another copy of the value that the step at `origin` made.
fn find_null_check(scene: &Scene<'_>, origin: usize) -> Option<usize> {
    /// A function that is longer would take too much time.
    const FARTHEST: usize = 500;
    let mut at = scene.at;
    for _ in 0..FARTHEST {
        at = find_previous_step(scene.steps, at).filter(|&at| at > origin)?;
        if let InsnAction::Compare {
            left,
            right: Some(Operand::Number(0)),
            ..
        } = scene.steps[at].insn.insn_action()
        {
            let compared = find_origin(scene.steps, at, *left);
            if compared.is_some_and(|hop| hop.step == origin) {
                return Some(at);
            }
        }
    }
    None
}

/// A number cannot be read through, but helpers can read there; there is no helper that writes
/// there for a store.
fn tell_scalar(scene: &mut Scene<'_>) {
    scene.tell_register();
    let action = scene.refused_step().insn.insn_action();
    if !matches!(action, InsnAction::Store { .. } | InsnAction::Atomic { .. }) {
        return;
    }
    let Some(register) = scene.reason.register else {
        return;
    };
    scene.tell_missing(format!(
        "a pointer in R{register} to memory that the program may write"
    ));
    scene.finding.fix = Some(STORE_FIX.to_owned());
}

const STORE_FIX: &str = "The instruction writes to memory, and a program cannot write to an \
                         address that is only a number, with no helper either. Keep what is to be \
                         written on the stack or in a value of a map, and use the pointer to it as \
                         it is: not cut to 32 bits, not computed with otherwise than by additions.";

fn tell_unset_register(scene: &mut Scene<'_>) {
    let Some(register) = scene.reason.register else {
        return;
    };
    let pc = scene.refused_pc();
    scene.tell_missing(format!("a value in R{register} before instruction {pc}"));
    match find_loss(scene, register) {
        PathStart::Call(call) => {
            let step = scene.name_step(call);
            scene.tell_known(format!("R1 to R5 have no value after {step}."));
        }
        PathStart::Program if register == 0 => {
            scene.tell_known("Nothing has set R0, the return value, on this path.".to_owned())
        }
        PathStart::Program if register <= 5 => scene.tell_known(format!(
            "R{register} was never set: at the start only R1, the context, has a value."
        )),
        PathStart::Program | PathStart::Function => {
            scene.tell_known(format!("R{register} was never set on this path."));
        }
        PathStart::Unknown => {}
    }
}

/// Since when a register has no value.
enum PathStart {
    Call(usize),
    Function,
    Program,
    /// The log does not show it.
    Unknown,
}

fn find_loss(scene: &Scene<'_>, register: Register) -> PathStart {
    /// Longer ways are rare.
    const FARTHEST: usize = 20_000;
    let mut at = scene.at;
    for _ in 0..FARTHEST {
        let Some(before) = find_previous_step(scene.steps, at) else {
            break;
        };
        let step = &scene.steps[before];
        match find_step_kind(step, &scene.steps[at]) {
            StepKind::Stays => {}
            StepKind::Enters | StepKind::CallsBack if register == 0 || register > 5 => {
                return PathStart::Function;
            }
            StepKind::Enters | StepKind::CallsBack | StepKind::Returns => {
                return PathStart::Unknown;
            }
        }
        if step.insn.clears_arguments() && matches!(register, 1..=5) {
            return PathStart::Call(before);
        }
        let sets_other = matches!(step.insn.insn_action(), InsnAction::Other);
        if sets_other || step.insn.insn_action().set_register() == Some(register) {
            return PathStart::Unknown;
        }
        at = before;
    }
    let first = &scene.steps[at];
    let shows_frame = first.before.as_ref().is_some_and(|state| state.frame > 0);
    if first.insn.pc != 0 || shows_frame || first.came_from.is_some() {
        return PathStart::Unknown;
    }
    // A function that is checked on its own begins with its arguments.
    let has_arguments = first
        .before
        .as_ref()
        .is_some_and(|state| (2..=5).any(|register| state.register_value(register).is_some()));
    if has_arguments {
        PathStart::Unknown
    } else {
        PathStart::Program
    }
}

fn tell_length(scene: &mut Scene<'_>, class: Class) {
    let Some(register) = scene.reason.register else {
        return;
    };
    if class == Class::HelperSizeZero {
        scene.tell_register();
        return scene.tell_missing("a check that the length is not 0".to_owned());
    }
    // `R0 min value is negative, either use unsigned index`: R0 is the pointer.
    let is_pointer = scene.named_value().is_some_and(|value| !value.is_number());
    if is_pointer || scene.message_says("unsigned index") {
        return tell_memory_access(scene);
    }
    scene.tell_register();
    scene.tell_missing(match class {
        Class::HelperSizeNegative => format!("a check that R{register} is not negative"),
        _ => format!("an upper limit for R{register}"),
    });
}

/// `r1 += r2`: the message names the kind of pointer, and the state tells which side is the
/// number.
fn tell_sum(scene: &mut Scene<'_>) {
    let action = scene.refused_step().insn.insn_action();
    let (Some(by), Some(to)) = (action.changes_by(), action.set_register()) else {
        return scene.tell_register();
    };
    let Some(number) = find_number(&scene.state, [by, to]) else {
        return;
    };
    let value = scene.state.register_value(number).cloned();
    let is_constant =
        |value: &TrackedValue| !value.is_partial && value.bounds.as_constant().is_some();
    let has_limits = value.as_ref().is_some_and(is_constant);
    if has_limits && scene.message_says("unbounded min value") {
        // Not both can be true: a part of the log is missing.
        return;
    }
    // Without values, either of `r4 -= r8` may be the pointer.
    if value.is_none() && scene.refused_step().insn.text.contains("-=") {
        return;
    }
    scene.tell_register_of(number);
    if has_limits {
        return;
    }
    // Where the sum is what is out of bounds, the number alone may be well.
    let is_low = scene.message_says("unbounded min value")
        && value
            .as_ref()
            .is_none_or(|value| value.bounds.smin == i64::MIN);
    let pc = scene.refused_pc();
    match find_outlier(scene) {
        _ if is_low => scene.tell_missing(format!(
            "a lower limit for R{number} before instruction {pc}"
        )),
        Some(..0) => scene.tell_missing(format!(
            "a check that R{number} is not negative before instruction {pc}"
        )),
        Some(_) => scene.tell_missing(format!(
            "a smaller upper limit for R{number} before instruction {pc}"
        )),
        None => {}
    }
}

/// The number that is too much for a pointer, as the message says.
fn find_outlier(scene: &Scene<'_>) -> Option<i64> {
    const BEFORE: [&str; 3] = ["value ", "pointer and ", "pointer offset "];
    let mut texts = scene.reason.lines.iter().map(|line| line.text.as_str());
    texts.find_map(|text| {
        let numbers = BEFORE.iter().map(|before| find_number_after(text, before));
        numbers.flatten().next()
    })
}

/// Whether the refused instruction subtracts a pointer from a number.
fn is_number_minus_pointer(scene: &Scene<'_>) -> bool {
    find_difference(scene).is_some()
}

/// The number and the pointer of `r2 -= r3`.
fn find_difference(scene: &Scene<'_>) -> Option<(Register, Register)> {
    let InsnAction::Change {
        to,
        operator,
        by: Some(Operand::Register(by)),
    } = scene.refused_step().insn.insn_action()
    else {
        return None;
    };
    let is_number = |register| {
        scene
            .state
            .register_value(register)
            .map(TrackedValue::is_number)
    };
    let is_difference =
        operator == "-=" && is_number(*to) == Some(true) && is_number(*by) == Some(false);
    is_difference.then_some((*to, *by))
}

fn tell_difference(scene: &mut Scene<'_>) {
    let Some((number, pointer)) = find_difference(scene) else {
        return;
    };
    scene.tell_register_of(number);
    scene.tell_value(pointer);
    let pc = scene.refused_pc();
    scene.tell_missing(format!(
        "a pointer in R{number}: instruction {pc} subtracts a pointer, R{pointer}, from it, and \
         from a number no pointer can be subtracted, whatever its limits are"
    ));
}

/// The class of a rejection, where the refused instruction tells more than the message.
pub fn refine_class(reason: &RejectionReason, steps: &[LogStep], at: usize) -> Option<Class> {
    let class = reason.class?;
    let is_sum = matches!(class, Class::PtrArithUnbounded | Class::PtrArithOutOfBounds);
    if is_sum && is_number_minus_pointer(&Scene::new(reason, steps, at)) {
        return Some(Class::PtrArithProhibited);
    }
    Some(class)
}

fn tell_unreleased(scene: &mut Scene<'_>) {
    let pc = scene.refused_pc();
    scene.tell_missing(format!(
        "a release on the path that ends at instruction {pc}"
    ));
    if let Some(step) = find_acquisition(scene) {
        let step = scene.name_step(step);
        scene.tell_known(format!("It was acquired by {step}."));
    }
}

fn find_acquisition(scene: &Scene<'_>) -> Option<usize> {
    let acquired_at = |text: &str| find_number_after(text, "alloc_insn=");
    let mut lines = scene.reason.lines.iter();
    let pc = lines.find_map(|line| acquired_at(&line.text))?;
    let steps = &scene.steps[..scene.at];
    steps.iter().rposition(|step| i64::from(step.insn.pc) == pc)
}
