//! Watches a function in the processes that it is told.

use std::collections::HashMap;
use std::env;
use std::io;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{ObjectBuilder, UprobeOpts};

fn main() -> Result<()> {
    let object = env::args().nth(1).context("name the eBPF program's file")?;
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let mut programs = object.progs_mut();
    let program = programs.find(|program| program.name() == "on_call");
    let program = program.context("cannot find on_call")?;
    let mut links = HashMap::new();
    println!("ready");

    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["watch", process, function] => {
                let process: i32 = process.parse()?;
                let file = format!("/proc/{process}/exe");
                let options = UprobeOpts {
                    func_name: Some(function.to_owned()),
                    ..UprobeOpts::default()
                };
                let link = program.attach_uprobe_with_opts(process, file, 0, options)?;
                links.insert(process, link);
            }
            // A link that is dropped detaches the program.
            ["forget", process] => drop(links.remove(&process.parse()?)),
            _ => bail!("unknown command: {line}"),
        }
        println!("done");
    }
    Ok(())
}
