//! How a store follows its file of keys, and what changes nothing in it; no broker runs here.

use super::*;

fn open(home: &tempfile::TempDir) -> KeyStore {
    KeyStore::open(home.path().join("data")).expect("a store")
}

#[test]
fn a_directory_without_keys_knows_nobody_and_is_not_made() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(&home);
    assert!(store.list().expect("a list").is_empty());
    assert_eq!(store.verify(&ApiKey::random().expect("randomness").reveal()), None);
    assert!(!home.path().join("data").exists());
}

#[test]
fn a_running_store_follows_what_another_process_changes() {
    let home = tempfile::tempdir().expect("a directory");
    let (broker, command) = (open(&home), open(&home));
    let first = command.create("reporter").expect("a key");
    assert_eq!(broker.verify(&first.reveal()).expect("known").key, "reporter".into());
    let second = command.create("reporter").expect("a key");
    assert!(broker.verify(&second.reveal()).is_some());
    assert_eq!(command.revoke(first.id()).expect("revoked"), Some("reporter".to_owned()));
    assert_eq!(broker.verify(&first.reveal()), None);
    assert!(broker.verify(&second.reveal()).is_some());
    assert_eq!(command.revoke(first.id()).expect("no error"), None);
    command.revoke(second.id()).expect("revoked");
    assert_eq!(broker.verify(&second.reveal()), None, "the last one, too");
}

#[test]
fn what_stood_on_a_key_does_not_outlast_it() {
    let home = tempfile::tempdir().expect("a directory");
    let (broker, command) = (open(&home), open(&home));
    let plain = command.create("reporter").expect("a key");
    let bridge = command.create_with("edge", Rights { bridge: true }).expect("a key");
    let bind = |key: &ApiKey| {
        let binding = KeyBinding::default();
        let identity = broker.verify_for(&key.reveal(), &binding).expect("known");
        (binding, identity)
    };
    let ((on_plain, reporter), (on_bridge, edge)) = (bind(&plain), bind(&bridge));
    assert_eq!((reporter.rights.bridge, edge.rights.bridge), (false, true));
    let nobodys = KeyBinding::default();
    assert_eq!(broker.verify_for("cb_nothing", &nobodys), None);
    let granted =
        |live: &LiveKeys| [&on_plain, &on_bridge, &nobodys].map(|binding| !binding.end_if_revoked(live, || ()));
    assert_eq!(broker.news(granted), Some([true; 3]), "nobody has asked before");
    assert!(broker.news(|_| ()).is_none(), "nothing has changed since");
    command.revoke(plain.id()).expect("revoked");
    assert_eq!(broker.verify(&plain.reveal()), None, "what sees the change first does not hide it");
    assert_eq!(broker.news(granted), Some([false, true, true]));
    let without_rights = fs::read_to_string(broker.file()).expect("read").replace("rights = [\"bridge\"]\n", "");
    fs::write(broker.file(), without_rights).expect("written");
    assert_eq!(broker.news(granted), Some([false, false, true]), "the right was taken back alone");
    on_plain.note(None);
    command.revoke(bridge.id()).expect("revoked");
    assert_eq!(broker.news(granted), Some([true, false, true]), "after its logout a session relies on no key");
}

#[test]
fn nobody_is_judged_by_older_keys_than_his_own() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(&home);
    assert_eq!(store.news(|_| store.snapshot.try_lock().is_none()), Some(true), "who comes meanwhile waits");
}

#[test]
fn the_right_id_with_another_secret_is_nobody() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(&home);
    let key = store.create("reporter").expect("a key");
    let other = ApiKey::random().expect("randomness").reveal();
    let forged = format!("cb_{}_{}", key.id(), other.rsplit('_').next().expect("a secret"));
    assert!(ApiKey::parse(&forged).is_some());
    assert_eq!(store.verify(&forged), None);
}

#[test]
fn a_wrong_file_stops_the_start() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(&home);
    store.create("reporter").expect("a key");
    for wrong in ["", "[[key]]\nid = \"zz\"\n"] {
        fs::write(store.file(), wrong).expect("written");
        let error = KeyStore::open(home.path().join("data")).expect_err("an error");
        assert!(matches!(error, KeyError::Malformed { .. }), "{error}");
    }
}

#[test]
fn only_a_whole_file_changes_the_keys_of_an_open_store() {
    let home = tempfile::tempdir().expect("a directory");
    let (broker, command) = (open(&home), open(&home));
    let keys = ["one", "two"].map(|name| command.create(name).expect("a key"));
    let binding = KeyBinding::default();
    assert!(broker.verify_for(&keys[1].reveal(), &binding).is_some());
    broker.news(|_| ());
    let is_revoked = |live: &LiveKeys| binding.end_if_revoked(live, || ());
    let (file, whole) = (broker.file(), fs::read_to_string(broker.file()).expect("read"));
    let away = home.path().join("away");
    let damages: [&dyn Fn() -> io::Result<()>; 5] = [
        &|| fs::rename(&file, &away),
        &|| fs::write(&file, ""),
        &|| fs::write(&file, whole.rsplit_once("[[key]]").expect("the last key").0),
        &|| fs::write(&file, "[[key]]\nid = \"zz\"\n"),
        &|| fs::write(&file, b"\xff"),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        damage().expect("damaged");
        for _ in 0..2 {
            assert!(keys.iter().all(|key| broker.verify(&key.reveal()).is_some()), "damage {number}");
            assert!(broker.news(|_| ()).is_none(), "damage {number}");
        }
        let _ = fs::remove_file(&file);
        fs::write(&file, &whole).expect("mended");
        assert!(!broker.news(is_revoked).unwrap_or(false), "damage {number}");
    }
    command.revoke(keys[1].id()).expect("revoked");
    assert!(broker.news(is_revoked).unwrap_or(false));
}

#[test]
fn a_wrong_file_is_read_once() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(&home);
    let key = store.create("reporter").expect("a key").reveal();
    assert!(store.verify(&key).is_some());
    fs::write(store.file(), "[[key]]\nid = \"zz\"\n").expect("written");
    assert!(store.verify(&key).is_some());
    assert_eq!(store.snapshot.lock().stamp, stamp(&store.file()).expect("a stamp"));
}

#[test]
fn the_file_has_no_secret_and_is_the_owners_alone() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(&home);
    let key = store.create("reporter").expect("a key").reveal();
    let text = fs::read_to_string(store.file()).expect("read");
    assert!(!text.contains(key.rsplit('_').next().expect("a secret")));
    assert!(text.contains("name = \"reporter\""));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(store.file()).expect("metadata").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn keys_made_at_the_same_time_are_all_kept() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(&home);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| assert!(store.create("many").is_ok())));
        }
    });
    assert_eq!(store.list().expect("a list").len(), 20);
}

#[test]
fn names_that_no_identity_can_have_are_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(&home);
    for name in ["", "a\nb", &"a".repeat(limits::LABEL_BYTES_MAX + 1)] {
        assert!(matches!(store.create(name), Err(KeyError::BadName)));
    }
}
