//! Whatever a guest can bring up, in one queue.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use plan::{News, Size};

/// Bytes of a guest's frames that may wait here. When there are more, they wait in the guest: its
/// output may come quicker than it is read, for example by a pager.
const MOST_WAITING: usize = 16 << 20;

pub enum Event {
    News(News),
    Output(Stream, Vec<u8>),
    /// The kernel printed this line, and has crashed.
    Crashed(String),
    /// QEMU is gone, or the guest speaks nonsense.
    LineClosed(String),
    Signal(i32),
    Key(Vec<u8>),
    Resized(Size),
    /// The user wants to leave, whatever the guest is doing.
    Leave,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// An event, and when it came: it may be taken out much later.
struct Arrival {
    event: Event,
    at: Instant,
    /// Given back when the event is taken out.
    _room: Option<Room>,
}

#[derive(Clone)]
pub struct EventSender {
    arrivals: Sender<Arrival>,
    backlog: Arc<Backlog>,
}

pub struct EventQueue {
    arrivals: Receiver<Arrival>,
    /// One that came after a deadline, for whoever has a later one.
    late: Option<Arrival>,
}

/// A queue, and the way into it.
pub fn open_queue() -> (EventSender, EventQueue) {
    let (sender, arrivals) = mpsc::channel();
    let sender = EventSender {
        arrivals: sender,
        backlog: Arc::default(),
    };
    let queue = EventQueue {
        arrivals,
        late: None,
    };
    (sender, queue)
}

impl EventSender {
    /// Returns false when nobody listens any more.
    pub fn send_event(&self, event: Event) -> bool {
        self.send_arrival(event, Instant::now(), None)
    }

    /// The same for what came in a frame of so many bytes. Waits until there is room for it.
    pub fn send_frame(&self, event: Event, bytes: usize) -> bool {
        // A guest that was in time stays so, however long this takes.
        let at = Instant::now();
        let room = Room::take_bytes(&self.backlog, bytes);
        self.send_arrival(event, at, Some(room))
    }

    fn send_arrival(&self, event: Event, at: Instant, room: Option<Room>) -> bool {
        let arrival = Arrival {
            event,
            at,
            _room: room,
        };
        self.arrivals.send(arrival).is_ok()
    }
}

impl EventQueue {
    /// The next event that came until the deadline, or `None`. A guest that never stops talking
    /// gets no further than a silent one.
    pub fn next_event(&mut self, deadline: Option<Instant>) -> Option<Event> {
        let closed = || Event::LineClosed("the guest's line is closed".to_owned());
        let received = match (self.late.take(), deadline) {
            (Some(late), _) => Ok(late),
            (None, None) => self
                .arrivals
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            (None, Some(deadline)) => {
                let rest = deadline.saturating_duration_since(Instant::now());
                self.arrivals.recv_timeout(rest)
            }
        };
        match received {
            Ok(arrival) if deadline.is_some_and(|deadline| arrival.at > deadline) => {
                self.late = Some(arrival);
                None
            }
            Ok(arrival) => Some(arrival.event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(closed()),
        }
    }

    /// What is there already.
    pub fn take_waiting(&mut self) -> Option<Event> {
        let arrival = self.late.take().or_else(|| self.arrivals.try_recv().ok())?;
        Some(arrival.event)
    }
}

/// How many bytes of frames are in a queue.
#[derive(Default)]
struct Backlog {
    bytes: Mutex<usize>,
    is_less: Condvar,
}

/// The part of a backlog that one event is.
struct Room {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Room {
    fn take_bytes(backlog: &Arc<Backlog>, bytes: usize) -> Self {
        let taken = backlog.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |taken: &mut usize| *taken >= MOST_WAITING;
        let mut taken = backlog
            .is_less
            .wait_while(taken, is_full)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += bytes;
        Self {
            backlog: Arc::clone(backlog),
            bytes,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let taken = self.backlog.bytes.lock();
        *taken.unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.backlog.is_less.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_waits_in_the_guest() {
        const PIECE: usize = 1 << 20;
        const ROOM: usize = MOST_WAITING / PIECE;
        let (sender, mut queue) = open_queue();
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        let flood = thread::spawn(move || {
            let output = || Event::Output(Stream::Stdout, Vec::new());
            while counter.load(Ordering::Relaxed) < 10 * ROOM && sender.send_frame(output(), PIECE)
            {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let wait_for = |count| {
            while sent.load(Ordering::Relaxed) < count {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(20));
            assert_eq!(sent.load(Ordering::Relaxed), count);
        };
        wait_for(ROOM);
        assert!(queue.take_waiting().is_some());
        wait_for(ROOM + 1);
        // What waits for room ends with the queue.
        drop(queue);
        flood.join().unwrap();
        assert_eq!(sent.load(Ordering::Relaxed), ROOM + 1);
    }

    #[test]
    fn who_never_stops_talking_is_late_all_the_same() {
        let (sender, mut queue) = open_queue();
        let deadline = Instant::now();
        thread::sleep(Duration::from_millis(1));
        for number in 0..3 {
            assert!(sender.send_event(Event::Output(Stream::Stdout, vec![number])));
        }
        assert!(queue.next_event(Some(deadline)).is_none());
        // Whoever waits longer after all gets each of them.
        for number in 0..3 {
            let event = queue.next_event(Some(Instant::now()));
            assert!(matches!(event, Some(Event::Output(_, bytes)) if bytes == [number]));
        }
    }

    #[test]
    fn what_came_in_time_is_heard_later() {
        let (sender, mut queue) = open_queue();
        sender.send_event(Event::News(News::Finished(0)));
        let deadline = Instant::now();
        thread::sleep(Duration::from_millis(1));
        assert!(queue.next_event(Some(deadline)).is_some());
        drop(sender);
        let end = queue.next_event(Some(Instant::now()));
        assert!(matches!(end, Some(Event::LineClosed(_))));
    }
}
