//! What both programs read of the kernel's `struct filename`.

// ANCHOR: offsets
/// The start of the kernel's `struct filename`. Rust programs carry no relocations, so this offset
/// is baked in: it is right only because `name` is the first member on Linux 5.10 to 7.3. Lesson 04
/// has a way that does not depend on luck.
#[repr(C)]
pub struct Filename {
    pub name: *const u8,
}
// ANCHOR_END: offsets
