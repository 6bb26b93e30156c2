//! bpf(2), as far as init itself uses it.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::libc;
use plan::ProgramInfo;

/// `enum bpf_cmd`
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum BpfCommand {
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

/// `struct bpf_prog_info`, up to what the newest kernel of this course tells. A kernel that knows
/// less of it leaves the rest as it is. It is written out here because the crates that have it,
/// libbpf-sys and aya-obj, would be built once more for the guest, with C code or an ELF reader.
#[repr(C)]
#[derive(Default)]
struct bpf_prog_info {
    type_: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
    ifindex: u32,
    /// One bit, and 31 that are kept free.
    gpl_compatible: u32,
    netns_dev: u64,
    netns_ino: u64,
    nr_jited_ksyms: u32,
    nr_jited_func_lens: u32,
    jited_ksyms: u64,
    jited_func_lens: u64,
    btf_id: u32,
    func_info_rec_size: u32,
    func_info: u64,
    nr_func_info: u32,
    nr_line_info: u32,
    line_info: u64,
    jited_line_info: u64,
    nr_jited_line_info: u32,
    line_info_rec_size: u32,
    jited_line_info_rec_size: u32,
    nr_prog_tags: u32,
    prog_tags: u64,
    run_time_ns: u64,
    run_cnt: u64,
    recursion_misses: u64,
    verified_insns: u32,
    attach_btf_obj_id: u32,
}

/// The ids of all objects of a kind.
pub fn list_ids(command: BpfCommand) -> Vec<u32> {
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
    open_by_id(BpfCommand::EnableStatistics, RUN_TIME)
}

/// Takes hold of a program: it stays in the kernel while the descriptor is open.
pub fn open_program(id: u32) -> io::Result<OwnedFd> {
    open_by_id(BpfCommand::ProgramById, id)
}

/// A command that takes a number and gives a descriptor.
fn open_by_id(command: BpfCommand, id: u32) -> io::Result<OwnedFd> {
    let mut request = AboutId {
        id,
        next: 0,
        flags: 0,
    };
    // SAFETY: both commands read this structure and nothing else, and give a descriptor that is
    // ours.
    unsafe { Ok(OwnedFd::from_raw_fd(call(command, &mut request)?)) }
}

/// What the kernel tells of a program now; `None` for a program without BTF.
pub fn read_info(program: &OwnedFd) -> io::Result<Option<ProgramInfo>> {
    let mut info = bpf_prog_info::default();
    let mut request = AboutInfo {
        fd: program.as_raw_fd().cast_unsigned(),
        length: size_of::<bpf_prog_info>() as u32,
        info: (&raw mut info).addr() as u64,
    };
    // SAFETY: the command writes at most `length` bytes to `info`; the counts in it are zero, so
    // that it writes to no other place.
    unsafe { call(BpfCommand::InfoOfObject, &mut request)? };
    Ok((info.btf_id != 0).then(|| ProgramInfo {
        name: CStr::from_bytes_until_nul(&info.name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        prog_type: info.type_,
        xlated_prog_len: info.xlated_prog_len,
        jited_prog_len: info.jited_prog_len,
        verified_insns: (info.verified_insns > 0).then_some(info.verified_insns),
        run_cnt: info.run_cnt,
        run_time_ns: info.run_time_ns,
    }))
}

/// # Safety
/// `request` must be what this command takes.
unsafe fn call<T>(command: BpfCommand, request: &mut T) -> io::Result<i32> {
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
