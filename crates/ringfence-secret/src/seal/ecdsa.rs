//! The one spelling of an ECDSA signature: of the two `s` that verify, the lower one (SEC 1, section 4.1.4: `s` and `n - s`).

use ssh_key::{EcdsaCurve, Mpint};

use super::wire::{put_string, take_string};

/// The orders of the curves' groups, `n` (NIST SP 800-186, section 3.2.1).
const P256: &[u8] = b"\
    \xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
    \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
const P384: &[u8] = b"\
    \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xff\xff\xff\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf\
    \x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29\x73";
const P521: &[u8] = b"\
    \x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xfa\x51\x86\x87\x83\xbf\x2f\x96\x6b\x7f\xcc\x01\x48\xf7\x09\xa5\
    \xd0\x3b\xb5\xc9\xb8\x89\x9c\x47\xae\xbb\x6f\xb7\x1e\x91\x38\x64\x09";

/// The signature (two numbers, RFC 5656, section 3.1.2) with its lower `s`; `None` where it is malformed.
pub(super) fn with_low_s(curve: EcdsaCurve, signature: &[u8]) -> Option<Vec<u8>> {
    let order = match curve {
        EcdsaCurve::NistP256 => P256,
        EcdsaCurve::NistP384 => P384,
        EcdsaCurve::NistP521 => P521,
    };
    let mut rest = signature;
    let (r, s) = (take_string(&mut rest)?, take_string(&mut rest)?);
    let s = Mpint::from_bytes(s).ok()?;
    let s = padded(s.as_positive_bytes()?, order.len())?;
    let other = difference(order, &s)?;
    let low = Mpint::from_positive_bytes(&s.min(other)).ok()?;
    let mut written = Vec::with_capacity(signature.len());
    put_string(&mut written, r);
    put_string(&mut written, low.as_bytes());
    rest.is_empty().then_some(written)
}

/// The number with zeros before it, so that two of one length compare as numbers do.
fn padded(number: &[u8], length: usize) -> Option<Vec<u8>> {
    let zeros = length.checked_sub(number.len())?;
    Some([&vec![0; zeros], number].concat())
}

/// One number less another of its length; `None` below zero. What is subtracted is public: the time that it takes tells nothing.
fn difference(from: &[u8], less: &[u8]) -> Option<Vec<u8>> {
    let mut borrow = false;
    let mut result: Vec<u8> = Vec::with_capacity(from.len());
    for (from, less) in from.iter().zip(less).rev() {
        let (digit, first) = from.overflowing_sub(*less);
        let (digit, second) = digit.overflowing_sub(u8::from(borrow));
        borrow = first || second;
        result.push(digit);
    }
    result.reverse();
    (!borrow).then_some(result)
}
