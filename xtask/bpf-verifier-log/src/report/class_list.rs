//! The classes of errors, without a log.

use alloc::format;
use alloc::string::String;

use serde::Serialize;

use crate::classes::Class;
use crate::report::json::format_pretty;
use crate::report::report_context::ReportContext;
use crate::report::text::format_advice;

/// What a class is about, and what to do about it, for people.
///
/// ```
/// use bpf_verifier_log::Class;
/// use bpf_verifier_log::report::{NoContext, format_class};
///
/// let text = format_class(Class::UninitReg, &NoContext);
/// assert!(text.starts_with("uninit-reg: ") && text.contains("\nfix in Rust\n"));
/// ```
pub fn format_class(class: Class, context: &dyn ReportContext) -> String {
    let advice = format_advice(class, context);
    format!("{}: {}\n{advice}", class.slug(), class.title())
}

/// All classes for people, a line each: the name, and what is wrong.
pub fn list_classes() -> String {
    let mut text = String::new();
    for class in Class::ALL {
        text += &format!("{:<28} {}\n", class.slug(), class.title());
    }
    text
}

/// A class as JSON: `{"version": 1, "class": {"slug": ..., "title": ..., "rule": ..., "fix_c":
/// ..., "fix_rust": ...}}`.
pub fn format_class_json(class: Class) -> String {
    #[derive(Serialize)]
    struct OneClass {
        version: u32,
        class: Class,
    }
    format_pretty(&OneClass { version: 1, class })
}

/// All classes as JSON: `{"version": 1, "classes": [...]}`.
pub fn list_classes_json() -> String {
    #[derive(Serialize)]
    struct AllClasses {
        version: u32,
        classes: &'static [Class],
    }
    format_pretty(&AllClasses {
        version: 1,
        classes: Class::ALL,
    })
}
