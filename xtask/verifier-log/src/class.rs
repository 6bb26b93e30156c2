//! A class of errors: what they have in common, and what to do about them.

mod bounds;
mod calls;
mod context;
mod flow;
mod kernel;
mod loading;
mod objects;
mod pointers;
mod stack;

/// What a page of the gallery is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Class {
    /// The name that commands and pages use.
    pub slug: &'static str,
    /// Half a sentence that says what is wrong.
    pub title: &'static str,
    /// Why the verifier rejects this, and how programs come to it.
    pub rule: &'static str,
    /// What to change in C.
    pub fix_c: &'static str,
    /// What to change in Rust, with aya.
    pub fix_rust: &'static str,
}

/// All classes, by family.
pub fn all() -> impl Iterator<Item = &'static Class> {
    let families = [
        bounds::CLASSES,
        pointers::CLASSES,
        stack::CLASSES,
        flow::CLASSES,
        calls::CLASSES,
        context::CLASSES,
        objects::CLASSES,
        kernel::CLASSES,
        loading::CLASSES,
    ];
    families.into_iter().flatten()
}

/// The class of this name.
pub fn find(slug: &str) -> Option<&'static Class> {
    all().find(|class| class.slug == slug)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::table;

    #[test]
    fn every_template_leads_to_a_class_and_back() {
        let slugs: BTreeSet<_> = all().map(|class| class.slug).collect();
        let named: BTreeSet<_> = table::classes()
            .filter(|name| !matches!(*name, "noise" | "unknown"))
            .collect();
        let missing: Vec<_> = named.difference(&slugs).collect();
        assert_eq!(missing, [&""; 0], "templates without an explanation");
    }

    #[test]
    fn names_are_unique_and_texts_are_whole() {
        let slugs: Vec<_> = all().map(|class| class.slug).collect();
        assert_eq!(slugs.len(), slugs.iter().collect::<BTreeSet<_>>().len());
        for class in all() {
            for text in [class.title, class.rule, class.fix_c, class.fix_rust] {
                assert!(
                    !text.is_empty() && text.trim() == text,
                    "{}: {text:?}",
                    class.slug
                );
            }
            assert!(class.rule.ends_with('.'), "{}", class.slug);
            assert!(
                class.title.chars().next().is_some_and(char::is_lowercase),
                "{}",
                class.slug
            );
        }
    }
}
