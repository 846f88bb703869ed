//! Query parameters that settings name.

use crate::extract::{Extract, Needs, Request, named};
use crate::types::{Cardinality, Denial, Field};

/// A rule whose settings name query parameters.
pub trait NamesQueryParameters {
    /// The names, always the same ones in the same order.
    fn query_parameter_names(&self) -> impl Iterator<Item = &str>;
}

/// The query parameters that the rule's settings name, percent-decoded, by their
/// index among [`NamesQueryParameters::query_parameter_names`]. A request may
/// carry each at most once.
#[derive(Clone, Copy, Debug)]
pub struct NamedQueryParameters<'a> {
    fields: &'a [Field],
}

impl<'a> NamedQueryParameters<'a> {
    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.fields.get(index).and_then(named::first)
    }
}

impl<'a, R: NamesQueryParameters> Extract<'a, R> for NamedQueryParameters<'a> {
    fn declare(rule: &R, needs: &mut Needs) {
        for name in rule.query_parameter_names() {
            needs.query_parameter(name, Cardinality::AtMostOne);
        }
    }

    fn extract(rule: &R, request: &mut Request<'a>) -> Result<Self, Denial> {
        Ok(Self { fields: request.next_query_parameters(rule.query_parameter_names().count()) })
    }
}
