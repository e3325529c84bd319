//! One browser at the edge, before a broker that is not there.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};

use callboard_client::Client;

use super::super::budget::{Share, WaitingBudget};
use super::super::state::Patience;
use super::*;

fn browser() -> Browser {
    let pool = Pool::new(Client::builder("callboard://127.0.0.1:1").api_key("cb_a_b"), 1, Arc::default())
        .expect("a broker that may be there");
    let share = || Share::of(&WaitingBudget::new(1, 1));
    let (state, shares) = (State::new(Patience { hello: 1, answer: 1 }), Shares { inward: share(), outward: share() });
    Browser::new(state, Dialect::Binary, Bytes::from_static(b"a secret"), pool, shares)
}

#[tokio::test]
async fn what_a_browser_showed_is_not_shown_by_accident() {
    assert!(!format!("{:?}", browser()).contains("a secret"));
}

#[tokio::test]
async fn who_says_much_while_it_waits_is_asked_for_its_turn_all_the_same() {
    let (mut browser, asked) = (browser(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&asked);
    browser.stream = BrokerStream::Awaited(Box::pin(poll_fn(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Poll::Pending
    })));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(browser.poll_news(&mut cx, Interest { output: true, ending: true }).is_pending());
    // Its bridge has always something to read, and never asks for news again.
    browser.hand_over();
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
