//! An object that libbpf has read. Nothing of it is in the kernel yet.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::ptr::NonNull;

use libbpf_rs::{AsRawLibbpf as _, ObjectBuilder, OpenObject};
use libbpf_sys::{bpf_map, bpf_object, bpf_program};
use verifier_output::clear_messages;

use super::messages::libbpf_said;
use super::struct_ops;
use crate::map_definition::MapDefinition;
use crate::object_file::{ObjectFile, SUBPROGRAMS};
use crate::options::LoadOptions;
use crate::program_section::ProgramSection;

pub struct Opened {
    object: OpenObject,
    programs: Vec<ProgramFacts>,
    /// Maps that outer maps were given as patterns of their inner ones.
    patterns: Vec<OwnedFd>,
    /// What was changed in maps, with their names.
    pub map_notes: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct ProgramFacts {
    /// The function's name.
    pub name: String,
    pub section: ProgramSection,
    /// The name of the `struct_ops` map that it is a member of.
    pub struct_ops: Option<String>,
}

impl Opened {
    /// # Errors
    /// Why libbpf cannot read it, in its own words.
    pub fn open(object: &ObjectFile, options: &LoadOptions) -> Result<Self, String> {
        clear_messages();
        // Its maps of global variables are called after it; libbpf would take an address.
        let opened = ObjectBuilder::default()
            .name("object")
            .and_then(|builder| builder.open_memory(&object.bytes))
            .map_err(|error| libbpf_said().unwrap_or_else(|| error.to_string()))?;
        let mut opened = Self {
            object: opened,
            programs: Vec::new(),
            patterns: Vec::new(),
            map_notes: Vec::new(),
        };
        opened.fit_maps(options);
        opened.read_programs();
        Ok(opened)
    }

    pub fn programs(&self) -> &[ProgramFacts] {
        &self.programs
    }

    pub fn as_ptr(&self) -> *mut bpf_object {
        self.object.as_libbpf_object().as_ptr()
    }

    pub fn find_program(&self, name: &str) -> Option<NonNull<bpf_program>> {
        let name = CString::new(name).ok()?;
        // SAFETY: the object is open, and the name ends with a zero byte.
        let program =
            unsafe { libbpf_sys::bpf_object__find_program_by_name(self.as_ptr(), name.as_ptr()) };
        NonNull::new(program)
    }

    pub fn maps(&self) -> Vec<NonNull<bpf_map>> {
        self.object
            .maps()
            .map(|map| map.as_libbpf_object())
            .collect()
    }

    /// The map of this name, as libbpf says it.
    pub fn find_map(&self, name: &str) -> Option<NonNull<bpf_map>> {
        self.maps().into_iter().find(|&map| map_name(map) == name)
    }

    /// Leaves a program out of what libbpf relocates and loads, or takes it in.
    pub fn set_autoload(&self, program: NonNull<bpf_program>, wanted: bool) {
        // SAFETY: it is a program of this object, which is not loaded yet: nothing can fail.
        unsafe { libbpf_sys::bpf_program__set_autoload(program.as_ptr(), wanted) };
    }

    /// Programs of all kinds are relocated, and none of them is loaded by default if its section's
    /// name begins with a question mark.
    fn read_programs(&mut self) {
        let programs: Vec<_> = self
            .object
            .progs()
            .map(|program| {
                let section = program.section().to_string_lossy().into_owned();
                let name = program.name().to_string_lossy().into_owned();
                (program.as_libbpf_object(), name, section)
            })
            .filter(|(.., section)| section != SUBPROGRAMS)
            .collect();
        for (program, name, section) in programs {
            let section = ProgramSection::from_name(&section);
            if let (Some(_), Some((prog_type, attach_type))) =
                (section.translated(), section.types())
            {
                // SAFETY: it is a program of this object, which is not loaded yet.
                unsafe {
                    libbpf_sys::bpf_program__set_type(program.as_ptr(), prog_type);
                    libbpf_sys::bpf_program__set_expected_attach_type(
                        program.as_ptr(),
                        attach_type,
                    );
                    libbpf_sys::bpf_program__set_flags(program.as_ptr(), section.program_flags());
                }
            }
            self.programs.push(ProgramFacts {
                struct_ops: struct_ops::find_map_of(&self.maps(), program).map(map_name),
                name,
                section,
            });
        }
    }

