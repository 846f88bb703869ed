//! How a store is divided among nonce spaces, or among quotas.

/// Those that name their bound take more than there is, or leave nothing for
/// those that name none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoShare {
    /// The sum of the bounds that are named.
    pub named: usize,
    /// How many name none. Each needs at least one entry.
    pub others: usize,
}

/// The bound of each pot that names none: an equal part of what those that do
/// leave of `room`. So none can take what another needs.
///
/// # Errors
/// [`NoShare`].
pub fn share(room: usize, bounds: impl IntoIterator<Item = Option<usize>>) -> Result<usize, NoShare> {
    let (mut named, mut others) = (0_usize, 0_usize);
    for bound in bounds {
        match bound {
            Some(entries) => named = named.saturating_add(entries),
            None => others += 1,
        }
    }
    let left = room.checked_sub(named).filter(|left| *left >= others).ok_or(NoShare { named, others })?;
    Ok(left.checked_div(others).unwrap_or(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_divided() {
        assert_eq!(share(100, [None]), Ok(100));
        assert_eq!(share(100, [None, Some(40), None]), Ok(30));
        assert_eq!(share(100, [Some(40), Some(60)]), Ok(0));
        assert_eq!(share(100, []), Ok(100));
        assert_eq!(share(100, [Some(40), Some(61)]), Err(NoShare { named: 101, others: 0 }));
        assert_eq!(share(100, [Some(99), None, None]), Err(NoShare { named: 99, others: 2 }));
        assert_eq!(share(usize::MAX, [Some(usize::MAX), Some(1), None]), Err(NoShare { named: usize::MAX, others: 1 }));
    }
}
