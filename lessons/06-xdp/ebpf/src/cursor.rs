//! Goes through a frame, header by header. The verifier refuses a program that reads a byte of a
//! packet before it has compared the byte's end with the end of the packet.

use core::hint::black_box;

// ANCHOR: bounds
/// The part of a frame that has not been read yet.
pub struct Cursor {
    /// The address of the next header.
    at: usize,
    /// The end of the frame.
    end: usize,
    /// Bytes that are left: of the frame, and once `limit_packet` was called, of the IP packet. The
    /// packet may end before the frame does, because short frames are padded.
    left: usize,
}

impl Cursor {
    /// `black_box` hides from the compiler that `left` is `end - data`. It would drop one of the
    /// two comparisons in `skip_bytes` and keep the one that the verifier does not understand.
    #[inline(always)]
    pub fn new(data: usize, end: usize) -> Self {
        Self {
            at: data,
            end,
            left: black_box(end - data),
        }
    }

    /// The next header, or `None` if it is not all there.
    #[inline(always)]
    pub fn take_header<'a, T>(&mut self) -> Option<&'a mut T> {
        let header = self.at as *mut T;
        self.skip_bytes(size_of::<T>())?;
        // SAFETY: `skip_bytes` made sure that the header is inside the frame; any bytes make a
        // header, whose alignment is 1 or 2, as that of every address here; and the cursor has
        // moved on, so it never hands out these bytes again.
        Some(unsafe { &mut *header })
    }

    #[inline(always)]
    pub fn skip_bytes(&mut self, size: usize) -> Option<()> {
        if size > self.left || self.at + size > self.end {
            return None;
        }
        self.at += size;
        self.left -= size;
        Some(())
    }
    // ANCHOR_END: bounds

    /// Ends the packet after `length` more bytes. `None` if the frame has fewer.
    #[inline(always)]
    pub fn limit_packet(&mut self, length: usize) -> Option<()> {
        if length > self.left {
            return None;
        }
        self.left = length;
        Some(())
    }

    #[inline(always)]
    pub fn bytes_left(&self) -> usize {
        self.left
    }
}
