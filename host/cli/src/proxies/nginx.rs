//! nginx, which passes on two statuses of `auth_request` only.

use super::template::{Item, Values};

/// The statuses for which the client gets the gate's own: those of the host's
/// reasons, and those that policies of this field use. Any other stays 403.
const STATUSES: [u16; 26] = [
    200, 202, 204, 400, 401, 402, 404, 405, 406, 409, 410, 412, 413, 414, 415, 421, 422, 425, 426, 428, 429, 431, 451,
    500, 501, 503,
];

pub(super) fn print(values: Values) -> String {
    let statuses = STATUSES.map(|status| -> Item { vec![("status", status.to_string())] });
    let values = values.each("status", statuses);
    values.fill(include_str!("../../templates/proxies/nginx.conf.in"))
}
