//! Files that the host looks into: a kernel's image (`--kernel FILE`), its modules, the program of
//! `try`.

#![no_main]
#![allow(dead_code, reason = "a crate's files are not all used here")]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;

#[path = "../../src/commands/try_binary/binary.rs"]
mod binary;
#[path = "../../testvm/src/image/module_info.rs"]
mod module_info;

fuzz_target!(|input: &[u8]| {
    if let Ok(Some(image)) = kernel::identify_image(&mut Cursor::new(input)) {
        let release = image.release;
        assert!(release.len() <= 64 && !release.contains('/'));
        assert!(release.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    for architecture in kernel::Architecture::ALL {
        binary::is_binary(input, architecture);
    }
    // The loader that it names may be anything; it is not started.
    let _ = shared_libraries::find_loader(input);
    if let Ok(names) = module_info::read_dependencies(input) {
        assert!(names.iter().all(|name| !name.is_empty()));
    }
});
