//! Names and values of header fields.

/// Whether `name` is a field name in lower case (RFC 9110, section 5.6.2).
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| is_token(byte) && !byte.is_ascii_uppercase())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a field can hold `value` (RFC 9110, section 5.5).
pub(super) fn is_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || matches!(byte, b' '..=b'~' | 0x80..))
}

/// Whether a field of this name frames or routes a message, so that only
/// servers set it.
pub(super) fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 11] = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-connection",
        "expect",
        "http2-settings",
    ];
    RESERVED.contains(&name)
}
