//! The fuzz targets on mutated seeds, for a bounded time: `RINGFENCE_FUZZ_SECONDS`, 3 where it is not set.
//! `fuzz/run` does the same guided by coverage.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test panics, and indices are bounded where they are made"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "how long to run is said in the environment"
)]

#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/secret.rs"]
mod secret;

use std::path::Path;

use ringfence_secret::identity::Identity;
use ringfence_secret::seal::{self, Seal, SigningKey, Statement};
use ringfence_secret::sops::{File, Format, Opened};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

const ENV: &[u8] = include_bytes!("data/sealed.env");
const JSON: &[u8] = include_bytes!("data/sealed.json");
const SEAL: &[u8] = include_bytes!("data/sealed.env.seal");
/// Two secrets and output with them, `<page>` between.
const OUTPUT: &str = include_str!("data/output.txt");

const PLAIN: [(Format, &str, &str); 2] = [
    (
        Format::Dotenv,
        "sealed.env",
        "# a comment\nAPI_KEY=s3cr3t\nEMPTY=\nHOST_unencrypted=db\nLINES=one\\ntwo\n",
    ),
    (
        Format::Json,
        "sealed.json",
        r#"{"api": {"key": "s3cr3t", "list": [1, -2.5e-9, true, null, [""]]}, "host_unencrypted": {"port": 5432}}"#,
    ),
];

/// With `RINGFENCE_UPDATE_SEEDS` set, the seeds are written anew; the next build has them.
#[test]
fn the_seeds_are_understood() {
    if std::env::var_os("RINGFENCE_UPDATE_SEEDS").is_some() {
        make_the_seeds();
    }
    let identities = Identity::parse(secret::KEY, None).unwrap();
    for (bytes, (format, _, plain)) in [ENV, JSON].into_iter().zip(PLAIN) {
        let opened = File::parse(bytes, format)
            .unwrap()
            .open(&identities)
            .ok()
            .unwrap();
        let text = opened.plain_text();
        match format {
            Format::Dotenv => assert_eq!(text.expose(), plain),
            Format::Json => {
                let json =
                    |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
                assert_eq!(json(text.expose()), json(plain));
            }
        }
    }
    Seal::parse(SEAL).unwrap();
}

/// Writes the seeds anew.
fn make_the_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let identity = Identity::parse(secret::KEY, None).unwrap().remove(0);
    for (format, name, plain) in PLAIN {
        let mut opened = Opened::new(format);
        opened
            .readers(std::slice::from_ref(identity.recipient()))
            .unwrap();
        opened.replace(plain).unwrap();
        let file = opened.seal("2026-01-02T03:04:05Z").unwrap();
        let key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap();
        let key = SigningKey::parse(&key.to_openssh(LineEnding::LF).unwrap(), None)
            .ok()
            .unwrap();
        let statement = Statement::about("prod", &file, opened.names(), None).unwrap();
        let seal = seal::sign(statement, &key).unwrap();
        std::fs::write(folder.join(name), &file).unwrap();
        if format == Format::Dotenv {
            std::fs::write(folder.join("sealed.env.seal"), seal.to_text()).unwrap();
        }
    }
}

#[test]
fn sealed_files() {
    let tokens = [
        "\n",
        "=",
        "\\n",
        "#",
        "ENC[AES256_GCM,data:",
        ",iv:",
        ",tag:",
        ",type:str]",
        ",type:int]",
        "sops_",
        "sops_age__list_1__map_enc",
        "_unencrypted",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "1e400",
        "-0",
        "0.1e-7",
        "\\u0000",
        "\"sops\": {",
    ];
    let plain = PLAIN.map(|(_, _, plain)| plain.as_bytes().to_vec());
    let seeds = [vec![ENV.to_vec(), JSON.to_vec()], plain.to_vec()].concat();
    mutate::fuzz(secret::sops, &seeds, &tokens);
}

#[test]
fn seals() {
    let tokens = [
        "\n",
        "name ",
        "revision ",
        "sha256:",
        "none",
        "-----BEGIN SSH SIGNATURE-----\n",
        "=",
        "AAAA",
    ];
    mutate::fuzz(secret::seal, &[SEAL.to_vec()], &tokens);
}

#[test]
fn output_with_secrets() {
    let tokens = [
        "\n",
        "\x0c",
        "s3cr3t-Value",
        "s3cr3t",
        "czNjcjN0LVZhbHVl",
        "%2F",
        "\\/",
        "p4ss/W0rd",
        "://a:",
        "@",
    ];
    let seed = OUTPUT.replace("<page>", "\x0c").into_bytes();
    mutate::fuzz(secret::redact, &[seed], &tokens);
}
