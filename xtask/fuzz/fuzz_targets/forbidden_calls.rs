//! `explain --object`, `verify`: any file has forbidden calls or a reason why it is no object.

#![no_main]

use forbidden_calls::Object;
use libfuzzer_sys::fuzz_target;

/// More instructions of a program are not asked for: time goes by, and nothing new comes.
const MOST: usize = 64;

fuzz_target!(|input: &[u8]| {
    let Ok(object) = Object::parse(input) else {
        return;
    };
    let programs: Vec<String> = object.program_names().map(str::to_owned).collect();
    for program in programs.iter().take(MOST) {
        object.find_forbidden_calls(program);
        for instruction in 0..MOST {
            object.find_site(program, instruction);
            object.find_callee_length(program, instruction);
        }
        object.find_site(program, usize::MAX);
    }
});
