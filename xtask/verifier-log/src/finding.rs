//! What can be said of this very rejection: what the register held, where it got it, and what was
//! missing.

use crate::decide::Reason;
use crate::helpers;
use crate::insn::{Action, Operand, Register};
use crate::state::{State, Value};
use crate::steps::{Step, knowledge};
use crate::trail::{Hop, origin, trail};
use crate::words;

/// Sentences about one rejection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Finding {
    /// What the verifier knew.
    pub known: Vec<String>,
    /// What it would have had to know.
    pub missing: Option<String>,
}

/// The place that a reason is about.
struct Scene<'a> {
    reason: &'a Reason,
    steps: &'a [Step],
    /// Index of the instruction that was refused.
    at: usize,
    state: State,
}

/// `at`: index of the instruction that was refused.
pub fn finding(reason: &Reason, steps: &[Step], at: Option<usize>) -> Finding {
    let Some(at) = at.filter(|&at| at < steps.len()) else {
        return from_message(reason);
    };
    let scene = Scene {
        reason,
        steps,
        at,
        state: knowledge(steps, at),
    };
    match reason.class.unwrap_or_default() {
        "map-value-bounds" | "mem-bounds" | "unbounded-access" | "buffer-bounds" => scene.memory(),
        "packet-bounds" => scene.packet(),
        "map-value-or-null" => scene.null(),
        "uninit-reg" => scene.uninitialised(),
        "helper-size-negative" | "helper-size-unbounded" | "helper-size-zero" => scene.length(),
        "ptr-arith-unbounded" | "ptr-arith-out-of-bounds" => scene.arithmetic(),
        "unreleased-ref" => scene.unreleased(),
        _ => scene.register(),
    }
    .or(from_message(reason))
}

impl Finding {
    fn new(known: Vec<String>, missing: Option<String>) -> Self {
        Self { known, missing }
    }

    fn or(self, other: Self) -> Self {
        Self {
            known: [self.known, other.known].concat(),
            missing: self.missing.or(other.missing),
        }
    }
}

