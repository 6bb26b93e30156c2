//! Loading with libbpf-rs, and its way to the verifier's log.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{ObjectBuilder, PrintLevel, set_print};

use crate::verdict::Verdict;

/// What libbpf prints. Its print function gets nothing but the text, so the text must lie where all
/// can reach it.
static PRINTED: Mutex<String> = Mutex::new(String::new());

// ANCHOR: load
pub fn load(object: Option<&[u8]>) -> Result<Verdict> {
    let object = object.context("find the program: this entry has none in C")?;
    PRINTED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
    set_print(Some((PrintLevel::Warn, |_, text| {
        PRINTED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_str(&text);
    })));
    let loaded = ObjectBuilder::default()
        .open_memory(object)
        .context("open the program")?
        .load();
    let printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
    match (loaded, log(&printed)) {
        (Ok(_), _) => Ok(Verdict::Accepted),
        // The log is a part of what libbpf printed.
        (Err(_), Some(log)) => Ok(Verdict::Rejected(log.to_owned())),
        (Err(error), None) => bail!("load the program: {error}; libbpf said: {printed}"),
    }
}

fn log(printed: &str) -> Option<&str> {
    let (_, after) = printed.split_once("-- BEGIN PROG LOAD LOG --\n")?;
    after
        .split_once("-- END PROG LOAD LOG --")
        .map(|(log, _)| log)
}
// ANCHOR_END: load

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_lies_between_two_marks() {
        let printed = "libbpf: prog 'x': BPF program load failed: -EACCES\n\
            libbpf: prog 'x': -- BEGIN PROG LOAD LOG --\none\ntwo\n-- END PROG LOAD LOG --\nlibbpf: failed\n";
        assert_eq!(log(printed), Some("one\ntwo\n"));
        assert_eq!(log("libbpf: something else"), None);
    }
}
