//! bpf(2), as far as init itself uses it.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use plan::Program;

/// `enum bpf_cmd`
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Command {
    NextProgram = 11,
    NextMap = 12,
    ProgramById = 13,
    InfoOfObject = 15,
    NextBtf = 23,
    NextLink = 31,
    EnableStatistics = 32,
}

/// `BPF_STATS_RUN_TIME`
const RUN_TIME: u32 = 0;

/// The beginning of `union bpf_attr`, as the commands that are about an id see it.
#[repr(C)]
struct AboutId {
    id: u32,
    next: u32,
    flags: u32,
}

/// `union bpf_attr`, as `BPF_OBJ_GET_INFO_BY_FD` sees it.
#[repr(C)]
struct AboutInfo {
    fd: u32,
    length: u32,
    info: u64,
}

/// The beginning of `struct bpf_prog_info`. A kernel that knows less of it leaves the rest as it
/// is.
#[repr(C)]
#[derive(Default)]
struct Info {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_bytes: u32,
    translated_bytes: u32,
    jited: u64,
    translated: u64,
    load_time: u64,
    user: u32,
    map_count: u32,
    maps: u64,
    name: [u8; 16],
    interface: u32,
    gpl_compatible: u32,
    namespace_device: u64,
    namespace_inode: u64,
    symbol_count: u32,
    function_length_count: u32,
    symbols: u64,
    function_lengths: u64,
    btf_id: u32,
    function_record_size: u32,
    function_records: u64,
    function_record_count: u32,
    line_count: u32,
    lines: u64,
    jited_lines: u64,
    jited_line_count: u32,
    line_record_size: u32,
    jited_line_record_size: u32,
    tag_count: u32,
    tags: u64,
    nanoseconds: u64,
    runs: u64,
    recursion_misses: u64,
    verified: u32,
    attached_btf_object: u32,
}

/// The ids of all objects of a kind.
pub fn ids(command: Command) -> Vec<u32> {
    let mut ids = Vec::new();
    let mut request = AboutId {
        id: 0,
        next: 0,
        flags: 0,
    };
    // SAFETY: commands of this kind read and write this structure and nothing else. They fail after
    // the last id, or when the kernel does not know the command.
    while unsafe { call(command, &mut request) }.is_ok() {
        ids.push(request.next);
        request.id = request.next;
    }
    ids
}

/// Makes the kernel count how often programs run, and how long, until the descriptor is closed.
/// Since Linux 5.8.
pub fn enable_statistics() -> io::Result<OwnedFd> {
    let mut request = AboutId {
        id: RUN_TIME,
        next: 0,
        flags: 0,
    };
    // SAFETY: the command reads this structure and nothing else, and gives a descriptor that is
    // ours.
    unsafe {
        Ok(OwnedFd::from_raw_fd(call(
            Command::EnableStatistics,
            &mut request,
        )?))
    }
}

/// Takes hold of a program: it stays in the kernel while the descriptor is open.
pub fn program(id: u32) -> io::Result<OwnedFd> {
    let mut request = AboutId {
        id,
        next: 0,
        flags: 0,
    };
    // SAFETY: the command reads this structure and nothing else, and gives a descriptor that is
    // ours.
    unsafe {
        Ok(OwnedFd::from_raw_fd(call(
            Command::ProgramById,
            &mut request,
        )?))
    }
}

/// What the kernel tells of a program now; `None` for a program without BTF.
pub fn info(program: &OwnedFd) -> io::Result<Option<Program>> {
    let mut info = Info::default();
    let mut request = AboutInfo {
        fd: program.as_raw_fd().cast_unsigned(),
        length: size_of::<Info>() as u32,
        info: (&raw mut info).addr() as u64,
    };
    // SAFETY: the command writes at most `length` bytes to `info`; the counts in it are zero, so
    // that it writes to no other place.
    unsafe { call(Command::InfoOfObject, &mut request)? };
    Ok((info.btf_id != 0).then(|| Program {
        name: CStr::from_bytes_until_nul(&info.name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        kind: info.kind,
        translated_bytes: info.translated_bytes,
        jited_bytes: info.jited_bytes,
        verified: (info.verified > 0).then_some(info.verified),
        runs: info.runs,
        nanoseconds: info.nanoseconds,
    }))
}

/// # Safety
/// `request` must be what this command takes.
unsafe fn call<T>(command: Command, request: &mut T) -> io::Result<i32> {
    // SAFETY: bpf(2) reads and writes a structure of the size that is given; the caller knows its
    // meaning.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as u32,
            std::ptr::from_mut(request),
            size_of::<T>(),
        )
    };
    match i32::try_from(result) {
        Ok(result @ 0..) => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}
