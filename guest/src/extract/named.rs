//! Headers and query parameters.

use core::marker::PhantomData;

use crate::extract::{Declares, Extract, Needs, Request};
use crate::types::{Cardinality, Denial, Field};

/// The name of a header, query parameter, key, nonce space or quota, as a
/// type. [`name!`](crate::name) makes one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a name",
    label = "not made by `name!`",
    note = "make a type of it: `name!({Self} = \"...\")`"
)]
pub trait Name {
    /// The name.
    const NAME: &'static str;
}

/// A name that a header can have. [`name!`](crate::name) implements it where
/// the text is a field name in lower case.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a header",
    label = "its text is not a field name in lower case",
    note = "write header names in lower case, such as `name!({Self} = \"x-partner\")`: they match in any case"
)]
pub trait HeaderName: Name {}

/// A header that a request may carry at most once: the host refuses a request
/// with two.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a, N> {
    value: Option<&'a str>,
    name: PhantomData<N>,
}

impl<'a, N> Header<'a, N> {
    /// The value, if the request has it.
    #[must_use]
    pub fn get(&self) -> Option<&'a str> {
        self.value
    }
}

impl<'a, R, N: HeaderName> Extract<'a, R> for Header<'a, N> {
    const DECLARES: Declares = Declares::header(N::NAME);

    fn declare(_: &R, needs: &mut Needs) {
        needs.header(N::NAME, Cardinality::AtMostOne);
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { value: first(request.next_header()), name: PhantomData })
    }
}

/// All values of a header, in order, never merged.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a, N> {
    field: &'a Field,
    name: PhantomData<N>,
}

impl<'a, N> Headers<'a, N> {
    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a, N> {
        all(self.field)
    }
}

impl<'a, R, N: HeaderName> Extract<'a, R> for Headers<'a, N> {
    const DECLARES: Declares = Declares::header(N::NAME);

    fn declare(_: &R, needs: &mut Needs) {
        needs.header(N::NAME, Cardinality::Many);
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { field: request.next_header(), name: PhantomData })
    }
}

/// A query parameter, percent-decoded, that a request may carry at most once.
#[derive(Clone, Copy, Debug)]
pub struct QueryParameter<'a, N> {
    value: Option<&'a str>,
    name: PhantomData<N>,
}

impl<'a, N> QueryParameter<'a, N> {
    /// The value, if the request has it.
    #[must_use]
    pub fn get(&self) -> Option<&'a str> {
        self.value
    }
}

impl<'a, R, N: Name> Extract<'a, R> for QueryParameter<'a, N> {
    const DECLARES: Declares = Declares::query_parameter(N::NAME);

    fn declare(_: &R, needs: &mut Needs) {
        needs.query_parameter(N::NAME, Cardinality::AtMostOne);
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { value: first(request.next_query_parameter()), name: PhantomData })
    }
}

/// All values of a query parameter, percent-decoded, in order.
#[derive(Clone, Copy, Debug)]
pub struct QueryParameters<'a, N> {
    field: &'a Field,
    name: PhantomData<N>,
}

impl<'a, N> QueryParameters<'a, N> {
    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a, N> {
        all(self.field)
    }
}

impl<'a, R, N: Name> Extract<'a, R> for QueryParameters<'a, N> {
    const DECLARES: Declares = Declares::query_parameter(N::NAME);

    fn declare(_: &R, needs: &mut Needs) {
        needs.query_parameter(N::NAME, Cardinality::Many);
    }

    fn extract(_: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { field: request.next_query_parameter(), name: PhantomData })
    }
}

/// A rule whose settings name headers.
#[diagnostic::on_unimplemented(
    message = "`NamedHeaders` needs a rule that names headers, which `{Self}` does not",
    note = "implement `NamesHeaders` for `{Self}`, or use `Header` with a name of its own"
)]
pub trait NamesHeaders {
    /// The names in lower case, always the same ones in the same order.
    fn header_names(&self) -> impl Iterator<Item = (&str, Cardinality)>;
}

/// The headers that the rule's settings name, by their index among
/// [`NamesHeaders::header_names`].
#[derive(Clone, Copy, Debug)]
pub struct NamedHeaders<'a> {
    fields: &'a [Field],
}

impl<'a> NamedHeaders<'a> {
    /// The value of a header, the first one if it has many.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.fields.get(index).and_then(first)
    }

    /// All values of a header.
    pub fn all(&self, index: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields.get(index).into_iter().flat_map(all)
    }
}

impl<'a, R: NamesHeaders> Extract<'a, R> for NamedHeaders<'a> {
    fn declare(rule: &R, needs: &mut Needs) {
        for (name, cardinality) in rule.header_names() {
            needs.header(name, cardinality);
        }
    }

    fn extract(rule: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { fields: request.next_headers(rule.header_names().count()) })
    }
}

pub(super) fn first(field: &Field) -> Option<&str> {
    match field {
        Field::Absent => None,
        Field::One(value) => Some(value),
        Field::Many(values) => values.first().map(String::as_str),
    }
}

fn all(field: &Field) -> impl Iterator<Item = &str> {
    let (one, many): (Option<&String>, &[String]) = match field {
        Field::Absent => (None, &[]),
        Field::One(value) => (Some(value), &[]),
        Field::Many(values) => (None, values),
    };
    one.into_iter().chain(many).map(String::as_str)
}
