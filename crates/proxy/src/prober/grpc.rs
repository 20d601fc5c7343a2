//! The health check of gRPC (`grpc.health.v1`, <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>): the question,
//! and what the answer means.
//!
//! As text like all of the path, and the few bytes of its messages by hand. Does no I/O. Tested in place and through the
//! whole proxy.

use std::mem::MaybeUninit;

use super::plain;
use crate::chunked::Decoder;

/// Field 1 of both messages: a text in the question, a number in the answer.
const NAME: u8 = 0x0a;
const STATUS: u8 = 0x08;

/// The question for one of the server's services; the empty name stands for all of it.
pub(super) fn question(host: &str, service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        // The name is at most 127 bytes: its length is one byte.
        message.extend_from_slice(&[NAME, service.len() as u8]);
        message.extend_from_slice(service.as_bytes());
    }
    let mut request = format!(
        "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tandem-check\r\n\
         Content-Type: application/grpc\r\nContent-Length: {}\r\n\r\n",
        message.len() + 5
    )
    .into_bytes();
    request.extend_from_slice(&[0, 0, 0, 0, message.len() as u8]);
    request.extend_from_slice(&message);
    request
}

/// What an answer means; `None` if it is not complete yet.
pub(super) fn judge(answer: &[u8]) -> Option<Result<(), String>> {
    let mut fields = [MaybeUninit::uninit(); 128];
    let mut head = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let end = match config.parse_response_with_uninit_headers(&mut head, answer, &mut fields) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(Err("what it answered is not HTTP".to_owned())),
    };
    if head.code != Some(200) {
        return Some(Err(format!("{} to a health check of gRPC", head.code.unwrap_or_default())));
    }
    if let Some(why) = failure(head.headers) {
        return Some(Err(why));
    }
    let mut body = answer.get(end..).unwrap_or_default().to_vec();
    let mut decoder = Decoder::new();
    let chunked = head.headers.iter().any(|field| field.name.eq_ignore_ascii_case("transfer-encoding"));
    if chunked {
        let Ok(step) = decoder.decode(&mut body) else {
            return Some(Err("what it answered is not HTTP".to_owned()));
        };
        if !decoder.is_done() {
            return None;
        }
        body.truncate(step.data);
    }
    let mut trailers = [httparse::EMPTY_HEADER; 32];
    let trailer = decoder.trailer().unwrap_or_default();
    if let Ok(httparse::Status::Complete((_, fields))) = httparse::parse_headers(trailer, &mut trailers)
        && let Some(why) = failure(fields)
    {
        return Some(Err(why));
    }
    Some(match body.as_slice() {
        [0, _, _, _, _, STATUS, 1, ..] => Ok(()),
        [0, _, _, _, _, STATUS, 2, ..] => Err("it says NOT_SERVING".to_owned()),
        [0, _, _, _, _, STATUS, 3, ..] => Err("it says SERVICE_UNKNOWN".to_owned()),
        _ => Err("it says UNKNOWN".to_owned()),
    })
}

/// The status of the call, if it failed.
fn failure(fields: &[httparse::Header<'_>]) -> Option<String> {
    let text = |name: &str| {
        let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        Some(plain(field.value))
    };
    let status = text("grpc-status").filter(|status| status != "0")?;
    let meaning = match status.as_str() {
        "5" => " (NOT_FOUND: it knows no service of that name)",
        "12" => " (UNIMPLEMENTED: it has no health service)",
        _ => "",
    };
    let message = text("grpc-message").filter(|text| !text.is_empty());
    Some(format!(
        "grpc-status {status}{meaning}{}",
        message.map(|text| format!(": {text}")).unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &[u8], trailers: &str) -> Vec<u8> {
        let head = "HTTP/1.1 200 \r\ncontent-type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n";
        let size = format!("{:x}\r\n", body.len());
        [head.as_bytes(), size.as_bytes(), body, b"\r\n0\r\n", trailers.as_bytes(), b"\r\n"].concat()
    }

    #[test]
    fn answers_are_understood() {
        let serving = answer(&[0, 0, 0, 0, 2, 8, 1], "grpc-status: 0\r\n");
        assert_eq!(judge(&serving), Some(Ok(())));
        for cut in 0..serving.len() {
            assert_eq!(judge(&serving[..cut]), None, "cut at {cut}");
        }
        let told = |body: &[u8], trailers: &str| judge(&answer(body, trailers)).unwrap().unwrap_err();
        assert_eq!(told(&[0, 0, 0, 0, 2, 8, 2], "grpc-status: 0\r\n"), "it says NOT_SERVING");
        assert_eq!(told(&[0, 0, 0, 0, 0], "grpc-status: 0\r\n"), "it says UNKNOWN");
        assert!(
            told(&[0, 0, 0, 0, 2, 8, 1], "grpc-status: 13\r\ngrpc-message: boom\r\n").contains("13: boom")
        );
        let only = b"HTTP/1.1 200 \r\ngrpc-status: 12\r\nContent-Length: 0\r\n\r\n";
        assert!(judge(only).unwrap().unwrap_err().contains("no health service"));
        let other = b"HTTP/1.1 415 \r\nContent-Length: 0\r\n\r\n";
        assert!(judge(other).unwrap().unwrap_err().starts_with("415 "));
    }

    #[test]
    fn the_question_is_as_the_protocol_wants_it() {
        let question = question("a:1", "shop.Orders");
        assert!(question.ends_with(b"Content-Length: 18\r\n\r\n\x00\x00\x00\x00\x0d\x0a\x0bshop.Orders"));
        assert!(super::question("a:1", "").ends_with(b"Content-Length: 5\r\n\r\n\x00\x00\x00\x00\x00"));
    }
}
