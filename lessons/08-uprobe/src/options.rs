//! What to watch, as it is typed, and how an event looks on the screen.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{ArgGroup, Parser, ValueEnum};
use common::{Implementation, elf, text};

use crate::event::{ENTER, NO_TEXT, POINT, ProbeEvent, RETURN};

/// Watches functions and probe points of programs and libraries.
///
/// Needs root. With --function or --usdt it shows calls until Ctrl-C.
#[derive(Parser)]
#[command(version, group(ArgGroup::new("mode").required(true).args(
    ["function", "usdt", "demo", "points", "cost", "first"])))]
pub struct Cli {
    /// Which of the two sets of programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    pub implementation: Implementation,
    /// A function: its symbol or its path in Rust, or the start of any instruction, as an offset in
    /// the file that begins with 0x
    #[arg(long, value_name = "NAME", requires = "file")]
    pub function: Option<String>,
    /// A USDT probe point
    #[arg(long, value_name = "PROVIDER:NAME", requires = "file", value_parser = parse_point)]
    pub usdt: Option<String>,
    /// The program or library; libc.so.6 and other libraries of this program need no path
    #[arg(long, value_name = "PATH", conflicts_with_all = ["demo", "points", "cost", "first"])]
    pub file: Option<PathBuf>,
    /// Only this process; otherwise every process that has the file mapped
    #[arg(long, requires = "file")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    pub pid: Option<u32>,
    /// What the arguments are, up to three, as in string,int
    #[arg(
        long,
        value_name = "KINDS",
        value_enum,
        value_delimiter = ',',
        requires = "file"
    )]
    pub arguments: Vec<Kind>,
    /// Read the string where a page fault is allowed (since Linux 6.0)
    #[arg(long, requires = "function")]
    pub sleepable: bool,
    /// Watch functions of a child process, and stop
    #[arg(long)]
    pub demo: bool,
    /// Watch probe points of a child process, and stop
    #[arg(long)]
    pub points: bool,
    /// Measure what watching a function adds to a call
    #[arg(long)]
    pub cost: bool,
    /// The chapter's first program: a line of text for a call of getenv
    #[arg(long)]
    pub first: bool,
}

/// What an argument is.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Kind {
    /// A number with sign, of 32 bits
    Int,
    /// All 64 bits
    Hex,
    /// The address of a C string; at most one argument
    String,
}

/// A function or a probe point, and whose calls are wanted.
#[derive(Clone)]
pub struct Watch {
    pub file: PathBuf,
    pub name: String,
    pub pid: Option<u32>,
    pub arguments: Vec<Kind>,
    pub sleepable: bool,
}

fn parse_point(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((provider, name)) if !provider.is_empty() && !name.is_empty() => Ok(text.to_owned()),
        _ => Err("it must be a provider and a name, as in lesson:reply".to_owned()),
    }
}

impl Cli {
    /// What `--function` or `--usdt` names.
    pub fn watch(&self) -> Result<Watch> {
        let file = self.file.as_ref().context("cannot watch without --file")?;
        let name = self.function.as_ref().or(self.usdt.as_ref());
        let name = name.context("cannot watch without a name")?;
        let strings = self.arguments.iter().filter(|kind| **kind == Kind::String);
        if self.arguments.len() > 3 || strings.count() > 1 {
            bail!("cannot show more than three --arguments, or two strings");
        }
        let watch = Watch::new(&elf::find_library(file)?, name, self.pid, &self.arguments);
        Ok(Watch {
            sleepable: self.sleepable,
            ..watch
        })
    }
}

impl Watch {
    pub fn new(file: &Path, name: &str, pid: Option<u32>, arguments: &[Kind]) -> Self {
        let (name, arguments) = (name.to_owned(), arguments.to_vec());
        Self {
            file: file.to_owned(),
            name,
            pid,
            arguments,
            sleepable: false,
        }
    }

    /// The provider and the name of a probe point.
    pub fn split_name(&self) -> Result<(&str, &str)> {
        self.name
            .split_once(':')
            .context("cannot find the provider")
    }

    /// The number of the argument that is a string.
    pub fn text(&self) -> u32 {
        let mut kinds = self.arguments.iter();
        let text = kinds.position(|kind| *kind == Kind::String);
        text.map_or(NO_TEXT, |number| number as u32)
    }

    /// An event as a line.
    pub fn format_event(&self, event: &ProbeEvent) -> String {
        let comm = text::printable(text::until_nul(&event.comm));
        let process = format!("pid={:<8} {comm}", event.pid);
        let name = &self.name;
        match event.kind {
            ENTER => format!("  uprobe     {process}  {name}({})", self.arguments(event)),
            RETURN => format!(
                "  uretprobe  {process}  {name} = {}",
                event.values[0] as i32
            ),
            POINT => format!("  usdt       {process}  {name}({})", self.arguments(event)),
            kind => format!("  {process} sent an event of the unknown kind {kind}"),
        }
    }

    fn arguments(&self, event: &ProbeEvent) -> String {
        let values = event.values.iter().zip(&self.arguments);
        let values = values.map(|(value, kind)| match kind {
            Kind::Int => (*value as i32).to_string(),
            Kind::Hex => format!("{value:#x}"),
            Kind::String => match text::errno_name(event.text_error) {
                Some(error) => format!("unreadable ({error})"),
                None => format!("\"{}\"", text::printable_name(&event.text)),
            },
        });
        values.collect::<Vec<_>>().join(", ")
    }
}
