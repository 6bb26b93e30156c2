//! With aya 0.14 and aya-log 0.3.

use std::net::UdpSocket;
use std::path::Path;

use anyhow::{Context as _, Result};
use aya::maps::perf::PerfEvent as PerfRecord;
use aya::maps::{HashMap, PerfEventArray};
use aya::programs::perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent};
use aya::programs::tc::{NlOptions, TcAttachOptions};
use aya::programs::uprobe::UProbeScope;
use aya::programs::{PerfEvent, SchedClassifier, SocketFilter, TcAttachType};
use aya::programs::{UProbe, Xdp, XdpMode};
use aya::util::online_cpus;
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;

pub fn load_object(object: &Path, pid: u32) -> Result<Ebpf> {
    // ANCHOR: loader
    let ebpf = EbpfLoader::new()
        .override_global("PID", &pid, true)
        .map_max_entries("SEEN", 64)
        .default_map_pin_directory("/sys/fs/bpf/example")
        .load_file(object)?;
    // ANCHOR_END: loader
    Ok(ebpf)
}

pub fn insert_count(ebpf: &mut Ebpf) -> Result<()> {
    // ANCHOR: map
    let map = ebpf.map_mut("COUNTS").context("cannot find COUNTS")?;
    let mut counts: HashMap<_, u32, u64> = HashMap::try_from(map)?;
    // ANCHOR_END: map
    counts.insert(1, 0, 0)?;
    Ok(())
}

pub fn attach_xdp(program: &mut Xdp) -> Result<()> {
    // ANCHOR: xdp
    program.attach("eth0", XdpMode::default())?;
    // ANCHOR_END: xdp
    Ok(())
}

pub fn attach_uprobe(program: &mut UProbe) -> Result<()> {
    // ANCHOR: uprobe
    program.attach("getaddrinfo", "libc", UProbeScope::AllProcesses)?;
    // ANCHOR_END: uprobe
    Ok(())
}

pub fn attach_sampler(program: &mut PerfEvent) -> Result<()> {
    // ANCHOR: perf-event
    program.attach(
        PerfEventConfig::Software(SoftwareEvent::CpuClock),
        PerfEventScope::AllProcessesOneCpu { cpu: 0 },
        SamplePolicy::Frequency(99),
        true,
    )?;
    // ANCHOR_END: perf-event
    Ok(())
}

pub fn filter_socket(program: &SocketFilter, socket: &UdpSocket) -> Result<()> {
    // ANCHOR: socket-filter
    program.attach(socket)?;
    // The filter stays on the socket, even after `program` is dropped.
    SocketFilter::detach(socket)?;
    // ANCHOR_END: socket-filter
    Ok(())
}

pub fn attach_tc(program: &mut SchedClassifier) -> Result<()> {
    // ANCHOR: tc
    let options = TcAttachOptions::Netlink(NlOptions {
        priority: 1,
        handle: 1.into(),
        ..Default::default()
    });
    program.attach_with_options("eth0", TcAttachType::Egress, options)?;
    // ANCHOR_END: tc
    Ok(())
}

pub fn read_perf_array(ebpf: &mut Ebpf) -> Result<()> {
    // ANCHOR: perf-array
    let map = ebpf.take_map("EVENTS").context("cannot find EVENTS")?;
    let mut events = PerfEventArray::try_from(map)?;
    for cpu in online_cpus().map_err(|(_, error)| error)? {
        let mut buffer = events.open(cpu, None)?;
        buffer.for_each(|record| match record {
            PerfRecord::Sample { head, tail } => println!("{head:?} {tail:?}"),
            PerfRecord::Lost { count } => println!("{count} lost"),
        });
    }
    // ANCHOR_END: perf-array
    Ok(())
}

pub fn print_messages(ebpf: &mut Ebpf, mut work: impl FnMut() -> bool) -> Result<()> {
    // ANCHOR: logger
    let mut logger = EbpfLogger::init(ebpf)?;
    // Load and attach the programs after this line, and keep the logger.
    while work() {
        logger.flush();
    }
    // ANCHOR_END: logger
    Ok(())
}
