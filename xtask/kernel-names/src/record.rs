//! What a tracepoint hands over: the fields of its record.

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    pub fields: Vec<RecordField>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordField {
    /// In bytes from the start of the record.
    pub offset: u32,
    /// As the format file has it: `__data_loc char[] filename`.
    pub declaration: String,
}

impl Record {
    /// Each field is an offset, a space, and a declaration.
    pub fn parse_fields<'a>(fields: impl Iterator<Item = &'a str>) -> Option<Self> {
        let fields = fields.map(|field| {
            let (offset, declaration) = field.split_once(' ')?;
            Some(RecordField {
                offset: offset.parse().ok()?,
                declaration: declaration.to_owned(),
            })
        });
        let fields = fields.collect::<Option<Vec<_>>>()?;
        Some(Self { fields })
    }

    pub fn format_value(&self) -> String {
        let fields = self.fields.iter();
        let fields: Vec<String> = fields
            .map(|field| format!("{} {}", field.offset, field.declaration))
            .collect();
        fields.join(";")
    }

    /// What [`Self::format_value`] wrote.
    pub fn parse_value(value: &str) -> Option<Self> {
        Self::parse_fields(value.split(';').filter(|field| !field.is_empty()))
    }

    pub fn find_field(&self, name: &str) -> Option<&RecordField> {
        self.fields.iter().find(|field| field.name() == name)
    }
}

impl RecordField {
    /// Without the length of an array.
    pub fn name(&self) -> &str {
        let name = self.declaration.rsplit(' ').next().unwrap_or_default();
        name.split('[').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let value = "8 char prev_comm[16];24 pid_t prev_pid;28 __data_loc char[] filename";
        let record = Record::parse_value(value).unwrap();
        assert_eq!(record.format_value(), value);
        let names: Vec<&str> = record.fields.iter().map(RecordField::name).collect();
        assert_eq!(names, ["prev_comm", "prev_pid", "filename"]);
        assert_eq!(record.find_field("prev_pid").unwrap().offset, 24);
        assert_eq!(Record::parse_value("").unwrap().fields, []);
        assert_eq!(Record::parse_value("x y"), None);
    }
}
