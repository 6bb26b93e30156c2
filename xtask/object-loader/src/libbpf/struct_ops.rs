//! Maps of the type `struct_ops`: tables of functions that the kernel calls, with a program for
//! each member.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::slice;

use libbpf_sys::{BPF_F_LINK, BPF_MAP_TYPE_STRUCT_OPS, bpf_map, bpf_object, bpf_program};

pub fn is_struct_ops(map: NonNull<bpf_map>) -> bool {
    // SAFETY: the map belongs to an open object.
    unsafe { libbpf_sys::bpf_map__type(map.as_ptr()) == BPF_MAP_TYPE_STRUCT_OPS }
}

/// The map that a program is a member of.
pub fn find_map_of(
    maps: &[NonNull<bpf_map>],
    program: NonNull<bpf_program>,
) -> Option<NonNull<bpf_map>> {
    let mut maps = maps.iter().copied();
    maps.find(|&map| has_member(map, program))
}

/// The kernel's type of a map of this object, which is open.
pub fn find_type(object: *mut bpf_object, map: NonNull<bpf_map>) -> Option<String> {
    // SAFETY: the object is open, and libbpf checked the map's type when it opened it.
    let name = unsafe {
        let types = libbpf_sys::bpf_object__btf(object);
        let number = libbpf_sys::bpf_map__btf_value_type_id(map.as_ptr());
        let found = libbpf_sys::btf__type_by_id(types, number).as_ref()?;
        CStr::from_ptr(libbpf_sys::btf__name_by_offset(types, found.name_off))
    };
    let name = name.to_string_lossy();
    // CO-RE: several versions of a type differ in what follows.
    let name = name.split("___").next().unwrap_or_default();
    Some(name.to_owned())
}

/// Leaves this program alone in the tables of its object, so that no other is loaded with it. Maps
/// that it is no member of are not made.
pub fn isolate_program(
    maps: &[NonNull<bpf_map>],
    program: NonNull<bpf_program>,
    others: &[NonNull<bpf_program>],
) {
    let others: Vec<usize> = others.iter().map(|other| other.as_ptr() as usize).collect();
    for &map in maps.iter().filter(|&&map| is_struct_ops(map)) {
        if !has_member(map, program) {
            leave_out(map);
            continue;
        }
        for member in members(map) {
            if others.contains(member) {
                *member = 0;
            }
        }
    }
}

/// Does not make this map.
pub fn leave_out(map: NonNull<bpf_map>) {
    // SAFETY: the map belongs to an open object and is not made yet: nothing can fail.
    unsafe { libbpf_sys::bpf_map__set_autocreate(map.as_ptr(), false) };
}

/// Registers all maps in the older way, without links; says whether any was to have one.
pub fn refuse_links(maps: &[NonNull<bpf_map>]) -> bool {
    let mut changed = false;
    for &map in maps.iter().filter(|&&map| is_struct_ops(map)) {
        // SAFETY: the map belongs to an open object and is not made yet: nothing can fail.
        unsafe {
            let flags = libbpf_sys::bpf_map__map_flags(map.as_ptr());
            changed |= flags & BPF_F_LINK != 0;
            libbpf_sys::bpf_map__set_map_flags(map.as_ptr(), flags & !BPF_F_LINK);
        }
    }
    changed
}

fn has_member(map: NonNull<bpf_map>, program: NonNull<bpf_program>) -> bool {
    is_struct_ops(map) && members(map).contains(&(program.as_ptr() as usize))
}

/// The words of a table. Where the type has a function, the word is the address of the program.
fn members<'a>(map: NonNull<bpf_map>) -> &'a mut [usize] {
    let mut size = 0;
    // SAFETY: the map belongs to an open object.
    let table = unsafe { libbpf_sys::bpf_map__initial_value(map.as_ptr(), &raw mut size) };
    if table.is_null() {
        return &mut [];
    }
    // SAFETY: libbpf allocated so many bytes, as malloc aligns them, and nobody else looks at them
    // until the object is loaded.
    unsafe { slice::from_raw_parts_mut(table.cast(), size as usize / size_of::<usize>()) }
}
