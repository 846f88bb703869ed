//! The needs that extractors declare whatever the settings are, known when the
//! policy is compiled.

/// The names that an input declares.
#[derive(Clone, Copy, Debug)]
pub struct Declares {
    names: [(&'static str, &'static str); NAMES_MAX],
    count: usize,
}

/// As many as are compared. Those past it the host compares when it loads the
/// policy.
const NAMES_MAX: usize = 64;

impl Declares {
    /// No name that is known before the settings are.
    pub const NOTHING: Self = Self { names: [("", ""); NAMES_MAX], count: 0 };

    pub(crate) const fn header(name: &'static str) -> Self {
        Self::one("header", name)
    }

    pub(crate) const fn query_parameter(name: &'static str) -> Self {
        Self::one("query parameter", name)
    }

    pub(crate) const fn key(name: &'static str) -> Self {
        Self::one("key", name)
    }

    pub(crate) const fn nonces(name: &'static str) -> Self {
        Self::one("nonce space", name)
    }

    pub(crate) const fn quota(name: &'static str) -> Self {
        Self::one("quota", name)
    }

    const fn one(kind: &'static str, name: &'static str) -> Self {
        Self::NOTHING.with(kind, name)
    }

    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, within `count`")]
    const fn with(mut self, kind: &'static str, name: &'static str) -> Self {
        if self.count < NAMES_MAX {
            self.names[self.count] = (kind, name);
            self.count += 1;
        }
        self
    }

    /// These and those of `other`, for an extractor that is made of others.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, within `count`")]
    pub const fn and(mut self, other: Self) -> Self {
        let mut index = 0;
        while index < other.count {
            let (kind, name) = other.names[index];
            self = self.with(kind, name);
            index += 1;
        }
        self
    }

    /// Ends compilation where a name is declared twice.
    #[track_caller]
    #[expect(clippy::indexing_slicing, clippy::panic, reason = "evaluated by the compiler, whose errors are panics")]
    pub(crate) const fn assert_once(&self) {
        let mut later = 0;
        while later < self.count {
            let (kind, name) = self.names[later];
            let mut earlier = 0;
            while earlier < later {
                let (other_kind, other_name) = self.names[earlier];
                if same(kind, other_kind) && same(name, other_name) {
                    panic!("{}", Message::new(&["the input declares ", kind, " `", name, "` twice"]).as_str());
                }
                earlier += 1;
            }
            later += 1;
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, within the length")]
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// Text put together by the compiler, which formats none.
struct Message {
    bytes: [u8; 256],
    length: usize,
}

impl Message {
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, within the length")]
    const fn new(parts: &[&str]) -> Self {
        let mut message = Self { bytes: [0; 256], length: 0 };
        let mut part = 0;
        while part < parts.len() {
            let bytes = parts[part].as_bytes();
            let mut index = 0;
            while index < bytes.len() && message.length < message.bytes.len() {
                message.bytes[message.length] = bytes[index];
                message.length += 1;
                index += 1;
            }
            part += 1;
        }
        message
    }

    const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "the input declares a name twice",
        }
    }
}
