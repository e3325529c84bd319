//! A credential is asked for before each attempt, and a refused one is never shown again by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_client::{ConnectError, Credential, Reason, State};
use callboard_protocol::close::Code;

use crate::broker::{Broker, patiently};

fn counted(count: Arc<AtomicUsize>) -> impl Fn() -> std::future::Ready<Result<Credential, callboard_client::BoxError>> {
    move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        std::future::ready(if number == 1 {
            Err("the token office is closed".into())
        } else {
            Ok(Credential::new("jwt", format!("token {number}")))
        })
    }
}

#[tokio::test]
async fn a_provider_is_asked_before_each_attempt() {
    let broker = Broker::start();
    let asked = Arc::new(AtomicUsize::new(0));
    let client = broker.builder().token_provider(counted(asked)).connect_lazy().expect("the options hold");
    let mut states = client.states();
    let mut peer = broker.accept().await;
    assert_eq!(peer.hello().secret.as_deref(), Some("token 0"));
    peer.say_goodbye(Code::BadCredential.number(), None).await;
    let token = |state: &State| matches!(state, State::Waiting { why: Reason::Token(_), .. });
    assert!(patiently(states.wait_for(token)).await.is_some(), "the second one fails");
    let peer = broker.welcome().await;
    assert_eq!(peer.hello().secret.as_deref(), Some("token 2"));
    assert!(patiently(states.online()).await.is_some());
    peer.connection.close(quinn::VarInt::from_u32(Code::CredentialExpired.number().into()), b"");
    let peer = broker.welcome().await;
    assert_eq!(peer.hello().secret.as_deref(), Some("token 3"));
}

#[tokio::test]
async fn a_fixed_credential_that_is_refused_is_not_shown_again() {
    let broker = Broker::start();
    let (refused, ()) = tokio::join!(broker.builder().api_key("secret").connect(), async {
        let peer = broker.accept().await;
        assert_eq!(peer.hello().secret.as_deref(), Some("secret"));
        peer.dismiss(Code::BadCredential.number()).await;
    });
    assert!(matches!(refused, Err(ConnectError::Refused(Reason::Ended { code: 4300, .. }))), "{refused:?}");
}

#[tokio::test]
async fn a_session_whose_credential_is_revoked_ends_the_client_that_has_no_other() {
    let broker = Broker::start();
    let client = broker.builder().api_key("secret").connect_lazy().expect("the options hold");
    let mut states = client.states();
    let mut peer = broker.welcome().await;
    assert!(patiently(states.online()).await.is_some());
    peer.say_goodbye(Code::BadCredential.number(), None).await;
    let closed = patiently(states.wait_for(|state| matches!(state, State::Closed { .. }))).await;
    assert!(matches!(closed, Some(State::Closed { why: Reason::Ended { code: 4300, .. } })), "{closed:?}");
}

#[tokio::test]
async fn a_provider_is_asked_for_another_credential_when_one_is_revoked() {
    let broker = Broker::start();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let provide = move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(Credential::api_key(format!("key {number}"))))
    };
    let _client = broker.builder().token_provider(provide).connect_lazy().expect("the options hold");
    for number in 0..5 {
        let mut peer = broker.welcome().await;
        assert_eq!(peer.hello().secret, Some(format!("key {number}")), "it is asked once for each attempt");
        peer.say_goodbye(Code::BadCredential.number(), None).await;
    }
}

#[test]
fn a_secret_is_not_printed() {
    assert!(!format!("{:?}", Credential::api_key("hush")).contains("hush"));
    let builder = callboard_client::Client::builder("callboard://localhost").api_key("hush");
    assert!(!format!("{builder:?}").contains("hush"));
}
