//! Verdicts as JUnit's XML, which most pipelines read: a suite for each kernel, a case for each
//! program.

use std::io;

use anyhow::{Context as _, Result};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::kernel_result::KernelResult;
use super::kernel_verdict::KernelVerdict;
use super::program_answer::ProgramAnswer;
use crate::output::plain_text::clean_lines;

type Xml = Writer<Vec<u8>>;

/// XML has no way to write most control characters, so that texts are cleaned of them.
pub fn as_junit(verdicts: &[KernelVerdict], results: &[KernelResult]) -> Result<Vec<u8>> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    write_report(&mut xml, verdicts, results).context("cannot write the report as XML")?;
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

fn write_report(
    xml: &mut Xml,
    verdicts: &[KernelVerdict],
    results: &[KernelResult],
) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuites")
        .with_attribute(("name", "cargo xtask verify"))
        .write_inner_content(|xml| {
            for result in results {
                write_suite(xml, verdicts, result)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn write_suite(xml: &mut Xml, verdicts: &[KernelVerdict], result: &KernelResult) -> io::Result<()> {
    let here: Vec<&KernelVerdict> = verdicts
        .iter()
        .filter(|verdict| verdict.kernel == result.kernel)
        .collect();
    let count = |kinds: &[ProgramAnswer]| {
        let found = here.iter().filter(|it| kinds.contains(&it.answer()));
        found.count()
    };
    let failures = count(&[
        ProgramAnswer::CannotAttach,
        ProgramAnswer::Rejected,
        ProgramAnswer::Failed,
    ]);
    let vm = usize::from(result.machine_failed.is_some());
    let errors = count(&[ProgramAnswer::NotKnown]) + vm;
    xml.create_element("testsuite")
        .with_attribute((
            "name",
            clean_lines(&format!("Linux {}", result.kernel)).as_ref(),
        ))
        .with_attribute(("tests", (here.len() + vm).to_string().as_str()))
        .with_attribute(("failures", failures.to_string().as_str()))
        .with_attribute(("errors", errors.to_string().as_str()))
        .write_inner_content(|xml| {
            for verdict in &here {
                write_case(xml, verdict)?;
            }
            match &result.machine_failed {
                Some(why) => write_failed_vm(xml, why),
                None => Ok(()),
            }
        })?;
    Ok(())
}

fn write_case(xml: &mut Xml, verdict: &KernelVerdict) -> io::Result<()> {
    let name = match verdict.load.program.as_str() {
        "" => "the whole object",
        program => program,
    };
    let case = xml
        .create_element("testcase")
        .with_attribute(("name", clean_lines(name).as_ref()))
        .with_attribute(("classname", clean_lines(&verdict.load.object).as_ref()));
    let answer = verdict.answer();
    let element = match answer {
        ProgramAnswer::Works | ProgramAnswer::Accepted => {
            case.write_empty()?;
            return Ok(());
        }
        ProgramAnswer::NotKnown => "error",
        ProgramAnswer::CannotAttach | ProgramAnswer::Rejected | ProgramAnswer::Failed => "failure",
    };
    case.write_inner_content(|xml| write_reason(xml, element, answer.slug(), &verdict.reason()))?;
    Ok(())
}

fn write_failed_vm(xml: &mut Xml, why: &str) -> io::Result<()> {
    xml.create_element("testcase")
        .with_attribute(("name", "the VM"))
        .write_inner_content(|xml| write_reason(xml, "error", "machine-not-ready", why))?;
    Ok(())
}

fn write_reason(xml: &mut Xml, element: &str, kind: &str, reason: &str) -> io::Result<()> {
    let reason = clean_lines(reason);
    xml.create_element(element)
        .with_attribute(("type", kind))
        .with_attribute(("message", reason.as_ref()))
        .write_text_content(BytesText::new(&reason))?;
    Ok(())
}
