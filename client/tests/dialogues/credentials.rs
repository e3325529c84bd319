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

#[test]
fn a_secret_is_not_printed() {
    assert!(!format!("{:?}", Credential::api_key("hush")).contains("hush"));
    let builder = callboard_client::Client::builder("callboard://localhost").api_key("hush");
    assert!(!format!("{builder:?}").contains("hush"));
}
