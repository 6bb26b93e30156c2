//! Objects that were made to be hard to read: twice the object takes twice the time, and no object
//! ends the stack or fills the memory.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "../../tests/common/doubling.rs"]
mod doubling;
mod hard_object;

use std::hint::black_box;

use doubling::is_slow;
use forbidden_calls::Object;
use hard_object::{DebugInformation, HardObject, OBJECTS};

/// All that is asked of an object.
fn read_object(bytes: &[u8]) {
    let Ok(object) = Object::parse(bytes) else {
        return;
    };
    let programs: Vec<String> = object.program_names().map(str::to_owned).collect();
    for program in &programs {
        black_box(object.find_forbidden_calls(program));
        black_box(object.find_site(program, 0));
        black_box(object.find_callee_length(program, 0));
    }
}

#[test]
#[ignore = "takes seconds: cargo xtask test vm"]
fn twice_the_object_takes_twice_the_time() {
    let slow = OBJECTS
        .iter()
        .filter(|(name, object)| is_slow(name, object, 1000, read_object));
    let slow: Vec<&str> = slow.map(|(name, _)| *name).collect();
    assert_eq!(slow, [""; 0], "more than twice the time");
}

/// What reads the debug information calls itself for each function that is inlined in another: the
/// stack would end.
#[test]
fn functions_that_are_inlined_without_end_are_not_read() {
    for depth in [10, 1_000_000] {
        let bytes = HardObject::with_debug_information(&DebugInformation::nested(depth));
        let object = Object::parse(&bytes).unwrap();
        assert_eq!(object.find_forbidden_calls("p0").len(), 1);
    }
}

/// Each program leads to all of those before it.
#[test]
fn what_all_programs_lead_to_is_not_looked_at_for_ever() {
    let bytes = HardObject::chain_of_programs(8000);
    let object = Object::parse(&bytes).unwrap();
    assert_eq!(object.find_forbidden_calls("p0").len(), 1);
    let programs: Vec<String> = object.program_names().map(str::to_owned).collect();
    for program in &programs {
        object.find_forbidden_calls(program);
    }
    assert!(object.find_forbidden_calls("p7999").is_empty());
}

/// A program that calls one missing function many times, which has a long name.
#[test]
fn a_long_name_is_not_kept_for_each_call() {
    let bytes = HardObject::calls_of_long_name(20_000, 1 << 20);
    let object = Object::parse(&bytes).unwrap();
    let calls = object.find_forbidden_calls("p0");
    assert_eq!(calls.len(), 1);
    assert!(calls[0].callee.as_ref().unwrap().len() <= 4096);
}
