//! AWS Signature Version 4, in the header `authorization`
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>): a request in one canonical form, its digest, and an HMAC
//! under a key for one day, one region and one service. No secret is part of what is signed or sent but the session's token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::address::Login;

/// A request as far as it is signed.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// The host, and the port where it is not the scheme's own.
    pub(super) host: &'a str,
    /// The path, encoded.
    pub(super) path: &'a str,
    /// The query, encoded and in order.
    pub(super) query: &'a str,
    /// Other headers, their names in lower case.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// Headers; one may hold the session's token.
pub(super) type Headers = Vec<(String, Zeroizing<String>)>;

const SERVICE: &str = "s3";

impl Request<'_> {
    /// The headers that sign it, besides its own.
    pub(super) fn signed(&self, login: &Login, region: &str, now: SystemTime) -> Headers {
        let time = stamp(now);
        let day = time.get(..8).unwrap_or_default();
        let payload = hexadecimal(&Sha256::digest(self.body));
        let mut headers = vec![
            ("host", self.host),
            ("x-amz-content-sha256", payload.as_str()),
            ("x-amz-date", time.as_str()),
        ];
        if let Some(token) = &login.token {
            headers.push(("x-amz-security-token", token));
        }
        headers.extend(self.headers);
        headers.sort_unstable();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}:{}\n", value.trim()));
        let lines = Zeroizing::new(lines.collect::<String>());
        let canonical = Zeroizing::new(format!(
            "{}\n{}\n{}\n{}\n{names}\n{payload}",
            self.method,
            self.path,
            self.query,
            lines.as_str()
        ));
        let scope = format!("{day}/{region}/{SERVICE}/aws4_request");
        let text = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            hexadecimal(&Sha256::digest(canonical.as_bytes()))
        );
        let key = key(login, day, region);
        let signature = hexadecimal(keyed(key.as_ref(), text.as_bytes()).as_ref());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            login.id.as_str()
        );
        let own = headers
            .iter()
            .filter(|(name, _)| name.starts_with("x-amz-"));
        let own =
            own.map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned())));
        own.chain([("authorization".to_owned(), Zeroizing::new(authorization))])
            .collect()
    }
}

/// The key of one day, region and service.
fn key(login: &Login, day: &str, region: &str) -> Zeroizing<[u8; 32]> {
    let first = Zeroizing::new(format!("AWS4{}", login.secret.as_str()));
    let first = keyed(first.as_bytes(), day.as_bytes());
    [region, SERVICE, "aws4_request"]
        .iter()
        .fold(first, |key, part| keyed(key.as_ref(), part.as_bytes()))
}

fn keyed(key: &[u8], text: &[u8]) -> Zeroizing<[u8; 32]> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time as `20130524T000000Z`, by the civil calendar.
fn stamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Years begin in March here, so that a leap day is a year's last; 719,468 days lie between 0000-03-01 and 1970-01-01.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2013-05-24T00:00:00Z.
    const THEN: Duration = Duration::from_secs(1_369_353_600);

    /// The examples of AWS's page on signatures in headers, with its keys.
    fn check(request: &Request<'_>, signature: &str) {
        let login = Login {
            id: Zeroizing::new("AKIAIOSFODNN7EXAMPLE".to_owned()),
            secret: Zeroizing::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
            token: None,
        };
        let signed = request.signed(&login, "us-east-1", UNIX_EPOCH + THEN);
        let (_, authorization) = signed.last().unwrap();
        assert!(
            authorization.ends_with(&format!(", Signature={signature}")),
            "{}",
            authorization.as_str()
        );
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders="));
    }

    #[test]
    fn the_published_examples_are_signed_alike() {
        let request = Request {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: "",
            headers: &[("range", "bytes=0-9")],
            body: b"",
        };
        check(
            &request,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        );
        check(
            &Request {
                method: "PUT",
                path: "/test%24file.text",
                headers: &[
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                body: b"Welcome to Amazon S3.",
                ..request
            },
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
        check(
            &Request {
                path: "/",
                query: "lifecycle=",
                headers: &[],
                ..request
            },
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        );
        check(
            &Request {
                path: "/",
                query: "max-keys=2&prefix=J",
                headers: &[],
                ..request
            },
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        );
    }

    #[test]
    fn a_token_is_signed_and_sent() {
        let login = Login {
            id: Zeroizing::new("id".to_owned()),
            secret: Zeroizing::new("hunter2".to_owned()),
            token: Some(Zeroizing::new("token".to_owned())),
        };
        let request = Request {
            method: "GET",
            host: "h",
            path: "/",
            query: "",
            headers: &[],
            body: b"",
        };
        let signed = request.signed(&login, "r", UNIX_EPOCH);
        assert!(signed.contains(&(
            "x-amz-security-token".to_owned(),
            Zeroizing::new("token".to_owned())
        )));
        let (_, authorization) = signed.last().unwrap();
        assert!(
            authorization.contains(
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"
            )
        );
        let secret = signed.iter().any(|(_, value)| value.contains("hunter2"));
        assert!(!secret, "the key is never sent");
    }

    #[test]
    fn times_are_of_the_civil_calendar() {
        let check = |seconds, expected: &str| {
            assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        };
        check(0, "19700101T000000Z");
        check(951_782_399, "20000228T235959Z");
        check(951_782_400, "20000229T000000Z");
        check(1_369_353_600, "20130524T000000Z");
        check(1_709_251_199, "20240229T235959Z");
        check(4_107_542_400, "21000301T000000Z");
    }
}