impl Scene<'_> {
    fn named(&self) -> Option<(Register, &Value)> {
        let register = self.reason.register?;
        Some((register, self.state.register(register)?))
    }

    /// What the register of the message holds, and where it comes from.
    fn register(&self) -> Finding {
        let Some(register) = self.reason.register else {
            return Finding::default();
        };
        let held = self.state.register(register);
        let mut known: Vec<_> = held
            .map(|value| format!("R{register} is {}.", words::value(value)))
            .into_iter()
            .collect();
        known.extend(self.way(register));
        Finding::new(known, None)
    }

    /// The instructions that brought a register its value.
    fn way(&self, register: Register) -> Vec<String> {
        let hops = trail(self.steps, self.at, register);
        let Some(last) = hops.last() else {
            return Vec::new();
        };
        let mut sentences = vec![self.comes_from(register, *last)];
        let between = hops[..hops.len() - 1].iter().rev().take(3);
        sentences
            .extend(between.map(|hop| format!("Then {}.", words::step(&self.steps[hop.step]))));
        sentences
    }

    fn comes_from(&self, register: Register, hop: Hop) -> String {
        let step = &self.steps[hop.step];
        let action = step.insn.action();
        let through = match &action {
            Action::Load { place, .. } if place.base != 10 => self.through(hop.step, place.base),
            _ => String::new(),
        };
        format!(
            "R{register} comes from {}: {}{through}.",
            words::step(step),
            words::making(&action)
        )
    }

    /// The pointer that a load went through.
    fn through(&self, step: usize, base: Register) -> String {
        let state = knowledge(self.steps, step);
        // Newer kernels print the registers that an instruction used, and what branches taught of
        // them.
        let used = self.steps[step]
            .after
            .as_ref()
            .filter(|_| self.steps[step].insn.action().sets() != Some(base));
        let value = used
            .and_then(|used| used.register(base))
            .or(state.register(base));
        value.map_or(String::new(), |value| {
            format!(" through R{base}, which was {}", words::value(value))
        })
    }

    fn memory(&self) -> Finding {
        let mut finding = self.register();
        finding.known.truncate(1);
        if let Some(access) = Access::read(&self.reason.lines) {
            finding.known.push(access.words());
            let most = self.named().map(|(_, value)| value.bounds.umax);
            finding.missing = access.missing(most);
        } else if let Some((register, value)) = self.named() {
            let limit = if value.bounds.smin < 0 {
                "lower limit of 0"
            } else {
                "upper limit"
            };
            finding.missing = Some(format!(
                "a {limit} for the number that was added to R{register}"
            ));
        }
        finding.known.extend(
            self.reason
                .register
                .and_then(|register| self.added(register))
                .unwrap_or_default(),
        );
        finding
    }

    /// The number that was added to a pointer last, and where it comes from.
    fn added(&self, pointer: Register) -> Option<Vec<String>> {
        let hops = trail(self.steps, self.at, pointer);
        let sum = hops
            .iter()
            .find_map(|hop| match self.steps[hop.step].insn.action() {
                Action::Change {
                    by: Some(Operand::Register(by)),
                    ..
                } => Some((hop.step, by)),
                _ => None,
            });
        let (step, by) = sum?;
        // Either side of `r1 += r2` can be the number.
        let state = knowledge(self.steps, step);
        let number = [by, pointer]
            .into_iter()
            .find(|name| state.register(*name).is_none_or(Value::is_number))?;
        let mut known = vec![format!(
            "The number was added by {}.",
            words::step(&self.steps[step])
        )];
        known.extend(
            state
                .register(number)
                .map(|value| format!("There, R{number} was {}.", words::value(value))),
        );
        known.extend(self.made(step, number));
        Some(known)
    }

    fn made(&self, step: usize, register: Register) -> Option<String> {
        origin(self.steps, step, register).map(|hop| self.comes_from(register, hop))
    }

    fn packet(&self) -> Finding {
        let message = self
            .reason
            .lines
            .iter()
            .find(|line| line.text.contains("access to packet"));
        let Some(text) = message.map(|line| line.text.as_str()) else {
            return self.register();
        };
        let after = |name: &str| number_after(text, name);
        let (Some(offset), Some(size)) = (after("off="), after("size=")) else {
            return self.register();
        };
        let proved = after("r=").unwrap_or(0);
        let base = base(after("id="));
        let proof = match proved {
            0 => "nothing was proved to be there".to_owned(),
            _ => format!(
                "only the first {} were proved to be there",
                words::bytes(proved)
            ),
        };
        let size_in_words = words::bytes(size);
        let mut known = vec![format!(
            "The access needs {size_in_words} at offset {offset} behind {base}; {proof}."
        )];
        known.extend(
            self.reason
                .register
                .and_then(|register| self.added(register))
                .unwrap_or_default(),
        );
        let missing = self.comparison(offset, size);
        Finding::new(known, Some(missing))
    }

    /// What would have proved an access to the packet.
    fn comparison(&self, offset: i64, size: i64) -> String {
        // Where the number that was added can be more, comparisons prove nothing (MAX_PACKET_OFF).
        const MOST: u64 = 0xffff;
        if self
            .named()
            .is_some_and(|(_, value)| value.bounds.umax > MOST)
        {
            return format!(
                "a limit of at most {MOST} for the number that is added, before the comparison with data_end"
            );
        }
        if offset < 0 {
            return "a pointer that is not behind the access: what lies in front of a checked pointer is not proved"
                .to_owned();
        }
        let needed = offset.saturating_add(size);
        format!(
            "a comparison of data_end with a pointer that leads at least {needed} bytes behind the same place"
        )
    }

    fn null(&self) -> Finding {
        let Some(register) = self.reason.register else {
            return Finding::default();
        };
        let finding = self.register();
        let from = origin(self.steps, self.at, register).map(|hop| self.steps[hop.step].insn.pc);
        let from = from.map_or("before".to_owned(), |pc| {
            format!("between instruction {pc} and")
        });
        let missing = format!(
            "a comparison of R{register} with 0 (NULL) {from} instruction {}",
            self.pc()
        );
        Finding::new(finding.known, Some(missing))
    }

    fn pc(&self) -> u32 {
        self.steps[self.at].insn.pc
    }

    fn uninitialised(&self) -> Finding {
        let Some(register) = self.reason.register else {
            return Finding::default();
        };
        let known = match self.last_call() {
            Some(step) if register <= 5 => {
                format!(
                    "R1 to R5 lost their values at {}.",
                    words::step(&self.steps[step])
                )
            }
            _ if register == 0 => "Nothing has set R0, the return value, on this path.".to_owned(),
            _ if register <= 5 => {
                format!(
                    "R{register} was never set: at the start only R1, the context, has a value."
                )
            }
            _ => format!("R{register} was never set on this path."),
        };
        Finding::new(
            vec![known],
            Some(format!(
                "a value in R{register} before instruction {}",
                self.pc()
            )),
        )
    }

    fn last_call(&self) -> Option<usize> {
        let is_call =
            |step: &Step| matches!(step.insn.action(), Action::Helper { .. } | Action::Function);
        self.steps[..self.at].iter().rposition(is_call)
    }

    fn length(&self) -> Finding {
        let mut finding = self.register();
        let Some(register) = self.reason.register else {
            return finding;
        };
        finding.missing = match self.reason.class.unwrap_or_default() {
            "helper-size-negative" => Some(format!("a check that R{register} is not negative")),
            "helper-size-unbounded" => Some(format!("an upper limit for R{register}")),
            _ => Some("a check that the length is not 0".to_owned()),
        };
        finding
    }

    /// `r1 += r2`: the message names the kind of pointer, and which side is the number the state
    /// tells.
    fn arithmetic(&self) -> Finding {
        let Action::Change {
            to,
            by: Some(Operand::Register(by)),
            ..
        } = self.steps[self.at].insn.action()
        else {
            return self.register();
        };
        let number = [by, to]
            .into_iter()
            .find(|name| self.state.register(*name).is_none_or(Value::is_number));
        let Some(number) = number else {
            return self.register();
        };
        let held = self
            .state
            .register(number)
            .map(|value| format!("R{number} is {}.", words::value(value)));
        let mut known: Vec<_> = held.into_iter().collect();
        known.extend(self.way(number));
        let negative = self
            .state
            .register(number)
            .is_none_or(|value| value.bounds.may_be_negative());
        let limit = if negative {
            "a lower limit"
        } else {
            "an upper limit"
        };
        Finding::new(
            known,
            Some(format!(
                "{limit} for R{number} before instruction {}",
                self.pc()
            )),
        )
    }

    fn unreleased(&self) -> Finding {
        let text = self
            .reason
            .lines
            .iter()
            .find_map(|line| number_after(&line.text, "alloc_insn="));
        let step = text.and_then(|pc| self.steps.iter().find(|step| i64::from(step.insn.pc) == pc));
        let known = step.map(|step| format!("It was acquired by {}.", words::step(step)));
        let missing = format!(
            "a release on the path that ends at instruction {}",
            self.pc()
        );
        Finding::new(known.into_iter().collect(), Some(missing))
    }
}

