//! The bpf system call, through libbpf's thin wrappers of it.

use std::ffi::{CString, c_char};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;

use libbpf_sys::{bpf_attach_type, bpf_insn, bpf_map_type, bpf_prog_info, bpf_prog_type};
use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::unistd::Pid;

/// A program to load; what is not said is zero.
#[derive(Clone, Copy, Default)]
pub struct ProgramSpec<'a> {
    pub kind: bpf_prog_type,
    pub insns: &'a [bpf_insn],
    pub attach: bpf_attach_type,
    pub btf_id: u32,
    pub sleepable: bool,
}

impl ProgramSpec<'_> {
    /// Without a log: the kernel refuses a good program whose log does not fit.
    pub fn load_program(&self) -> io::Result<OwnedFd> {
        self.load_with(&mut [])
    }

    /// With the verifier's log, if it refuses.
    pub fn load_with_log(&self) -> Result<OwnedFd, (io::Error, String)> {
        let mut log = vec![0u8; 64 << 10];
        self.load_with(&mut log).map_err(|error| {
            let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
            (error, String::from_utf8_lossy(&log[..end]).into_owned())
        })
    }

    fn load_with(&self, log: &mut [u8]) -> io::Result<OwnedFd> {
        let mut options = libbpf_sys::bpf_prog_load_opts {
            sz: size_of::<libbpf_sys::bpf_prog_load_opts>() as u64,
            expected_attach_type: self.attach,
            attach_btf_id: self.btf_id,
            prog_flags: if self.sleepable {
                libbpf_sys::BPF_F_SLEEPABLE
            } else {
                0
            },
            log_level: u32::from(!log.is_empty()),
            log_size: log.len() as u32,
            log_buf: if log.is_empty() {
                ptr::null_mut()
            } else {
                log.as_mut_ptr().cast()
            },
            ..Default::default()
        };
        // SAFETY: the texts end with zero, the instructions are as many as is said, and the log
        // outlives the call.
        let fd = unsafe {
            libbpf_sys::bpf_prog_load(
                self.kind,
                ptr::null(),
                c"GPL".as_ptr(),
                self.insns.as_ptr(),
                self.insns.len() as u64,
                &raw mut options,
            )
        };
        owned(fd)
    }

    pub fn is_accepted(&self) -> bool {
        self.load_program().is_ok()
    }
}

/// What libbpf returns: a new file descriptor, or an error number below 0.
fn owned(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn checked(result: i32) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::from_raw_os_error(-result))
    } else {
        Ok(())
    }
}

pub fn error_number(error: &io::Error) -> String {
    format!("errno {}", error.raw_os_error().unwrap_or_default())
}

/// A map to create.
#[derive(Clone, Copy, Default)]
pub struct Map {
    pub kind: bpf_map_type,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
    /// BTF that describes the value, and the number of its type there.
    pub btf: Option<(i32, u32, u32)>,
}

impl Map {
    pub fn create_map(&self) -> io::Result<OwnedFd> {
        let (btf_fd, key, value) = self.btf.unwrap_or_default();
        let options = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as u64,
            map_flags: self.flags,
            btf_fd: btf_fd as u32,
            btf_key_type_id: key,
            btf_value_type_id: value,
            ..Default::default()
        };
        // SAFETY: the options live as long as the call, and the map needs no name.
        owned(unsafe {
            libbpf_sys::bpf_map_create(
                self.kind,
                ptr::null(),
                self.key_size,
                self.value_size,
                self.max_entries,
                &raw const options,
            )
        })
    }
}

/// Puts a value under a key of four bytes.
pub fn update_map(map: &OwnedFd, key: u32, value: &[u64]) -> io::Result<()> {
    // SAFETY: key and value have the sizes that the map was created with.
    checked(unsafe {
        libbpf_sys::bpf_map_update_elem(
            map.as_raw_fd(),
            (&raw const key).cast(),
            value.as_ptr().cast(),
            0,
        )
    })
}

pub fn read_map<const N: usize>(map: &OwnedFd, key: u32) -> io::Result<[u64; N]> {
    let mut value = [0; N];
    // SAFETY: key and value have the sizes that the map was created with.
    checked(unsafe {
        libbpf_sys::bpf_map_lookup_elem(
            map.as_raw_fd(),
            (&raw const key).cast(),
            value.as_mut_ptr().cast(),
        )
    })?;
    Ok(value)
}

/// Ties a program to a file descriptor or to a network interface.
pub fn create_link(
    program: &OwnedFd,
    target: i32,
    attach: bpf_attach_type,
    flags: u32,
) -> io::Result<OwnedFd> {
    let options = libbpf_sys::bpf_link_create_opts {
        sz: size_of::<libbpf_sys::bpf_link_create_opts>() as u64,
        flags,
        ..Default::default()
    };
    // SAFETY: the options live as long as the call.
    owned(unsafe {
        libbpf_sys::bpf_link_create(program.as_raw_fd(), target, attach, &raw const options)
    })
}

/// Ties a program to functions of the kernel, by name.
pub fn create_multi_link(
    program: &OwnedFd,
    attach: bpf_attach_type,
    function: &str,
) -> io::Result<OwnedFd> {
    let name = CString::new(function)?;
    let mut names: [*const c_char; 1] = [name.as_ptr()];
    let mut options = libbpf_sys::bpf_link_create_opts {
        sz: size_of::<libbpf_sys::bpf_link_create_opts>() as u64,
        ..Default::default()
    };
    options.__bindgen_anon_1.kprobe_multi =
        libbpf_sys::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_2 {
            cnt: 1,
            syms: names.as_mut_ptr(),
            ..Default::default()
        };
    // SAFETY: options and names live as long as the call.
    owned(unsafe {
        libbpf_sys::bpf_link_create(program.as_raw_fd(), 0, attach, &raw const options)
    })
}

