use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Stands for all names past a table's bound.
const OTHERS: &str = "(others)";

/// Rows by name, at most `MAX` of them: names outlive the configuration they
/// came from, and policies make up their own reason codes. Later names are
/// counted in one further row.
#[derive(Debug)]
pub(super) struct Table<T, const MAX: usize> {
    rows: RwLock<HashMap<Box<str>, T>>,
}

impl<T, const MAX: usize> Default for Table<T, MAX> {
    fn default() -> Self {
        Self { rows: RwLock::default() }
    }
}

impl<T: Default, const MAX: usize> Table<T, MAX> {
    /// Uses the row of `name`. A row that is there costs one lookup.
    pub(super) fn with<R>(&self, name: &str, row: impl FnOnce(&T) -> R) -> R {
        // After a panic under the lock a count is too low at worst.
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let found = rows.get(name).or_else(|| if rows.len() < MAX { None } else { rows.get(OTHERS) });
        if let Some(found) = found {
            return row(found);
        }
        drop(rows);
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let name = if rows.len() < MAX || rows.contains_key(name) { name } else { OTHERS };
        row(rows.entry(name.into()).or_default())
    }

    /// All rows, in the order of their names.
    pub(super) fn each<E>(&self, mut row: impl FnMut(&str, &T) -> Result<(), E>) -> Result<(), E> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<_> = rows.iter().collect();
        sorted.sort_by_key(|(name, _)| *name);
        sorted.into_iter().try_for_each(|(name, counted)| row(name, counted))
    }
}

#[cfg(test)]
mod tests {
    use super::{OTHERS, Table};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn names_past_the_bound_are_counted_together() {
        let table: Table<AtomicU64, 2> = Table::default();
        for name in ["b", "a", "c", "d", "a"] {
            table.with(name, |count| count.fetch_add(1, Ordering::Relaxed));
        }
        let mut rows = Vec::new();
        let pushed: Result<(), ()> = table.each(|name, count| {
            rows.push((name.to_owned(), count.load(Ordering::Relaxed)));
            Ok(())
        });
        assert_eq!(pushed, Ok(()));
        assert_eq!(rows, [(OTHERS.to_owned(), 2), ("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }
}