/// `invalid access to map value, value_size=48 off=65 size=1`
struct Access {
    area: i64,
    offset: i64,
    size: i64,
}

impl Access {
    fn read(lines: &[crate::decide::Message]) -> Option<Self> {
        let text = lines
            .iter()
            .map(|line| line.text.as_str())
            .find(|text| text.contains("off=") && text.contains("size="))?;
        let area = ["value_size=", "mem_size=", "key_size=", "ctx_size="]
            .iter()
            .find_map(|name| number_after(text, name))?;
        let size = text.rsplit(" size=").next().and_then(leading_number)?;
        Some(Self {
            area,
            offset: number_after(text, "off=")?,
            size,
        })
    }

    fn words(&self) -> String {
        let Self { area, offset, size } = self;
        if *offset < 0 {
            return format!(
                "In the worst case the access begins at offset {offset}, in front of the {area} bytes."
            );
        }
        let end = offset.saturating_add(*size);
        let size = words::bytes(*size);
        format!(
            "In the worst case the access of {size} begins at offset {offset} and ends at {end}, of {area} bytes."
        )
    }

    /// How small the number must be that was added, where `most` is what it can be now.
    fn missing(&self, most: Option<u64>) -> Option<String> {
        if self.offset < 0 {
            return Some("a check that the index is not negative".to_owned());
        }
        let beyond = u64::try_from(
            self.offset
                .saturating_add(self.size)
                .saturating_sub(self.area),
        )
        .ok()?;
        let allowed = most.filter(|&most| most > 0)?.checked_sub(beyond)?;
        Some(format!(
            "a check that the number which is added is at most {allowed}"
        ))
    }
}

