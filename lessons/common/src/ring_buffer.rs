//! The records of a ring buffer, one after the other, whichever library reads it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::maps::{MapData, RingBuf};
use libbpf_rs::{MapCore, RingBufferBuilder};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Stop;

/// How long to sleep at most before looking at `Stop` and the deadline again.
const WAIT: Duration = Duration::from_millis(200);

/// How many records libbpf may queue at once. Without a limit it goes on until the ring buffer is
/// empty: in a flood of records that is never, and the queue grows.
const BATCH: usize = 64;

/// How long the records that are in the ring buffer at Ctrl-C are read at most.
const DRAIN: Duration = Duration::from_secs(5);

/// The reader of one ring buffer.
pub trait RingBuffer {
    /// The oldest record that has not been read yet.
    fn next_record(&mut self) -> Result<Option<Vec<u8>>>;

    /// Sleeps until a record arrives, a signal arrives, or `limit` has passed.
    fn wait(&mut self, limit: Duration) -> Result<()>;
}

/// The next record of the ring buffer, as soon as there is one; `None` after Ctrl-C. An error if
/// `deadline` passes first.
pub fn wait_for_record(
    ring_buffer: &mut dyn RingBuffer,
    stop: &Stop,
    deadline: Option<Instant>,
) -> Result<Option<Vec<u8>>> {
    loop {
        // What came before Ctrl-C is still shown; but in a flood there is always a next record.
        if stop.time_since().is_some_and(|time| time > DRAIN) {
            return Ok(None);
        }
        if let Some(record) = ring_buffer.next_record()? {
            return Ok(Some(record));
        }
        if stop.is_set() {
            return Ok(None);
        }
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            bail!("the record that was expected did not arrive in time");
        }
        ring_buffer.wait(WAIT)?;
    }
}

/// The value of `--buffer`, in KiB, as bytes. The kernel takes whole pages, and only powers of two;
/// both libraries would round up silently.
pub fn parse_size(kib: &str) -> Result<u32, String> {
    match kib.parse::<u32>() {
        Ok(kib @ 4..=65536) if kib.is_power_of_two() => Ok(kib * 1024),
        _ => Err("it must be a power of two from 4 to 65536: 4, 8, 16, ...".to_owned()),
    }
}

// ANCHOR: aya
/// A ring buffer that aya reads.
pub struct AyaRingBuffer(RingBuf<MapData>);

impl AyaRingBuffer {
    /// Takes the map out of `ebpf`; the programs go on writing to it.
    pub fn open(ebpf: &mut Ebpf, map: &str) -> Result<Self> {
        let map = ebpf
            .take_map(map)
            .with_context(|| format!("cannot find the map {map}"))?;
        Ok(Self(
            RingBuf::try_from(map).context("cannot open the ring buffer")?,
        ))
    }
}

impl RingBuffer for AyaRingBuffer {
    fn next_record(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.0.next().map(|record| record.to_vec()))
    }

    fn wait(&mut self, limit: Duration) -> Result<()> {
        wait_until_readable(self.0.as_fd(), limit)
    }
}
// ANCHOR_END: aya

// ANCHOR: libbpf
/// A ring buffer that libbpf reads. libbpf hands each record to a callback, which queues it here.
pub struct LibbpfRingBuffer {
    ring_buffer: libbpf_rs::RingBuffer<'static>,
    queue: Rc<RefCell<VecDeque<Vec<u8>>>>,
}

impl LibbpfRingBuffer {
    pub fn open(map: &dyn MapCore) -> Result<Self> {
        let queue = Rc::new(RefCell::new(VecDeque::new()));
        let filled = Rc::clone(&queue);
        let mut builder = RingBufferBuilder::new();
        builder
            .add(map, move |record| {
                filled.borrow_mut().push_back(record.to_vec());
                0
            })
            .context("cannot open the ring buffer")?;
        let ring_buffer = builder.build().context("cannot open the ring buffer")?;
        Ok(Self { ring_buffer, queue })
    }
}

impl RingBuffer for LibbpfRingBuffer {
    fn next_record(&mut self) -> Result<Option<Vec<u8>>> {
        if self.queue.borrow().is_empty() {
            let result = self.ring_buffer.consume_raw_n(BATCH);
            if result < 0 {
                let error = io::Error::from_raw_os_error(-result);
                return Err(error).context("cannot read the ring buffer");
            }
        }
        Ok(self.queue.borrow_mut().pop_front())
    }

    fn wait(&mut self, limit: Duration) -> Result<()> {
        // libbpf's own `poll` reads all records as well.
        // SAFETY: the file descriptor stays open as long as the ring buffer.
        let epoll = unsafe { BorrowedFd::borrow_raw(self.ring_buffer.epoll_fd()) };
        wait_until_readable(epoll, limit)
    }
}
// ANCHOR_END: libbpf

/// Several ring buffers that are read as if they were one.
#[derive(Default)]
pub struct JoinedRingBuffers(Vec<Box<dyn RingBuffer>>);

impl JoinedRingBuffers {
    pub fn add(&mut self, ring_buffer: impl RingBuffer + 'static) {
        self.0.push(Box::new(ring_buffer));
    }
}

impl RingBuffer for JoinedRingBuffers {
    fn next_record(&mut self) -> Result<Option<Vec<u8>>> {
        for ring_buffer in &mut self.0 {
            if let Some(record) = ring_buffer.next_record()? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Shorter than `limit` if there are several: only the first can end the wait.
    fn wait(&mut self, limit: Duration) -> Result<()> {
        let share = u32::try_from(self.0.len()).unwrap_or(1).max(1);
        match self.0.first_mut() {
            Some(first) => first.wait(limit / share),
            None => Ok(()),
        }
    }
}

fn wait_until_readable(descriptor: BorrowedFd<'_>, limit: Duration) -> Result<()> {
    let timeout = PollTimeout::try_from(limit).context("cannot convert the time limit")?;
    match poll(&mut [PollFd::new(descriptor, PollFlags::POLLIN)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error).context("cannot wait for the ring buffer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sizes_that_the_kernel_takes() {
        assert_eq!(parse_size("4"), Ok(4096));
        assert_eq!(parse_size("65536"), Ok(64 << 20));
        for kib in ["0", "2", "5", "12", "131072", "-4", "4k", "", "99999999999"] {
            assert!(parse_size(kib).is_err(), "{kib}");
        }
    }

    /// Has so many records.
    struct Filled(usize);

    impl RingBuffer for Filled {
        fn next_record(&mut self) -> Result<Option<Vec<u8>>> {
            let left = self.0.checked_sub(1);
            self.0 = left.unwrap_or(0);
            Ok(left.map(|left| vec![left as u8]))
        }

        fn wait(&mut self, _: Duration) -> Result<()> {
            bail!("nothing to wait for after Ctrl-C")
        }
    }

    #[test]
    fn what_came_before_ctrl_c_is_still_read() {
        let stop = Stop::catch().expect("signals can be caught");
        stop.set();
        let mut records = Filled(3);
        let mut read = || wait_for_record(&mut records, &stop, None).expect("nothing fails");
        for expected in [2, 1, 0] {
            assert_eq!(read(), Some(vec![expected]));
        }
        assert_eq!(read(), None);
    }
}
