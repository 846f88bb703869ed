//! Turns a verdict into what Envoy does.

use crate::metadata;
use barmkin_host::{Change, Denial, Permit, REASON_FIELD, Settlement};
use envoy_types::ext_authz::v3::pb::{
    CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue as Field, HeaderValueOption, HttpResponse,
    HttpStatus, OkHttpResponse,
};
use envoy_types::pb::google::rpc;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tonic::Code;

/// Forward the request, with every field that the gate changes as it must
/// reach the upstream.
pub(crate) fn allow(permit: Box<Permit>) -> (CheckResponse, Settlement) {
    let dynamic_metadata = Some(metadata::of_permit(&permit));
    let mut changed: Vec<HeaderName> = Vec::with_capacity(permit.changes().len());
    for name in permit.changes().iter().map(name) {
        if !changed.contains(name) {
            changed.push(name.clone());
        }
    }
    let query_parameters_to_remove = permit.removed_query_parameters().into_iter().map(str::to_owned).collect();
    let (head, settlement) = permit.into_forwarded();
    let mut ok = OkHttpResponse { query_parameters_to_remove, ..OkHttpResponse::default() };
    for name in changed {
        if head.headers.contains_key(&name) {
            ok.headers.extend(fields(&head.headers, &name));
        } else {
            ok.headers_to_remove.push(name.as_str().to_owned());
        }
    }
    let response = CheckResponse {
        status: Some(status(Code::Ok)),
        dynamic_metadata,
        http_response: Some(HttpResponse::OkResponse(ok)),
    };
    (response, settlement)
}

/// Answer the client. Envoy makes a gRPC status out of the HTTP one where the
/// client wants it so.
pub(crate) fn deny(denial: &Denial) -> CheckResponse {
    let mut response = denial.response();
    // Envoy writes the message of a gRPC answer from the body, and its type.
    let grpc = response.headers_mut().remove("grpc-message").is_some();
    if grpc {
        response.headers_mut().remove(http::header::CONTENT_TYPE);
    }
    let body = if grpc { denial.reason().to_string() } else { String::from_utf8_lossy(response.body()).into_owned() };
    denied(denial.status(), response.headers(), body, Some(metadata::of_denial(denial)))
}

/// Refuse a check that cannot be read.
pub(crate) fn refuse() -> CheckResponse {
    unasked(StatusCode::BAD_REQUEST, "unreadable-check")
}

/// Refuse a check that there was no room to read.
pub(crate) fn overloaded() -> CheckResponse {
    unasked(StatusCode::SERVICE_UNAVAILABLE, "overloaded")
}

fn unasked(status: StatusCode, reason: &'static str) -> CheckResponse {
    let mut headers = HeaderMap::new();
    headers.insert(REASON_FIELD, HeaderValue::from_static(reason));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    denied(status, &headers, String::new(), None)
}

fn denied(
    code: StatusCode,
    headers: &HeaderMap,
    body: String,
    dynamic_metadata: Option<envoy_types::pb::google::protobuf::Struct>,
) -> CheckResponse {
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: i32::from(code.as_u16()) }),
        headers: headers.keys().flat_map(|name| fields(headers, name)).collect(),
        body,
    };
    let code = if code == StatusCode::UNAUTHORIZED { Code::Unauthenticated } else { Code::PermissionDenied };
    CheckResponse {
        status: Some(status(code)),
        dynamic_metadata,
        http_response: Some(HttpResponse::DeniedResponse(denied)),
    }
}

/// All values of `name`: the first replaces what there is, the others join it.
fn fields<'a>(headers: &'a HeaderMap, name: &'a HeaderName) -> impl Iterator<Item = HeaderValueOption> + 'a {
    headers.get_all(name).iter().enumerate().map(|(index, value)| {
        let action = match index {
            0 => HeaderAppendAction::OverwriteIfExistsOrAdd,
            _ => HeaderAppendAction::AppendIfExistsOrAdd,
        };
        // Envoy reads the text and no bytes; what a gate sets is text.
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let field = Field { key: name.as_str().to_owned(), value, ..Field::default() };
        HeaderValueOption { header: Some(field), append_action: action.into(), ..HeaderValueOption::default() }
    })
}

fn status(code: Code) -> rpc::Status {
    rpc::Status { code: code.into(), ..rpc::Status::default() }
}

fn name(change: &Change) -> &HeaderName {
    match change {
        Change::Set(name, _) | Change::Append(name, _) | Change::Remove(name) => name,
    }
}
