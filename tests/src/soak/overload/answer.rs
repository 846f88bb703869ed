//! Reads as little of an answer as tells what it was.

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its verdict, which is to allow.
    Admitted,
    /// That there is no room.
    Overloaded,
    /// Anything else.
    Other,
}

/// The answer that `bytes` begin with and its length, once it is whole.
pub(super) fn read(bytes: &[u8]) -> Option<(Answer, usize)> {
    let text = str::from_utf8(bytes).unwrap_or_default();
    let (head, _) = text.split_once("\r\n\r\n")?;
    let field = |wanted| {
        let mut fields = head.split("\r\n").filter_map(|line| line.split_once(": "));
        fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    let body = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let length = head.len() + 4 + body;
    let answer = if head.starts_with("HTTP/1.1 200 ") {
        Answer::Admitted
    } else if head.starts_with("HTTP/1.1 503 ") && field("barmkin-reason") == Some("overloaded") {
        Answer::Overloaded
    } else {
        Answer::Other
    };
    (bytes.len() >= length).then_some((answer, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_whole() {
        let answers = [
            ("HTTP/1.1 200 OK\r\nx-principal: reader\r\n\r\n", Answer::Admitted),
            ("HTTP/1.1 503 No\r\nBarmkin-Reason: overloaded\r\nContent-Length: 4\r\n\r\nbusy", Answer::Overloaded),
            ("HTTP/1.1 503 No\r\nbarmkin-reason: store-unavailable\r\n\r\n", Answer::Other),
            ("HTTP/1.1 500 No\r\nbarmkin-reason: overloaded\r\n\r\n", Answer::Other),
        ];
        for (text, answer) in answers {
            for cut in 0..text.len() {
                assert_eq!(read(&text.as_bytes()[..cut]), None, "{text}");
            }
            assert_eq!(read(text.as_bytes()), Some((answer, text.len())));
            assert_eq!(read(format!("{text}HTTP").as_bytes()), Some((answer, text.len())));
        }
    }
}
