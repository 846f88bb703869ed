//! The dynamic metadata of `envoy.filters.http.ext_authz`, for Envoy's access
//! log and later filters.

use barmkin_host::{Denial, Digest, Permit, RequestId};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};

/// `generation`, `request-id`, `route` and, if somebody is, `principal`. On a
/// route that observes, `observed` is the reason that would have denied.
pub(crate) fn of_permit(permit: &Permit) -> Struct {
    let mut metadata = always(permit.generation(), permit.request_id());
    set(&mut metadata, "route", Some(permit.route()));
    set(&mut metadata, "principal", permit.principal().map(|principal| principal.id.as_str()));
    set(&mut metadata, "observed", permit.observed().map(|denial| denial.reason().as_str()));
    metadata
}

/// `generation`, `request-id`, `reason`, and `route` and `policy` where there
/// is one.
pub(crate) fn of_denial(denial: &Denial) -> Struct {
    let mut metadata = always(denial.generation(), denial.request_id());
    set(&mut metadata, "route", denial.route());
    set(&mut metadata, "policy", denial.policy());
    set(&mut metadata, "reason", Some(denial.reason().as_str()));
    metadata
}

fn always(generation: Digest, request_id: &RequestId) -> Struct {
    let mut metadata = Struct::default();
    set(&mut metadata, "generation", Some(&generation.to_string()));
    set(&mut metadata, "request-id", Some(&request_id.to_string()));
    metadata
}

fn set(metadata: &mut Struct, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        let value = Value { kind: Some(Kind::StringValue(text.to_owned())) };
        metadata.fields.insert(name.to_owned(), value);
    }
}
