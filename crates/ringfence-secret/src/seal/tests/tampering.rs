//! Every byte of a seal, changed.

use super::*;

/// A seal of about 1 kB.
fn sealed(key: &SigningKey) -> Seal {
    let names = (0..16).map(|at| format!("SERVICE_{at}_TOKEN"));
    let first = sign(statement(None), key).unwrap();
    let statement = Statement::about("prod", FILE, names, Some(&first)).unwrap();
    sign(statement, key).unwrap()
}

/// Refuses every text that differs from a seal's in one byte, by all of the given differences.
pub(super) fn check_every_byte(seal: &Seal, differences: &[u8]) {
    let mut text = seal.to_text().as_bytes().to_vec();
    for at in 0..text.len() {
        let before = text[at];
        for difference in differences {
            text[at] = before ^ difference;
            assert!(Seal::parse(&text).is_err(), "byte {at} ^ {difference}");
        }
        text[at] = before;
    }
    Seal::parse(&text).unwrap();
}

const SEVERAL: [u8; 8] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80];

#[test]
fn every_other_byte_of_an_ed25519_seal_is_refused() {
    let all: Vec<u8> = (1..=u8::MAX).collect();
    check_every_byte(&sealed(&key(Algorithm::Ed25519)), &all);
}

#[test]
fn every_flipped_bit_of_an_ecdsa_seal_is_refused() {
    for kind in &KINDS[1..3] {
        check_every_byte(&sealed(&key(kind.clone())), &SEVERAL);
    }
}

#[test]
fn every_cut_insertion_and_removal_is_refused() {
    let seal = sealed(&key(P256));
    let text = seal.to_text().as_bytes();
    for at in 0..text.len() {
        assert!(Seal::parse(&text[..at]).is_err(), "cut at {at}");
        let (start, end) = text.split_at(at);
        // A byte removed from between equal ones gives one text: it is looked at once.
        assert!(
            Seal::parse(&[start, &end[1..]].concat()).is_err(),
            "without {at}"
        );
        for byte in [b'\n', b'\r', b' ', b'=', b'A', 0] {
            assert!(
                Seal::parse(&[start, &[byte], end].concat()).is_err(),
                "{byte} at {at}"
            );
        }
    }
    assert!(Seal::parse(&[text, b"\n"].concat()).is_err());
    assert!(Seal::parse(&[text, text].concat()).is_err());
}

#[test]
fn a_signature_is_no_other_seals() {
    let key = key(Algorithm::Ed25519);
    let (one, other) = (sealed(&key), sign(statement(None), &key).unwrap());
    let (_, armor) = statement::split(other.to_text()).unwrap();
    let mixed = Seal::from_signature(one.statement().clone(), armor);
    assert!(matches!(mixed, Err(SealError::WrongSignature)));
}

#[test]
fn anothers_key_under_ones_signature_is_refused() {
    let (ann, eve) = (key(Algorithm::Ed25519), key(Algorithm::Ed25519));
    let signature = eve.sign(statement(None).to_text().as_bytes()).unwrap();
    let envelope = Envelope::new(ann.public(), &signature).unwrap();
    let refusal = Seal::new(statement(None), &envelope);
    assert!(matches!(refusal, Err(SealError::WrongSignature)));
    // A signature of another kind than the key's.
    let signature = key(P256).sign(b"message").unwrap();
    assert!(Envelope::new(ann.public(), &signature).is_err());
}
