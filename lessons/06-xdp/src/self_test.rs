//! Unit tests of the kernel side: frames made by hand go through BPF_PROG_TEST_RUN, which runs a
//! loaded program without any interface, and gives back its verdict and the frame as it left it.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::cases::{self, Case};
use crate::counters::{Row, verdict_name};
use crate::firewall::Firewall;
use crate::frame;
use crate::interface::Interface;
use crate::output::Output;
use crate::rules::Action;

pub const BLOCKED: [&str; 2] = ["192.0.2.0/24", "2001:db8:bad::/48"];
pub const ALLOWED: &str = "192.0.2.7/32";
pub const REDIRECTED: u16 = 8000;

/// As many as would show a counter that loses some now and then.
const MANY: u32 = 100_000;

/// The shortest frame that BPF_PROG_TEST_RUN takes: the Ethernet header.
const SHORTEST: usize = 14;

pub fn run(firewall: &mut dyn Firewall, output: Output) -> Result<()> {
    prepare(firewall)?;
    let blocked = BLOCKED.join(" and ");
    output.prose(&format!("rules     {blocked} drop, {ALLOWED} pass"))?;
    output.prose(&format!(
        "besides   pings are answered, and UDP port {REDIRECTED} is redirected"
    ))?;
    output.prose(&format!(
        "\n  {:52} {:>5} {:9} counted as",
        "frame", "bytes", "verdict"
    ))?;
    for case in cases::all()? {
        judge(firewall, &case).with_context(|| case.name.to_owned())?;
        show(output, case.name, case.frame.len(), case.verdict, case.kind)?;
    }
    for (name, frame) in cases::whole()? {
        let lengths = cut_short(firewall, name, &frame)?;
        let text = format!("{name}: cut at {lengths} lengths");
        show(output, &text, frame.len() - 1, "drop", "malformed")?;
    }
    count_many(firewall, output)
}

fn prepare(firewall: &mut dyn Firewall) -> Result<()> {
    for prefix in BLOCKED {
        firewall.set_rule(prefix.parse()?, Action::Drop)?;
    }
    firewall.set_rule(ALLOWED.parse()?, Action::Pass)?;
    // Every network namespace has it.
    firewall
        .redirect(REDIRECTED, &Interface::find("lo")?)
        .context("set the redirection")
}

fn judge(firewall: &dyn Firewall, case: &Case) -> Result<()> {
    let before = firewall.frames()?;
    let judged = firewall
        .test_run(&case.frame, 1)
        .context("run the program")?;
    let counted = firewall.frames()?.since(&before);

    let verdict = verdict_name(judged.verdict);
    ensure!(
        verdict == case.verdict,
        "the verdict is {verdict}, and should be {}",
        case.verdict
    );
    let rows: Vec<_> = counted.rows().collect();
    match rows[..] {
        [
            Row {
                kind,
                verdict,
                counter,
            },
        ] => {
            ensure!(
                kind == case.kind,
                "counted as {kind}, and should be {}",
                case.kind
            );
            ensure!(verdict == case.verdict, "counted with verdict {verdict}");
            ensure!(
                (counter.frames, counter.bytes) == (1, case.frame.len() as u64),
                "counted {counter:?}"
            );
        }
        _ => bail!("counted {rows:?} for one frame"),
    }
    if case.verdict == "tx" {
        ensure!(
            frame::is_answer(&case.frame, &judged.frame),
            "the answer is wrong: {:02x?}",
            judged.frame
        );
    } else {
        ensure!(
            judged.frame == case.frame,
            "the frame was changed: {:02x?}",
            judged.frame
        );
    }
    Ok(())
}

/// A frame that ends too soon is dropped, wherever it ends.
fn cut_short(firewall: &dyn Firewall, name: &'static str, frame: &[u8]) -> Result<usize> {
    let lengths = SHORTEST..frame.len();
    for length in lengths.clone() {
        let case = Case {
            name,
            frame: frame[..length].to_vec(),
            kind: "malformed",
            verdict: "drop",
        };
        judge(firewall, &case).with_context(|| format!("{name}, cut at {length} bytes"))?;
    }
    Ok(lengths.len())
}

fn count_many(firewall: &dyn Firewall, output: Output) -> Result<()> {
    let address = |text: &str| text.parse::<IpAddr>();
    let frame = frame::udp(address("192.0.2.1")?, address("198.51.100.1")?, 7000)?;
    let before = firewall.frames()?;
    firewall.test_run(&frame, MANY).context("run the program")?;
    let counted = firewall.frames()?.since(&before).frames();
    output.event(
        &format!("\nstorm     {MANY} runs with one frame: {counted} counted"),
        &json!({ "event": "storm", "sent": MANY, "counted": counted }),
    )?;
    ensure!(
        counted == u64::from(MANY),
        "count each frame: {} are missing",
        u64::from(MANY) - counted
    );
    Ok(())
}

fn show(output: Output, name: &str, length: usize, verdict: &str, kind: &str) -> Result<()> {
    output.event(
        &format!("  {name:52} {length:>5} {verdict:9} {kind}"),
        &json!({ "event": "case", "name": name, "bytes": length, "verdict": verdict, "kind": kind }),
    )
}
