//! A broker whose certificate is not believed gets no session: a program that starts is told at once, one that runs waits.

use std::path::PathBuf;

use callboard_client::{Builder, ConnectError, Fingerprint, Reason, State, Trust};
use tokio::time::Instant;

use crate::broker::{Broker, patiently};

/// What `connect` says about a broker that it must not believe.
async fn refused(broker: &Broker, builder: Builder) -> String {
    let began = Instant::now();
    let refused = tokio::select! {
        refused = builder.connect() => refused,
        () = broker.accept_fails() => panic!("the broker listens"),
    };
    assert!(began.elapsed() < callboard_client::defaults::CONNECT_TIMEOUT, "it is told at once");
    let Err(error @ ConnectError::Untrusted { .. }) = refused else { panic!("it must not be believed") };
    error.to_string()
}

/// A file with a root that signed nothing here.
fn foreign_root(name: &str) -> PathBuf {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let path = std::env::temp_dir().join(format!("callboard-client-{}-{name}.pem", std::process::id()));
    std::fs::write(&path, certified.cert.pem()).expect("it is written");
    path
}

#[tokio::test]
async fn another_certificate_than_the_pinned_one_is_told_with_both_fingerprints() {
    let broker = Broker::start();
    let other = Fingerprint::of(b"another certificate");
    let sentence = refused(&broker, broker.builder().trust(Trust::pinned(other))).await;
    let wanted = format!(
        "the broker at {} is not trusted: its certificate is {}, and {other} is pinned",
        broker.url(),
        broker.pin
    );
    assert_eq!(sentence, wanted);
}

#[tokio::test]
async fn a_certificate_that_no_root_signed_is_told_with_its_fingerprint() {
    let broker = Broker::start();
    let path = foreign_root("elsewhere");
    let sentence = refused(&broker, broker.builder().trust(Trust::pem_file(&path))).await;
    let wanted = format!("its certificate {} is not signed by anyone this client trusts", broker.pin);
    assert!(sentence.ends_with(&wanted), "{sentence}");
    std::fs::remove_file(path).expect("it is there");
}

#[tokio::test]
async fn a_client_that_runs_waits_for_the_right_certificate() {
    let broker = Broker::start();
    let builder = broker.builder().trust(Trust::pinned(Fingerprint::of(b"another certificate")));
    let client = builder.connect_lazy().expect("the options hold");
    let mut states = client.states();
    let mut untrusted = 0;
    let watched = async {
        while untrusted < 2 {
            let state = states.next().await.expect("it goes on");
            untrusted += usize::from(matches!(state, State::Waiting { why: Reason::Untrusted(_), .. }));
        }
    };
    tokio::select! {
        () = patiently(watched) => {}
        () = broker.accept_fails() => panic!("the broker listens"),
    }
    assert!(!matches!(client.state(), State::Closed { .. }));
}