/// What the offsets in a packet are counted from: pointers with the same `id` have the same number
/// added.
fn base(id: Option<i64>) -> &'static str {
    match id {
        Some(0) => "the start of the packet",
        Some(_) => "the last number that was added to this pointer",
        None => "this very pointer",
    }
}

/// Where an access lies that is not within the 512 bytes of the stack.
fn beside_stack(offset: i64, size: Option<i64>) -> String {
    let beyond = offset.saturating_add(size.unwrap_or(0));
    match (offset, size) {
        (..-512, _) => {
            let below = words::bytes(offset.saturating_neg());
            format!(
                "The access begins {below} below the top of the stack, which is only 512 bytes deep."
            )
        }
        (..0, Some(size)) if beyond > 0 => format!(
            "The access begins {} below the top of the stack and is {} long: {} of it would lie above the stack.",
            words::bytes(-offset),
            words::bytes(size),
            words::bytes(beyond)
        ),
        (0.., _) => format!(
            "The access begins {} above the top of the stack.",
            words::bytes(offset)
        ),
        _ => format!(
            "The access begins {} below the top of the stack.",
            words::bytes(-offset)
        ),
    }
}

/// What a message tells by itself.
fn from_message(reason: &Reason) -> Finding {
    let Some(text) = reason.lines.first().map(|line| line.text.as_str()) else {
        return Finding::default();
    };
    let after = |name: &str| number_after(text, name);
    let known = match reason.class.unwrap_or_default() {
        "stack-bounds" => after("off=").map(|offset| beside_stack(offset, after("size="))),
        "stack-limit" => after("calls is ")
            .or(after("is "))
            .map(|bytes| format!("This call chain needs {bytes} bytes of stack; there are 512.")),
        "complexity-insns" => after("Processed ")
            .map(|count| format!("The verifier went through {count} instructions.")),
        // `invalid func unknown#182`
        "helper-not-allowed" => after("unknown#")
            .and_then(|number| usize::try_from(number).ok())
            .and_then(helpers::sentence),
        _ => None,
    };
    Finding::new(known.into_iter().collect(), None)
}

/// The number behind a name: 65 behind `off=` in `value_size=48 off=65`.
fn number_after(text: &str, name: &str) -> Option<i64> {
    text.match_indices(name).find_map(|(at, _)| {
        let is_whole = text[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric() && before != '_');
        leading_number(&text[at + name.len()..]).filter(|_| is_whole)
    })
}

fn leading_number(text: &str) -> Option<i64> {
    let length = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'-')
        .count();
    text[..length].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_behind_names() {
        let text = "invalid access to packet, off=23 size=1, R1(id=0,off=23,r=14)";
        assert_eq!(number_after(text, "off="), Some(23));
        assert_eq!(number_after(text, "r="), Some(14));
        assert_eq!(number_after("value_size=8 size=4", "size="), Some(4));
        assert_eq!(number_after(text, "x="), None);
    }

    #[test]
    fn what_is_allowed_follows_from_what_is_too_much() {
        let access = Access {
            area: 16,
            offset: 263,
            size: 1,
        };
        assert_eq!(
            access.missing(Some(255)).as_deref(),
            Some("a check that the number which is added is at most 7")
        );
        assert_eq!(
            access.missing(Some(4)),
            None,
            "it does not come from the number"
        );
        assert_eq!(
            Access {
                offset: -1,
                ..access
            }
            .missing(None)
            .as_deref(),
            Some("a check that the index is not negative")
        );
    }
}
