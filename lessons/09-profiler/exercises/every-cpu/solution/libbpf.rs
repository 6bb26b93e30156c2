//! Takes samples on each CPU, at a rate that can be changed.

use std::env;
use std::io;
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, bail};
use libbpf_rs::libbpf_sys::{self, perf_event_attr};
use libbpf_rs::{Link, ObjectBuilder, ProgramMut, num_possible_cpus};
use nix::errno::Errno;
use nix::libc;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().context("name the eBPF program's file")?;
    let hertz = arguments.next().context("name a rate")?.parse()?;
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let program = object.progs_mut().find(|it| it.name() == "on_sample");
    let program = program.context("cannot find on_sample")?;
    let mut links = attach(&program, hertz)?;
    println!("ready");

    for line in io::stdin().lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("rate", hertz)) => {
                // A link that is dropped detaches the program, and closes its event.
                drop(links);
                links = attach(&program, hertz.parse()?)?;
            }
            _ => bail!("unknown command: {line}"),
        }
        println!("done");
    }
    Ok(())
}

/// One event on each CPU; none at a rate of 0.
fn attach(program: &ProgramMut<'_>, hertz: u64) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    if hertz == 0 {
        return Ok(links);
    }
    for cpu in 0..num_possible_cpus()? {
        let event = open_clock(cpu as i32, hertz)?;
        links.push(program.attach_perf_event(event.into_raw_fd())?);
    }
    Ok(links)
}

/// The clock of this CPU, for all processes.
fn open_clock(cpu: i32, hertz: u64) -> Result<OwnedFd> {
    let mut event = perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_SOFTWARE,
        size: size_of::<perf_event_attr>() as u32,
        config: libbpf_sys::PERF_COUNT_SW_CPU_CLOCK.into(),
        ..Default::default()
    };
    event.set_freq(1);
    event.__bindgen_anon_1.sample_freq = hertz;
    let (all_processes, no_group) = (-1, -1);
    let flags = u64::from(libbpf_sys::PERF_FLAG_FD_CLOEXEC);
    let call = libc::SYS_perf_event_open;
    // SAFETY: the kernel reads the description of the event, which says how long it is.
    let result =
        unsafe { libc::syscall(call, &raw const event, all_processes, cpu, no_group, flags) };
    let descriptor = Errno::result(result)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}
