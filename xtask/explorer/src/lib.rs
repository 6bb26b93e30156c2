//! The parser of verifier logs for web pages, as WebAssembly without imports.
//! `book/theme/explorer.js` calls it.
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo build --package explorer --profile explorer \
//!     --target wasm32-unknown-unknown -Z build-std=std,panic_abort -Z build-std-features=
//! target/wasm32-unknown-unknown/explorer/explorer.wasm
//! ```
//!
//! The standard library is built from the toolchain's `rust-src`, as it is for eBPF; the linker is
//! the toolchain's own.
//!
//! A page asks for memory, puts a text there, and gets an answer, which it frees, as the text:
//!
//! ```text
//! explorer_allocate(length) -> text
//! explorer_explore(text, length) -> answer
//! explorer_free(text, length)
//! explorer_free(answer, 4 + length of the JSON)
//! ```
//!
//! An answer begins with 4 bytes, the lowest first: the length of the JSON that follows.

mod answer;

use answer::format_answer;

/// Memory for a text, all zero.
#[unsafe(no_mangle)]
pub extern "C" fn explorer_allocate(length: usize) -> *mut u8 {
    hand_out(vec![0; length])
}

/// Explains a text; see [`format_answer`].
///
/// # Safety
///
/// `text` has `length` bytes and comes from [`explorer_allocate`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn explorer_explore(text: *const u8, length: usize) -> *mut u8 {
    // SAFETY: the caller says that these bytes are there. They are only read, and given back when
    // this returns.
    let text = unsafe { std::slice::from_raw_parts(text, length) };
    let json = format_answer(text);
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
    hand_out([&length.to_le_bytes(), json.as_bytes()].concat())
}

/// Takes memory back.
///
/// # Safety
///
/// `memory` has `length` bytes, comes from one of the functions above, and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn explorer_free(memory: *mut u8, length: usize) {
    let memory = std::ptr::slice_from_raw_parts_mut(memory, length);
    // SAFETY: it is what `hand_out` made of a box of this length.
    drop(unsafe { Box::from_raw(memory) });
}

fn hand_out(bytes: Vec<u8>) -> *mut u8 {
    Box::into_raw(bytes.into_boxed_slice()).cast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_goes_in_and_json_comes_out() {
        let text = b"0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns (limit 1000000)";
        let memory = explorer_allocate(text.len());
        // SAFETY: the memory has this length, and it is freed with the length that it was made
        // with.
        let json = unsafe {
            memory.copy_from_nonoverlapping(text.as_ptr(), text.len());
            let answer = explorer_explore(memory, text.len());
            explorer_free(memory, text.len());
            let length = answer.cast::<u32>().read_unaligned().to_le() as usize;
            let json = std::slice::from_raw_parts(answer.add(4), length).to_vec();
            explorer_free(answer, 4 + length);
            json
        };
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["programs"][0]["class"]["slug"], "uninit-reg");
    }
}
