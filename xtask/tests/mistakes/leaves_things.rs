//! The user-space program of somebody who leaves things behind: what it is, is chosen when it is
//! compiled. Otherwise it says what it should say.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("stay") {
        sleep(Duration::from_secs(1000));
    }
    match env!("LEAVES") {
        "a setting" => fs::write("/proc/sys/kernel/hostname", "left").unwrap(),
        "a process" => drop(Command::new("/proc/self/exe").arg("stay").spawn().unwrap()),
        "a crash" => fs::write("/proc/sysrq-trigger", "c").unwrap(),
        other => panic!("nobody can leave {other}"),
    }
    println!("ready");
    for _ in std::io::stdin().lines() {
        println!("done");
    }
}
