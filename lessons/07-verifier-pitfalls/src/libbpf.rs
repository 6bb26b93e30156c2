//! Loads a program with libbpf-rs, which prints the verifier's log.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{ObjectBuilder, PrintLevel, set_print};

use crate::log::Loaded;

/// What libbpf printed. Its print function gets only the text, so it can pass it on only through a
/// global variable.
static PRINTED: Mutex<String> = Mutex::new(String::new());

/// Collects what libbpf would print on standard error.
pub fn open_loader() {
    set_print(Some((PrintLevel::Warn, |_level, text| {
        let mut printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
        printed.push_str(&text);
    })));
}

// ANCHOR: load
pub fn load(object: Option<&[u8]>) -> Result<Loaded> {
    let object = object.context("cannot load the program: this entry has none in C")?;
    take_printed();
    let loaded = ObjectBuilder::default()
        .open_memory(object)
        .context("cannot open the program")?
        .load();
    let printed = take_printed();
    match loaded {
        Ok(_) => Ok(Loaded::Accepted),
        Err(error) => match cut_log(&printed) {
            Some(log) => Ok(Loaded::Rejected(log.to_owned())),
            None => bail!("cannot load the program: {error}; libbpf said: {printed}"),
        },
    }
}

/// The verifier's log is between two marks.
fn cut_log(printed: &str) -> Option<&str> {
    let (_, after) = printed.split_once("-- BEGIN PROG LOAD LOG --\n")?;
    let (log, _) = after.split_once("-- END PROG LOAD LOG --")?;
    Some(log)
}
// ANCHOR_END: load

fn take_printed() -> String {
    let mut printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_between_two_marks() {
        let printed = "libbpf: prog 'x': BPF program load failed: -EACCES\n\
            libbpf: prog 'x': -- BEGIN PROG LOAD LOG --\n\
            one\ntwo\n\
            -- END PROG LOAD LOG --\n\
            libbpf: failed\n";
        assert_eq!(cut_log(printed), Some("one\ntwo\n"));
        assert_eq!(cut_log("libbpf: something else"), None);
    }
}
