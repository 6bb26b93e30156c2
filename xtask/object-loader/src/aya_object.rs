//! An object as aya would load it, for a load with a log of ours: aya itself hands out no log of a
//! program that the kernel took.

use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::{io, ptr, slice};

use anyhow::{Context as _, Result};
use aya::Btf;
use aya_obj::{EbpfSectionKind, Map, Object};
use libbpf_sys::{bpf_insn, bpf_map_create_opts, bpf_prog_load_opts};

use crate::log_stream::measure_load;
use crate::map_definition::MapDefinition;
use crate::measured_cost::MeasuredCost;
use crate::program_kind::{ProgramCode, ProgramKind};
use crate::session::Session;

/// Relocated, with maps of its own.
pub struct AyaObject {
    object: Object,
    types: Option<OwnedFd>,
    /// The instructions name them.
    _maps: HashMap<String, OwnedFd>,
}

impl AyaObject {
    /// # Errors
    /// What only aya itself can do with such an object.
    pub fn prepare(bytes: &[u8], kernel: Option<&Btf>, session: &Session) -> Result<Self> {
        let mut object = Object::parse(bytes)?;
        let types = load_types(&mut object)?;
        if let Some(kernel) = kernel {
            object.relocate_btf(kernel)?;
        }
        let mut maps = HashMap::new();
        for (name, map) in &object.maps {
            maps.insert(name.clone(), create_map(name, map, session)?);
        }
        let definitions: Vec<(String, Map)> = object.maps.drain().collect();
        let sections: HashSet<usize> = object
            .functions
            .keys()
            .map(|(section, _)| *section)
            .collect();
        let described = definitions
            .iter()
            .filter_map(|(name, map)| Some((name.as_str(), maps.get(name)?.as_raw_fd(), map)));
        object.relocate_maps(described, &sections)?;
        object.relocate_calls(&sections)?;
        object.sanitize_functions(aya::features());
        Ok(Self {
            object,
            types,
            _maps: maps,
        })
    }

    pub fn measure(
        &self,
        name: &str,
        kind: &ProgramKind,
        session: &mut Session,
    ) -> Result<MeasuredCost> {
        let program = self
            .object
            .programs
            .get(name)
            .context("a program is gone")?;
        let function = self
            .object
            .functions
            .get(&program.function_key())
            .context("a function is gone")?;
        let short_name = CString::new(name)?;
        let functions = function.func_info.func_info_bytes();
        let lines = function.line_info.line_info_bytes();
        let mut options = bpf_prog_load_opts {
            kern_version: program.kernel_version.unwrap_or_default(),
            ..bpf_prog_load_opts::default()
        };
        if let Some(types) = &self.types
            && !functions.is_empty()
        {
            options.prog_btf_fd = types.as_raw_fd().cast_unsigned();
            options.func_info = functions.as_ptr().cast();
            options.func_info_cnt = function.func_info.len() as u32;
            options.func_info_rec_size = function.func_info_rec_size as u32;
            options.line_info = lines.as_ptr().cast();
            options.line_info_cnt = function.line_info.len() as u32;
            options.line_info_rec_size = function.line_info_rec_size as u32;
        }
        let instructions = &function.instructions;
        // SAFETY: both types are the kernel's own.
        let instructions: &[bpf_insn] =
            unsafe { slice::from_raw_parts(instructions.as_ptr().cast(), instructions.len()) };
        measure_load(session, |target| {
            let code = ProgramCode {
                name: &short_name,
                license: &program.license,
                instructions,
                options,
            };
            kind.load_with_target(code, target)
        })
    }
}

/// `None` where the object has no types, or the kernel takes none.
fn load_types(object: &mut Object) -> Result<Option<OwnedFd>> {
    let Some(features) = aya::features().btf() else {
        return Ok(None);
    };
    let Some(types) = object.fixup_and_sanitize_btf(features)? else {
        return Ok(None);
    };
    let bytes = types.to_bytes();
    // SAFETY: the bytes are as long as it says, and there are no options.
    let descriptor = unsafe {
        libbpf_sys::bpf_btf_load(bytes.as_ptr().cast(), bytes.len() as u64, ptr::null_mut())
    };
    Ok(own_descriptor(descriptor).ok())
}

fn create_map(name: &str, map: &Map, session: &Session) -> Result<OwnedFd> {
    let cpus = aya::util::nr_cpus().map_or(1, |cpus| cpus as u32);
    let shape = MapDefinition {
        map_type: map.map_type(),
        key_size: map.key_size(),
        value_size: map.value_size(),
        max_entries: map.max_entries(),
    };
    let (shape, _) = shape.fit(name, session.options.entries_of(name), cpus);
    let options = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as u64,
        map_flags: map.map_flags(),
        map_extra: map.map_extra(),
        ..bpf_map_create_opts::default()
    };
    // SAFETY: without a name, and with options that outlive the call.
    let descriptor = unsafe {
        libbpf_sys::bpf_map_create(
            shape.map_type,
            ptr::null(),
            shape.key_size,
            shape.value_size,
            shape.max_entries.max(entries_of_kind(shape.map_type, cpus)),
            &raw const options,
        )
    };
    let descriptor =
        own_descriptor(descriptor).with_context(|| format!("cannot create the map {name}"))?;
    if !map.data().is_empty() && map.section_kind() != EbpfSectionKind::Bss {
        fill_map(&descriptor, map)?;
    }
    Ok(descriptor)
}

/// An array of perf events has one for each processor, where the object does not say.
fn entries_of_kind(map_type: u32, cpus: u32) -> u32 {
    match map_type {
        libbpf_sys::BPF_MAP_TYPE_PERF_EVENT_ARRAY => cpus,
        _ => 0,
    }
}

/// The verifier reads constants from the map that has them.
fn fill_map(descriptor: &OwnedFd, map: &Map) -> Result<()> {
    let (key, number) = (0_u32, descriptor.as_raw_fd());
    // SAFETY: the key is of four bytes, and the value as long as the map says.
    let failed = unsafe {
        libbpf_sys::bpf_map_update_elem(
            number,
            (&raw const key).cast(),
            map.data().as_ptr().cast(),
            0,
        )
    };
    check(failed).context("cannot fill a map")?;
    if map.section_kind() == EbpfSectionKind::Rodata {
        // SAFETY: the descriptor is one of a map.
        check(unsafe { libbpf_sys::bpf_map_freeze(number) }).context("cannot freeze a map")?;
    }
    Ok(())
}

fn own_descriptor(descriptor: i32) -> io::Result<OwnedFd> {
    check(descriptor.min(0))?;
    // SAFETY: nobody else has this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// libbpf returns negative error numbers.
fn check(returned: i32) -> io::Result<()> {
    match returned {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}
