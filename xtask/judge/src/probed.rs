//! Functions of the judge, for probes in user space to see, and where they are in its file.

use std::ffi::c_char;
use std::fs;
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// Its name in the exercise's task. It does not matter what the judge's file calls it.
#[derive(Clone, Copy, Debug)]
pub struct ProbedFunction {
    pub name: &'static str,
    pub address: fn() -> usize,
}

pub const FIND_USER: ProbedFunction = ProbedFunction {
    name: "find_user",
    address: || find_user as *const () as usize,
};

pub const PAY: ProbedFunction = ProbedFunction {
    name: "pay",
    address: || pay as *const () as usize,
};

/// What the kernel wants to know: a file, and how far from its start.
pub struct FilePlace {
    pub path: PathBuf,
    pub offset: u64,
}

impl ProbedFunction {
    pub fn find_place(self) -> io::Result<FilePlace> {
        let address = (self.address)();
        let maps = fs::read_to_string("/proc/self/maps")?;
        maps.lines()
            .find_map(|line| place_in(line, address))
            .ok_or_else(|| io::Error::other(format!("{address:#x} is in no mapped file")))
    }
}

/// A line is `ADDRESS-ADDRESS PERMISSIONS OFFSET DEVICE INODE PATH`.
fn place_in(line: &str, address: usize) -> Option<FilePlace> {
    let mut words = line.split_ascii_whitespace();
    let (begin, end) = words.next()?.split_once('-')?;
    let hexadecimal = |text| usize::from_str_radix(text, 16).ok();
    let range: Range<usize> = hexadecimal(begin)?..hexadecimal(end)?;
    let offset = hexadecimal(words.nth(1)?)?;
    let path = words.nth(2)?;
    range.contains(&address).then(|| FilePlace {
        path: PathBuf::from(path),
        offset: (offset + address - range.start) as u64,
    })
}

/// The address may be any: nothing here reads from it.
pub fn call_find_user(name: *const c_char) {
    let find_user = black_box(find_user as extern "C" fn(*const c_char) -> u32);
    black_box(find_user(name));
}

#[inline(never)]
extern "C" fn find_user(name: *const c_char) -> u32 {
    black_box(name);
    0
}

/// A call of `pay`.
pub struct Payment<'a> {
    pub account: u32,
    /// 0, or an error as a negative number.
    pub result: i32,
    /// What happens while it runs.
    pub meanwhile: &'a mut dyn FnMut(),
}

impl Payment<'_> {
    pub fn call(mut self) {
        let pay = black_box(pay as extern "C" fn(u32, u64, &mut Payment<'_>) -> i32);
        black_box(pay(self.account, fastrand::u64(..), &mut self));
    }
}

/// To C, an `int` with 32 bits: the half of the register that it leaves over says nothing.
#[inline(never)]
extern "C" fn pay(account: u32, cents: u64, payment: &mut Payment<'_>) -> i32 {
    black_box((account, cents));
    (payment.meanwhile)();
    payment.result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_function_is_in_this_program() {
        let place = FIND_USER.find_place().expect("it is in a file");
        assert_eq!(place.path, std::env::current_exe().expect("a program"));
        let file = fs::read(&place.path).expect("it can be read");
        // SAFETY: the first bytes of a function.
        let code = unsafe { *((FIND_USER.address)() as *const [u8; 4]) };
        assert_eq!(file[place.offset as usize..][..4], code);
    }

    #[test]
    fn a_mapping_that_has_no_file_has_no_place() {
        let line = "7f0000001000-7f0000002000 rw-p 00000000 00:00 0";
        assert!(place_in(line, 0x7f00_0000_1000).is_none());
    }
}
