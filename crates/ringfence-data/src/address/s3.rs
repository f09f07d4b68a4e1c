//! Where a bucket is, and who asks for it, from the settings that AWS's clients read.

use zeroize::Zeroizing;

use super::{AddressError, Kind, Target, encoded, http};

/// The settings that say how a bucket is reached, as AWS's clients and the storages of Django read them: where, in which region, by whose
/// key. The first of a line that has a value is taken.
const S3_ENDPOINT: &[&str] = &[
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_S3_ENDPOINT_URL",
];
const S3_REGION: &[&str] = &["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_S3_REGION_NAME"];
const S3_ID: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_S3_ACCESS_KEY_ID"];
const S3_SECRET: &[&str] = &["AWS_SECRET_ACCESS_KEY", "AWS_S3_SECRET_ACCESS_KEY"];
const S3_TOKEN: &[&str] = &["AWS_SESSION_TOKEN"];

/// The names of settings, besides that of its address, which say how a resource of a kind is reached.
pub fn settings(kind: Kind) -> impl Iterator<Item = &'static str> {
    let lists: &[&[&str]] = match kind {
        Kind::S3 => &[S3_ENDPOINT, S3_REGION, S3_ID, S3_SECRET, S3_TOKEN],
        _ => &[],
    };
    lists.iter().copied().flatten().copied()
}

/// Those of them that hold the address of an endpoint.
pub fn endpoints(kind: Kind) -> impl Iterator<Item = &'static str> {
    settings(kind).filter(|name| S3_ENDPOINT.contains(name))
}

impl Target {
    fn first(&self, names: &[&str]) -> Option<&Zeroizing<String>> {
        let mut names = names.iter();
        names.find_map(|name| {
            let found = self.settings.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| value)
        })
    }
}

/// Who signs requests. It holds a secret, so it cannot be printed.
pub(crate) struct Login {
    pub(crate) id: Zeroizing<String>,
    pub(crate) secret: Zeroizing<String>,
    pub(crate) token: Option<Zeroizing<String>>,
}

/// A bucket as it is asked.
pub(crate) struct S3Address {
    /// Where the interface is; `None` for Amazon's own.
    endpoint: Option<String>,
    pub(crate) region: String,
    bucket: String,
    /// Without slashes at its ends.
    prefix: String,
    pub(crate) login: Option<Login>,
}

/// Reads `s3://bucket/prefix`, or a bucket's name alone, with the settings beside it. A key of the resource's own is `ID:SECRET`.
pub(crate) fn s3(target: &Target) -> Result<S3Address, AddressError> {
    let value = target.value.as_str();
    let rest = match value.split_once("://") {
        Some(("s3", rest)) => rest,
        Some(_) => return Err(AddressError::Unreadable),
        None => value,
    };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    // What the rules for names of buckets allow; above all, no login and no port.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if bucket.is_empty() || !bucket.bytes().all(is_name) {
        return Err(AddressError::Unreadable);
    }
    let login = match &target.key {
        Some(key) => key.split_once(':').map(|(id, secret)| Login {
            id: Zeroizing::new(id.to_owned()),
            secret: Zeroizing::new(secret.to_owned()),
            token: None,
        }),
        None => target
            .first(S3_ID)
            .zip(target.first(S3_SECRET))
            .map(|(id, secret)| Login {
                id: id.clone(),
                secret: secret.clone(),
                token: target.first(S3_TOKEN).cloned(),
            }),
    };
    let region = target.first(S3_REGION).map_or("us-east-1", |region| region);
    Ok(S3Address {
        endpoint: target
            .first(S3_ENDPOINT)
            .map(|endpoint| http(endpoint))
            .transpose()?,
        region: region.to_owned(),
        bucket: bucket.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
        login,
    })
}

impl S3Address {
    pub(crate) fn shown(&self) -> String {
        let base = self.endpoint.as_deref().unwrap_or("s3:/");
        let shown = format!("{base}/{}/{}", self.bucket, self.prefix);
        shown.trim_end_matches('/').to_owned()
    }

    /// Where an object below the prefix is: what its URL begins with, its host, and its path, encoded.
    pub(crate) fn object(&self, name: &str) -> (String, String, String) {
        let parts = self.prefix.split('/').filter(|part| !part.is_empty());
        let parts: Vec<String> = parts.chain([name]).map(encoded).collect();
        let object = format!("/{}", parts.join("/"));
        if let Some(endpoint) = &self.endpoint {
            let (_, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let base = endpoint.strip_suffix(path).unwrap_or(endpoint);
            let path = if path.is_empty() {
                String::new()
            } else {
                format!("/{path}")
            };
            let path = format!("{path}/{}{object}", self.bucket);
            return (base.trim_end_matches('/').to_owned(), host.to_owned(), path);
        }
        let domain = if self.region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        // A certificate for any bucket has one label for its name.
        let (host, path) = if self.bucket.contains('.') {
            let host = format!("s3.{}.{domain}", self.region);
            (host, format!("/{}{object}", self.bucket))
        } else {
            (
                format!("{}.s3.{}.{domain}", self.bucket, self.region),
                object,
            )
        };
        (format!("https://{host}"), host, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_where_the_settings_say() {
        let check = |value: &str, settings: &[(&str, &str)], expected: &str| {
            let settings = settings.iter();
            let target = Target {
                name: String::new(),
                kind: Kind::S3,
                value: Zeroizing::new(value.to_owned()),
                key: None,
                root: "/".into(),
                settings: settings
                    .map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned())))
                    .collect(),
            };
            let (base, host, path) = s3(&target).unwrap().object("o");
            assert!(base.ends_with(&host), "{base} {host}");
            assert_eq!(format!("{base}{path}"), expected);
        };
        let region = ("AWS_DEFAULT_REGION", "eu-west-1");
        check(
            "s3://b/p/q/",
            &[region],
            "https://b.s3.eu-west-1.amazonaws.com/p/q/o",
        );
        check("b", &[], "https://b.s3.us-east-1.amazonaws.com/o");
        check(
            "s3://a.b",
            &[region],
            "https://s3.eu-west-1.amazonaws.com/a.b/o",
        );
        check(
            "s3://b",
            &[("AWS_REGION", "cn-north-1")],
            "https://b.s3.cn-north-1.amazonaws.com.cn/o",
        );
        let endpoint = ("AWS_ENDPOINT_URL", "http://u:p@127.0.0.1:9000/");
        check(
            "s3://b/ä x",
            &[endpoint],
            "http://127.0.0.1:9000/b/%C3%A4%20x/o",
        );
        check(
            "s3://b",
            &[("AWS_ENDPOINT_URL_S3", "https://h/s3"), endpoint],
            "https://h/s3/b/o",
        );
    }
}
