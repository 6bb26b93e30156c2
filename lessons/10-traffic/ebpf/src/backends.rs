//! The backends, and the choice of one.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use traffic_ebpf::endpoint::{BACKENDS, Endpoint};

// ANCHOR: maps
/// What answers. User space sets `is_up`.
#[btf_map]
static BACKEND: Array<Endpoint, { BACKENDS as usize }> = Array::new();
/// How many choices there were.
#[btf_map]
static CHOICES: Array<u32, 1> = Array::new();
// ANCHOR_END: maps

#[inline(always)]
pub fn find_backend(index: u32) -> Option<&'static Endpoint> {
    BACKEND.get(index)
}

// ANCHOR: choose
#[inline(always)]
pub fn is_up(index: u32) -> bool {
    find_backend(index).is_some_and(|backend| backend.is_up != 0)
}

/// The next backend that is up, in turn. Two CPUs at once may choose the same one, which does no
/// harm.
#[inline(always)]
pub fn choose_backend() -> Option<u32> {
    let choices = CHOICES.get_ptr_mut(0)?;
    for _ in 0..BACKENDS {
        // SAFETY: the map's value lives as long as the program.
        let index = unsafe { *choices } % BACKENDS;
        // SAFETY: as above.
        unsafe { *choices = (*choices).wrapping_add(1) };
        if is_up(index) {
            return Some(index);
        }
    }
    None
}
// ANCHOR_END: choose
