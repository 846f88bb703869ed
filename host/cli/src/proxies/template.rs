//! Text with places for what a configuration says.

/// The values of one item of a list, by the names that stand for them.
pub(super) type Item = Vec<(&'static str, String)>;

/// The values of a template's places.
#[derive(Default)]
pub(super) struct Values {
    texts: Item,
    lists: Vec<(&'static str, Vec<Item>)>,
}

impl Values {
    /// `@name@` stands for `text`.
    pub(super) fn text(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.texts.push((name, text.into()));
        self
    }

    /// The lines between `%each name` and `%end` stand once for each item.
    pub(super) fn each(mut self, name: &'static str, items: impl IntoIterator<Item = Item>) -> Self {
        self.lists.push((name, items.into_iter().collect()));
        self
    }

    /// The lines between `%each name` and `%end` stand there if `present`, with
    /// `@name@` for what it is.
    pub(super) fn when(self, name: &'static str, present: Option<String>) -> Self {
        self.each(name, present.map(|text| vec![(name, text)]))
    }

    pub(super) fn fill(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len() * 2);
        let mut lines = template.lines();
        while let Some(line) = lines.next() {
            let Some(list) = line.strip_prefix("%each ") else {
                push(&mut filled, line, &self.texts);
                continue;
            };
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "%end").collect();
            let items = self.lists.iter().find(|(name, _)| *name == list).map(|(_, items)| items.as_slice());
            for item in items.unwrap_or_default() {
                for line in &block {
                    let values: Item = item.iter().chain(&self.texts).cloned().collect();
                    push(&mut filled, line, &values);
                }
            }
        }
        filled
    }
}

fn push(text: &mut String, line: &str, values: &Item) {
    let mut line = line.to_owned();
    for (name, value) in values {
        line = line.replace(&format!("@{name}@"), value);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::Values;

    #[test]
    fn places_and_lists_are_filled() {
        let values =
            Values::default().text("a", "1").each("b", [vec![("b", "x".to_owned())], vec![("b", "y".to_owned())]]);
        let values = values.when("c", None).when("d", Some("z".to_owned()));
        let template = "@a@\n%each b\n@b@ @a@\n%end\n%each c\n@c@\n%end\n%each d\n@d@\n%end\nend\n";
        assert_eq!(values.fill(template), "1\nx 1\ny 1\nz\nend\n");
    }
}
