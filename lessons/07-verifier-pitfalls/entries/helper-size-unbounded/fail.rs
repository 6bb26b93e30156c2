#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{kprobe, map},
    maps::{Array, RingBuf},
    programs::ProbeContext,
};

#[repr(C)]
struct Note {
    length: u32,
    text: [u8; 256],
}

#[map]
static NOTES: Array<Note> = Array::with_max_entries(1, 0);

#[map]
static SENT: RingBuf = RingBuf::with_byte_size(4096, 0);

#[kprobe(function = "do_nanosleep")]
pub fn helper_size_unbounded(_ctx: ProbeContext) -> u32 {
    let Some(note) = NOTES.get(0) else { return 0 };
    // SAFETY: this is the mistake, and the verifier sees it: the length comes from the map, where
    // anyone may have written any number.
    let text = unsafe { note.text.get_unchecked(..note.length as usize) };
    let _ = SENT.output::<[u8]>(text, 0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