    /// The setters of libbpf 1.7 follow a null pointer for inner maps: one that does not fit is
    /// made here, as a pattern for those of the outer map.
    fn fit_inner_map(&mut self, outer: NonNull<bpf_map>, cpus: u32) -> Vec<String> {
        // SAFETY: the map belongs to this object.
        let inner = unsafe { libbpf_sys::bpf_map__inner_map(outer.as_ptr()) };
        let Some(inner) = NonNull::new(inner) else {
            return Vec::new();
        };
        let shape = read_shape(inner);
        let (fitting, notes) = shape.fit(&map_name(inner), None, cpus);
        if fitting == shape {
            return notes;
        }
        // SAFETY: the inner map belongs to this object.
        let flags = unsafe { libbpf_sys::bpf_map__map_flags(inner.as_ptr()) };
        let Ok(pattern) = fitting.create(flags) else {
            // libbpf says why, in its own words.
            return Vec::new();
        };
        // SAFETY: the outer map is not made yet, and has no other pattern than the one that libbpf
        // read from the object, which it frees.
        unsafe {
            libbpf_sys::bpf_map__set_inner_map_fd(outer.as_ptr(), pattern.as_raw_fd());
        }
        self.patterns.push(pattern);
        // Nobody can name an inner map.
        let end = " (--map ";
        let notes = notes.into_iter();
        notes
            .map(|note| note.split(end).next().unwrap_or_default().to_owned())
            .collect()
    }

    fn fit_maps(&mut self, options: &LoadOptions) {
        let cpus = libbpf_rs::num_possible_cpus().map_or(1, |cpus| cpus as u32);
        for map in self.maps() {
            let name = map_name(map);
            let mut notes = fit_map(map, &name, options.entries_of(&name), cpus);
            notes.extend(self.fit_inner_map(map, cpus));
            let notes = notes.into_iter().map(|note| (name.clone(), note));
            self.map_notes.extend(notes);
        }
    }
}

/// Gives a map a shape that the kernel takes; says what was changed.
fn fit_map(map: NonNull<bpf_map>, name: &str, entries: Option<u32>, cpus: u32) -> Vec<String> {
    let shape = read_shape(map);
    let map = map.as_ptr();
    let (fitting, notes) = shape.fit(name, entries, cpus);
    if fitting != shape {
        // SAFETY: as before. Sizes of maps of global variables, which could fail, stay.
        unsafe {
            libbpf_sys::bpf_map__set_key_size(map, fitting.key_size);
            libbpf_sys::bpf_map__set_value_size(map, fitting.value_size);
            libbpf_sys::bpf_map__set_max_entries(map, fitting.max_entries);
        }
    }
    notes
}

fn read_shape(map: NonNull<bpf_map>) -> MapDefinition {
    let map = map.as_ptr();
    // SAFETY: the map belongs to an open object.
    unsafe {
        MapDefinition {
            map_type: libbpf_sys::bpf_map__type(map),
            key_size: libbpf_sys::bpf_map__key_size(map),
            value_size: libbpf_sys::bpf_map__value_size(map),
            max_entries: libbpf_sys::bpf_map__max_entries(map),
        }
    }
}

pub fn map_name(map: NonNull<bpf_map>) -> String {
    // SAFETY: the map belongs to an object that is still open, which keeps its name.
    let name = unsafe { CStr::from_ptr(libbpf_sys::bpf_map__name(map.as_ptr())) };
    name.to_string_lossy().into_owned()
}
