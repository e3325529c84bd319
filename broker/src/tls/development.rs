//! The self-signed certificate for development, made at the first start and kept; never shown beyond loopback unasked.

use std::path::Path;

use callboard_client::Fingerprint;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use super::{ServerIdentity, TlsError, pem};
use crate::data_dir::{self, HoldError, Mode};

/// The public part, in the data directory.
pub(super) const CERTIFICATE: &str = "development-cert.pem";

/// The private part, in the data directory.
const KEY: &str = "development-key.pem";

/// A day, in seconds.
const DAY_S: u64 = 24 * 60 * 60;

/// How long a new one lasts: a renewal changes the fingerprint that someone may have copied, so not often.
const LIFETIME_S: u64 = 365 * DAY_S;

/// It is renewed when less than this is left: brokers that are restarted monthly never show an expired one.
const RENEW_BELOW_S: u64 = 30 * DAY_S;

/// The saved certificate if it is good for another month, otherwise a new one that replaces it.
pub(super) fn load_or_make(data_dir: &Path, now_s: u64) -> Result<ServerIdentity, TlsError> {
    match load(data_dir, now_s) {
        Ok(Some(identity)) => return Ok(identity),
        Ok(None) => {}
        Err(TlsError::Unreadable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        // Whatever cannot be read for lack of rights could not be replaced with sense either.
        Err(error @ TlsError::Unreadable { .. }) => return Err(error),
        Err(error) => tracing::warn!("the saved development certificate is replaced: {error}"),
    }
    let unwritable = |source| TlsError::Unwritable { path: data_dir.to_owned(), source };
    let hold = data_dir::hold(data_dir).map_err(|error| match error {
        HoldError::Busy { directory } => TlsError::Busy { directory },
        HoldError::Io(error) => unwritable(error),
    })?;
    // Another broker that was started at the same time may have made one meanwhile.
    if let Ok(Some(identity)) = load(data_dir, now_s) {
        return Ok(identity);
    }
    let (key, certificate) = make(now_s)?;
    // The key first: a certificate whose key is not there yet would be pinned and then not shown.
    hold.write(KEY, key.as_bytes(), Mode::Secret).map_err(unwritable)?;
    hold.write(CERTIFICATE, certificate.as_bytes(), Mode::Public).map_err(unwritable)?;
    pem::load(&data_dir.join(CERTIFICATE), &data_dir.join(KEY), true)
}

/// The fingerprint of the saved certificate.
pub(super) fn fingerprint(data_dir: &Path) -> Result<Option<Fingerprint>, TlsError> {
    let path = data_dir.join(CERTIFICATE);
    match pem::chain(&path) {
        Ok(chain) => pem::fingerprint(&chain, &path).map(Some),
        Err(TlsError::Unreadable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn load(data_dir: &Path, now_s: u64) -> Result<Option<ServerIdentity>, TlsError> {
    let path = data_dir.join(CERTIFICATE);
    let identity = pem::load(&path, &data_dir.join(KEY), true)?;
    let left_s = pem::expiry_s(&identity.chain, &path)?.saturating_sub(now_s);
    Ok((left_s >= RENEW_BELOW_S).then_some(identity))
}

/// A new key and its certificate.
fn make(now_s: u64) -> Result<(String, String), TlsError> {
    let setup = |error: rcgen::Error| TlsError::Setup(error.to_string());
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(setup)?;
    let certificate = params(now_s)?.self_signed(&key).map_err(setup)?;
    Ok((key.serialize_pem(), certificate.pem()))
}

fn params(now_s: u64) -> Result<CertificateParams, TlsError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(hostname());
    let mut params = CertificateParams::new(names).map_err(|error| TlsError::Setup(error.to_string()))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Callboard development certificate");
    // A day of grace behind, for clocks that are not set.
    let (year, month, day) = date(now_s.saturating_sub(DAY_S))?;
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = date(now_s.saturating_add(LIFETIME_S + DAY_S))?;
    params.not_after = rcgen::date_time_ymd(year, month, day);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// The machine's name, where it is one that a certificate can carry.
fn hostname() -> Option<String> {
    let name = gethostname::gethostname().into_string().ok()?;
    rustls::pki_types::DnsName::try_from(name.as_str()).ok()?;
    (name != "localhost").then_some(name)
}

/// Year, month and day of a point in time, in UTC.
fn date(at_s: u64) -> Result<(i32, u8, u8), TlsError> {
    let beyond = || TlsError::Setup("this machine's clock is beyond the calendar; set it".to_owned());
    let at_s = i64::try_from(at_s).map_err(|_| beyond())?;
    let date = jiff::Timestamp::from_second(at_s).map_err(|_| beyond())?.to_zoned(jiff::tz::TimeZone::UTC).date();
    Ok((date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    #[test]
    fn the_second_start_shows_the_certificate_of_the_first() {
        let home = tempfile::tempdir().expect("a directory");
        let data_dir = home.path().join("data");
        assert_eq!(fingerprint(&data_dir).expect("no error"), None);
        let first = load_or_make(&data_dir, NOW_S).expect("made");
        let second = load_or_make(&data_dir, NOW_S + 300 * DAY_S).expect("loaded");
        assert!(first.development && second.development);
        assert_eq!(first.fingerprint, second.fingerprint);
        assert_eq!(fingerprint(&data_dir).expect("no error"), Some(first.fingerprint));
    }

    #[test]
    fn brokers_that_start_at_once_show_one_certificate() {
        let home = tempfile::tempdir().expect("a directory");
        let start = || load_or_make(home.path(), NOW_S).expect("made").fingerprint;
        let shown = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().expect("no panic")).collect::<Vec<_>>()
        });
        assert!(shown.iter().all(|fingerprint| *fingerprint == start()), "{shown:?}");
    }

    #[test]
    fn one_that_ends_within_a_month_is_renewed() {
        let home = tempfile::tempdir().expect("a directory");
        let first = load_or_make(home.path(), NOW_S).expect("made");
        let late = load_or_make(home.path(), NOW_S + 340 * DAY_S).expect("renewed");
        assert_ne!(first.fingerprint, late.fingerprint);
    }

    #[test]
    fn a_damaged_or_mismatched_pair_is_replaced() {
        let home = tempfile::tempdir().expect("a directory");
        let first = load_or_make(home.path(), NOW_S).expect("made");
        std::fs::write(home.path().join(KEY), "torn").expect("written");
        let second = load_or_make(home.path(), NOW_S).expect("made again");
        assert_ne!(first.fingerprint, second.fingerprint);
        let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        std::fs::write(home.path().join(KEY), other.serialize_pem()).expect("written");
        let third = load_or_make(home.path(), NOW_S).expect("made again");
        assert_ne!(second.fingerprint, third.fingerprint);
    }

    #[test]
    fn it_names_this_machine_and_both_loopbacks() {
        let names = format!("{:?}", params(NOW_S).expect("parameters").subject_alt_names);
        assert!(names.contains("localhost") && names.contains("127.0.0.1") && names.contains("::1"), "{names}");
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_the_owners_alone_and_the_certificate_is_not() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().expect("a directory");
        load_or_make(home.path(), NOW_S).expect("made");
        let mode =
            |name: &str| std::fs::metadata(home.path().join(name)).expect("metadata").permissions().mode() & 0o777;
        assert_eq!((mode(KEY), mode(CERTIFICATE)), (0o600, 0o644));
    }
}
