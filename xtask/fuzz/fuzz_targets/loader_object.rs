//! What the loader in a guest reads of an object before libbpf or aya does.

#![no_main]
#![allow(dead_code, reason = "a program's files are not all used here")]

use libfuzzer_sys::fuzz_target;

#[path = "../../object-loader/src/object_file.rs"]
mod object_file;
#[path = "../../object-loader/src/origin.rs"]
mod origin;

use object_file::ObjectFile;

fuzz_target!(|input: &[u8]| {
    let Ok(mut object) = ObjectFile::parse(input.to_vec()) else {
        return;
    };
    object.has_legacy_maps();
    object.has_programs();
    let Ok(exported) = object.export_static_programs() else {
        return;
    };
    for program in exported {
        object.section_of(&program);
    }
    // It is an object still.
    assert!(ObjectFile::parse(object.bytes).is_ok());
});
