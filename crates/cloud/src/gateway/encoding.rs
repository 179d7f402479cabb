//! Bodies that clients compress, as CloudWatch Logs' agent does. What is signed is the body as it was sent.

use std::io::Read;

use aws_wire::Error;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::request::Parts;

/// The body as it was before it was compressed.
///
/// # Errors
/// `SerializationException` for an encoding that is not known, a body that is not of it, and one that would be
/// larger than `most` bytes.
pub fn plain(parts: &Parts, body: &Bytes, most: usize) -> Result<Bytes, Error> {
    let refused = |why: String| Error::client("SerializationException", why);
    let encoding = parts.headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default().trim());
    match encoding {
        None | Some("" | "identity") => return Ok(body.clone()),
        Some(encoding) if encoding.eq_ignore_ascii_case("gzip") => {}
        // aws-chunked is S3's, which is no service here.
        Some(other) => {
            return Err(refused(format!("The content encoding {other} is not supported; gzip is.")));
        }
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let mut text = Vec::with_capacity(body.len().saturating_mul(4).min(most));
    MultiGzDecoder::new(body.as_ref())
        .take(limit + 1)
        .read_to_end(&mut text)
        .map_err(|error| refused(format!("The body is not gzip: {error}.")))?;
    if text.len() > most {
        return Err(refused(format!("The body is larger than {most} bytes when it is decompressed.")));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn parts(encoding: Option<&str>) -> Parts {
        let mut request = http::Request::post("/");
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn gzip(text: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn bodies_are_decompressed_within_limits() {
        let packed = gzip(b"{}");
        let bomb = gzip(&[b' '; 100_000]);
        let as_sent = Bytes::from_static(b"{}");
        for (encoding, body, expected) in [
            (None, &as_sent, Ok("{}")),
            (Some("identity"), &as_sent, Ok("{}")),
            (Some("gzip"), &packed, Ok("{}")),
            (Some("GZIP"), &packed, Ok("{}")),
            (Some("gzip"), &as_sent, Err("is not gzip")),
            (Some("gzip"), &packed.slice(..packed.len() - 9), Err("is not gzip")),
            (Some("gzip"), &bomb, Err("larger than 1000 bytes")),
            (Some("br"), &as_sent, Err("br is not supported")),
        ] {
            match (plain(&parts(encoding), body, 1000), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{encoding:?}"),
                (Err(error), Err(expected)) => assert!(error.message.contains(expected), "{error}"),
                (found, _) => panic!("{encoding:?}: {found:?}"),
            }
        }
    }
}
