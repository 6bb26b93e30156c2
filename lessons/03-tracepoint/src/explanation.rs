//! What the demo says about the three ways, with the numbers of the running kernel.

use common::NotReady;

use crate::event::Event;
use crate::format::{Field, Format};
use crate::offsets::Structs;
use crate::settings::Settings;
use crate::way::{EVENT, Way};

/// All that is to be said before the demo begins.
pub fn of_ways(settings: &Settings) -> Result<String, NotReady> {
    let mut text = format!("event       {EVENT}: a process has begun to run another program\n");
    for way in &settings.ways {
        text += &match way {
            Way::Tracepoint => of_record(&Format::read(EVENT)?, &Format::read(EXAMPLE)?)?,
            Way::Raw => of_pointers(settings.structs.as_ref()),
            Way::Btf => TYPED.to_owned(),
        };
    }
    Ok(text)
}

fn of_record(format: &Format, example: &Format) -> Result<String, NotReady> {
    let is_common = |field: &&Field| field.declaration.contains(" common_");
    let common: u32 = format
        .fields
        .iter()
        .filter(is_common)
        .map(|field| field.size)
        .sum();
    let mut text = String::from(RECORD);
    for Field {
        declaration,
        offset,
        size,
    } in format.fields.iter().filter(|field| !is_common(field))
    {
        text += &format!("            offset {offset:>2}, size {size}: {declaration}\n");
    }
    let moved = example.field("pid_t child_pid")?.offset;
    let numbers = [("COMMON", common), ("MOVED", moved)];
    Ok(numbers.iter().fold(text + OFFSETS, |text, (name, number)| {
        text.replace(name, &number.to_string())
    }))
}

fn of_pointers(structs: Option<&Structs>) -> String {
    let mut text = String::from(POINTERS);
    if let Some(structs) = structs {
        let places = [
            ("task_struct.tgid", structs.task_tgid),
            ("task_struct.comm", structs.task_comm),
            ("linux_binprm.filename", structs.bprm_filename),
        ];
        for (field, offset) in places {
            text += &format!("            offset {offset}: {field}\n");
        }
    }
    text
}

/// The program was executed by a thread that was not the first of its process.
pub fn of_thread(event: &Event) -> String {
    let (thread, process) = (event.old_pid, event.pid);
    format!(
        "old_pid: thread {thread} called execve. It is the only one now, with the id of process {process}."
    )
}

/// An event of the same family that did change: Linux 6.12 and 6.18 were looked at.
const EXAMPLE: &str = "sched_process_fork";

const RECORD: &str = "
tracepoint  The kernel writes a record of the event; a file called `format` says what lies where:
";

const OFFSETS: &str = "            __data_loc is no text: it says where in the record the text begins, and how long it is.
            The offsets are read at every start, because they move: in front are COMMON bytes that all events have,
            and some kernels have more there (real-time ones did); and the events themselves change. An example:
            sched_process_fork has its child_pid at offset MOVED here (44 in Linux 6.12, 20 in Linux 6.18).
";

const POINTERS: &str = "
raw         No record: the program gets what the kernel's code hands to the event, here task, old_pid and bprm.
            Two are pointers, and only a helper may follow them. Where the fields lie, the kernel's BTF says:
";

const TYPED: &str = "
btf         The same three, but the verifier knows their types from BTF: plain loads are enough, and a load
            from where no such field is gets refused before the program runs.
";

pub const MISSED: &str = "
/no/such/program was executed too, and there is no event: it comes when the new program is in place. To see
attempts that fail, watch the tracepoint sys_enter_execve.";

pub const AGREED: &str = "They all saw the same. A parent only raw and btf can tell: it is in the struct, not in the record.";
