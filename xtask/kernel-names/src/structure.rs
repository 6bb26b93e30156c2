//! What a kernel tells of a struct or a union.

/// One definition. The kernel may have several of one name, in files that do not meet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Struct {
    /// `struct` or `union`.
    pub keyword: String,
    /// In bytes.
    pub size: u32,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    /// In bytes from the start of the struct.
    pub offset: u32,
    /// The bit in that byte where a bit field begins, and how many bits it has.
    pub bits: Option<(u32, u32)>,
    /// As C writes it, the name with `@` before it.
    declaration: String,
}

const DEFINITION: char = '|';
const FIELD: char = ';';

impl Struct {
    pub fn find_field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name() == name)
    }

    /// Each offset as the difference to the one before: when a field comes in between, most of the
    /// text stays.
    pub fn format_value(definitions: &[Self]) -> String {
        let mut texts: Vec<String> = Vec::new();
        for definition in definitions {
            let mut text = format!("{} {}", definition.keyword, definition.size);
            let mut before = 0;
            for field in &definition.fields {
                let step = i64::from(field.offset) - before;
                before = field.offset.into();
                text += &format!("{FIELD}{step} {}", field.format_declaration());
            }
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts.join("|")
    }

    /// What [`Self::format_value`] wrote.
    pub fn parse_value(value: &str) -> Option<Vec<Self>> {
        value
            .split(DEFINITION)
            .map(Self::parse_definition)
            .collect()
    }

    fn parse_definition(text: &str) -> Option<Self> {
        let mut parts = text.split(FIELD);
        let (keyword, size) = parts.next()?.split_once(' ')?;
        let mut offset = 0;
        let mut fields = Vec::new();
        for part in parts {
            let (step, declaration) = part.split_once(' ')?;
            offset += step.parse::<i64>().ok()?;
            fields.push(Field::parse_declaration(
                u32::try_from(offset).ok()?,
                declaration,
            )?);
        }
        Some(Self {
            keyword: keyword.to_owned(),
            size: size.parse().ok()?,
            fields,
        })
    }
}

impl Field {
    /// As it is captured: `unsigned int @in_execve:3:1` is one bit, the fourth of its byte.
    pub fn parse_declaration(offset: u32, text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let declaration = parts.next()?.to_owned();
        let bits = match (parts.next(), parts.next()) {
            (Some(first), Some(width)) => Some((first.parse().ok()?, width.parse().ok()?)),
            _ => None,
        };
        declaration.contains('@').then_some(Self {
            offset,
            bits,
            declaration,
        })
    }

    fn format_declaration(&self) -> String {
        match self.bits {
            Some((first, width)) => format!("{}:{first}:{width}", self.declaration),
            None => self.declaration.clone(),
        }
    }

    /// Within the struct: `inner.name` for a field of a struct without a name of its own.
    pub fn name(&self) -> &str {
        let name = self.declaration.split('@').nth(1).unwrap_or_default();
        let end = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'));
        name.split(end).next().unwrap_or_default()
    }

    /// As C writes it.
    pub fn c_declaration(&self) -> String {
        let declaration = self.declaration.replacen('@', "", 1);
        match self.bits {
            Some((_, width)) => format!("{declaration}:{width}"),
            None => declaration,
        }
    }

    /// The struct or union that the field points to, if that has a name.
    pub fn pointed_struct(&self) -> Option<&str> {
        let (before, after) = self.declaration.split_once('@')?;
        let before = before.trim_end().strip_suffix('*')?;
        let is_plain = !after.contains(['(', '[']) && !before.contains(['*', '(']);
        let name = before.trim_end().rsplit(' ').next()?;
        is_plain.then_some(name).filter(|name| *name != "{}")
    }

    /// The struct or union that the field embeds, if that has a name.
    pub fn embedded_struct(&self) -> Option<&str> {
        let (before, after) = self.declaration.split_once('@')?;
        let is_plain = !after.contains(['(', '[']) && !before.contains(['*', '(']);
        let words = before.trim_end().rsplit(' ').next()?;
        is_plain.then_some(words).filter(|name| *name != "{}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "struct 40;0 struct list_head @run;16 int (*@call)(int);8 int @flag:3:1;\
        0 struct {} @inner;4 char @inner.name[8];-4 atomic_t @users";

    #[test]
    fn what_is_written_is_read() {
        let definitions = Struct::parse_value(VALUE).unwrap();
        assert_eq!(Struct::format_value(&definitions), VALUE);
        let twice = [&definitions[..], &definitions].concat();
        assert_eq!(Struct::format_value(&twice), VALUE);
        let two = format!("{VALUE}|union 1");
        assert_eq!(Struct::parse_value(&two).unwrap().len(), 2);
        for damaged in [
            "",
            "struct",
            "struct x",
            "struct 8;0 int a",
            "struct 8;-1 int @a",
        ] {
            assert_eq!(Struct::parse_value(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn fields_have_names_offsets_and_declarations() {
        let definition = Struct::parse_value(VALUE).unwrap().remove(0);
        let told = |name: &str| {
            let field = definition.find_field(name).unwrap();
            (field.offset, field.c_declaration())
        };
        assert_eq!(told("call"), (16, "int (*call)(int)".to_owned()));
        assert_eq!(told("flag"), (24, "int flag:1".to_owned()));
        assert_eq!(told("inner.name"), (28, "char inner.name[8]".to_owned()));
        assert_eq!(told("users"), (24, "atomic_t users".to_owned()));
        let embedded = |name: &str| definition.find_field(name).unwrap().embedded_struct();
        assert_eq!(embedded("run"), Some("list_head"));
        assert_eq!(embedded("users"), Some("atomic_t"));
        assert_eq!(embedded("call"), None);
        assert_eq!(embedded("inner"), None);
    }
}