/// Attaches a tracing program to what it was loaded for.
pub fn attach_tracing(program: &OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: no name is needed, the program knows its function.
    owned(unsafe { libbpf_sys::bpf_raw_tracepoint_open(ptr::null(), program.as_raw_fd()) })
}

/// What a program returns for this frame, in a test run.
pub fn run_program(program: &OwnedFd, frame: &[u8]) -> io::Result<u32> {
    let mut options = libbpf_sys::bpf_test_run_opts {
        sz: size_of::<libbpf_sys::bpf_test_run_opts>() as u64,
        data_in: frame.as_ptr().cast(),
        data_size_in: frame.len() as u32,
        repeat: 1,
        ..Default::default()
    };
    // SAFETY: the frame has the size that is said, and outlives the call.
    checked(unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut options) })?;
    Ok(options.retval)
}

pub fn program_info(program: &OwnedFd) -> io::Result<bpf_prog_info> {
    let mut info = bpf_prog_info::default();
    let mut length = size_of::<bpf_prog_info>() as u32;
    // SAFETY: the kernel writes at most `length` bytes into `info`, whose pointers to buffers are
    // all null.
    checked(unsafe {
        libbpf_sys::bpf_obj_get_info_by_fd(
            program.as_raw_fd(),
            (&raw mut info).cast(),
            &raw mut length,
        )
    })?;
    Ok(info)
}

pub fn has_program_type(kind: bpf_prog_type) -> bool {
    // SAFETY: it takes no options.
    unsafe { libbpf_sys::libbpf_probe_bpf_prog_type(kind, ptr::null()) == 1 }
}

pub fn has_map_type(kind: bpf_map_type) -> bool {
    // SAFETY: it takes no options.
    unsafe { libbpf_sys::libbpf_probe_bpf_map_type(kind, ptr::null()) == 1 }
}

/// A kprobe as a perf event, which is how all kernels have it.
pub fn open_kprobe(function: &str) -> io::Result<OwnedFd> {
    let name = CString::new(function)?;
    let kind = std::fs::read_to_string("/sys/bus/event_source/devices/kprobe/type")?;
    let mut event = libbpf_sys::perf_event_attr {
        type_: kind.trim().parse().map_err(io::Error::other)?,
        size: size_of::<libbpf_sys::perf_event_attr>() as u32,
        ..Default::default()
    };
    event.__bindgen_anon_3.kprobe_func = name.as_ptr() as u64;
    // SAFETY: the event and the name that it points to live as long as the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const event,
            -1,
            0,
            -1,
            u64::from(libbpf_sys::PERF_FLAG_FD_CLOEXEC),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    owned(fd as i32)
}

/// Lets a program run at a perf event.
pub fn attach_to_event(program: &OwnedFd, event: &OwnedFd) -> io::Result<()> {
    const SET_BPF: libc::Ioctl = 0x4004_2408;
    const ENABLE: libc::Ioctl = 0x2400;
    // SAFETY: both take a number, and no memory.
    unsafe {
        if libc::ioctl(event.as_raw_fd(), SET_BPF, program.as_raw_fd()) < 0
            || libc::ioctl(event.as_raw_fd(), ENABLE, 0) < 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The most memory that this process may lock.
pub fn limit_locked_memory(bytes: u64) -> io::Result<()> {
    setrlimit(Resource::RLIMIT_MEMLOCK, bytes, RLIM_INFINITY)?;
    Ok(())
}

/// Keeps this thread on the first CPU.
pub fn stay_on_first_cpu() -> io::Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(0)?;
    sched_setaffinity(this_thread(), &cpus)?;
    Ok(())
}

fn this_thread() -> Pid {
    Pid::from_raw(0)
}

/// BTF of a map value that holds a timer and nothing else; with the numbers of its key's and its
/// own type.
pub fn describe_timer() -> io::Result<(OwnedFd, u32, u32)> {
    // SAFETY: the object is ours until the process ends, and all names end with zero.
    unsafe {
        let btf = libbpf_sys::btf__new_empty();
        let word = libbpf_sys::btf__add_int(btf, c"long".as_ptr(), 8, 0);
        let key = libbpf_sys::btf__add_int(btf, c"int".as_ptr(), 4, 0);
        let timer = libbpf_sys::btf__add_struct(btf, c"bpf_timer".as_ptr(), 16);
        checked(libbpf_sys::btf__add_field(
            btf,
            c"first".as_ptr(),
            word,
            0,
            0,
        ))?;
        checked(libbpf_sys::btf__add_field(
            btf,
            c"second".as_ptr(),
            word,
            64,
            0,
        ))?;
        let value = libbpf_sys::btf__add_struct(btf, c"value".as_ptr(), 16);
        checked(libbpf_sys::btf__add_field(
            btf,
            c"timer".as_ptr(),
            timer,
            0,
            0,
        ))?;
        checked(libbpf_sys::btf__load_into_kernel(btf))?;
        let fd = libc::dup(libbpf_sys::btf__fd(btf));
        libbpf_sys::btf__free(btf);
        Ok((owned(fd)?, key as u32, value as u32))
    }
}
