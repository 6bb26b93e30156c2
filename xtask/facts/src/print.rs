//! The line of a fact.

use std::fmt::Display;

pub fn print_fact(name: &str, value: impl Display) {
    println!("{name} = {value}");
}

pub fn print_whether(name: &str, holds: bool) {
    print_fact(name, if holds { "yes" } else { "no" });
}
