//! Compares a verdict with what a case expects.

use super::format::{Changes, Expected, ExpectedVerdict};
use barmkin_host::{Change, Verdict};

impl Expected {
    /// The first difference, if there is one.
    pub(crate) fn compare(&self, verdict: &Verdict) -> Result<(), String> {
        let found = match verdict.reason() {
            None => "allow".to_owned(),
            Some(reason) => format!("deny `{reason}`"),
        };
        let expected = match (self.verdict, &self.reason) {
            (ExpectedVerdict::Allow, _) => "allow".to_owned(),
            (ExpectedVerdict::Deny, Some(reason)) => format!("deny `{reason}`"),
            (ExpectedVerdict::Deny, None) => return Err("a case that expects deny must say the `reason`".to_owned()),
        };
        if found != expected {
            return Err(format!("expected {expected}, got {found}{}", because(verdict)));
        }
        self.compare_principal(verdict)?;
        self.compare_answer(verdict)?;
        self.changes.compare(verdict)
    }

    fn compare_principal(&self, verdict: &Verdict) -> Result<(), String> {
        let found = match verdict {
            Verdict::Allow(permit) => permit.principal().map(|principal| principal.id.as_str()),
            Verdict::Deny(_) => None,
        };
        match &self.principal {
            Some(expected) if found != Some(expected) => {
                Err(format!("expected principal `{expected}`, got {}", quoted(found)))
            }
            _ => Ok(()),
        }
    }

    fn compare_answer(&self, verdict: &Verdict) -> Result<(), String> {
        let Verdict::Deny(denial) = verdict else {
            let asked = self.status.is_some() || !self.headers.is_empty() || self.detail.is_some();
            return if asked { Err("`status`, `headers` and `detail` are of a deny".to_owned()) } else { Ok(()) };
        };
        let found = denial.status().as_u16();
        if let Some(expected) = self.status.filter(|expected| *expected != found) {
            return Err(format!("expected status {expected}, got {found}"));
        }
        let answer = denial.response();
        for (name, expected) in &self.headers {
            let values = answer.headers().get_all(name.as_str()).iter();
            let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            if !values.iter().any(|value| value == expected) {
                let found = if values.is_empty() { "none".to_owned() } else { format!("`{}`", values.join("`, `")) };
                return Err(format!("expected `{name}: {expected}` in the answer, got {found}"));
            }
        }
        match &self.detail {
            Some(expected) if !denial.detail().contains(expected.as_str()) => {
                Err(format!("expected detail `{expected}`, got `{}`", denial.detail()))
            }
            _ => Ok(()),
        }
    }
}

impl Changes {
    fn compare(&self, verdict: &Verdict) -> Result<(), String> {
        let found = match verdict {
            Verdict::Allow(permit) => permit.changes(),
            Verdict::Deny(_) => &[],
        };
        let expected = self
            .set
            .iter()
            .map(|(name, value)| format!("set `{name}: {value}`"))
            .chain(self.append.iter().map(|(name, value)| format!("append `{name}: {value}`")))
            .chain(self.remove.iter().map(|name| format!("remove `{name}`")));
        let found: Vec<_> = found.iter().map(written).collect();
        for change in expected {
            if !found.contains(&change) {
                let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
                return Err(format!("expected the change {change}, got {found}"));
            }
        }
        Ok(())
    }
}

fn written(change: &Change) -> String {
    match change {
        Change::Set(name, value) => format!("set `{name}: {}`", String::from_utf8_lossy(value.as_bytes())),
        Change::Append(name, value) => format!("append `{name}: {}`", String::from_utf8_lossy(value.as_bytes())),
        Change::Remove(name) => format!("remove `{name}`"),
    }
}

fn quoted(id: Option<&str>) -> String {
    id.map_or("none".to_owned(), |id| format!("`{id}`"))
}

fn because(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Deny(denial) if !denial.detail().is_empty() => format!(" because {}", denial.detail()),
        _ => String::new(),
    }
}
