use crate::test::fields;
use crate::types::{Facts, Principal};

/// A request to try a policy on.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) now_unix_ms: u64,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) authority: String,
    pub(super) client_address: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) principal: Option<Principal>,
    pub(super) facts: Option<Facts>,
    pub(super) delivery: Option<Vec<u8>>,
}

impl Request {
    /// A request by its method and target, for `example.com` over https from
    /// 192.0.2.1, at the time 0.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            now_unix_ms: 0,
            method: method.to_owned(),
            target: target.to_owned(),
            authority: "example.com".to_owned(),
            client_address: Some("192.0.2.1".to_owned()),
            headers: Vec::new(),
            body: Vec::new(),
            principal: None,
            facts: None,
            delivery: None,
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST.
    #[must_use]
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// At this time.
    #[must_use]
    pub fn at(mut self, now_unix_ms: u64) -> Self {
        self.now_unix_ms = now_unix_ms;
        self
    }

    /// With one more header, in any case.
    ///
    /// # Panics
    /// When no request can carry it.
    #[must_use]
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        assert!(fields::is_name(&name.to_ascii_lowercase()), "`{name}` is not a field name");
        assert!(fields::is_value(value), "field `{name}` cannot have the value {value:?}");
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// From this address, or from one that nobody knows.
    #[must_use]
    pub fn from_address(mut self, address: Option<&str>) -> Self {
        self.client_address = address.map(str::to_owned);
        self
    }

    /// As an earlier policy established it.
    #[must_use]
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// As an earlier policy verified it.
    #[must_use]
    pub fn facts(mut self, facts: Facts) -> Self {
        self.facts = Some(facts);
        self
    }

    /// A delivery that an earlier policy verified, by what tells it apart.
    #[must_use]
    pub fn delivery(mut self, identity: &str) -> Self {
        self.delivery = Some(identity.as_bytes().to_vec());
        self
    }
}
