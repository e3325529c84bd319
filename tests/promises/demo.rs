//! The demo's program does what pages ask it for, answers whom it turns away, holds no more than it may, and comes back.

use std::sync::Arc;
use std::time::Duration;

use callboard::config::Rate;
use callboard::demo::{BoxOffice, JOBS, Options, Program, SALES, SOLD};
use callboard_client::{ChannelName, Client, Event, Payload, Subscription};
use callboard_tests::{Broker, Process, soon};
use serde_json::{Value, json};

const QUICK: Options =
    Options { jobs: 4, tick: Duration::from_millis(1), refusals: Rate { per_second: 10_000, burst: 10_000 } };

/// Longer than any test.
const SLOW: Duration = Duration::from_secs(3600);

/// The program, once it listens, on the bus of a client that is the visitor's too: what that says comes behind what
/// the program said.
async fn program(client: &Client, office: &Arc<BoxOffice>, options: Options) -> (Program, Subscription) {
    let mut hints = soon("a subscription", client.subscribe(SOLD)).await.expect("a channel like any other");
    let program = Program::start(client.clone(), Arc::clone(office), options);
    message(&mut hints).await;
    (program, hints)
}

async fn message(subscription: &mut Subscription) -> Payload {
    loop {
        match soon("a message", subscription.next()).await {
            Some(Event::Message(message)) => return message.payload,
            Some(Event::Gap(_)) => {}
            ended => panic!("no message: {ended:?}"),
        }
    }
}

async fn news(subscription: &mut Subscription) -> Value {
    let payload = message(subscription).await;
    serde_json::from_slice(payload.bytes()).expect("news are JSON")
}

async fn publish(client: &Client, channel: &str, payload: Payload) {
    soon("the acknowledgement", client.publish_acked(channel, payload)).await.expect("it may be published");
}

/// Asks for a job, and gives what is said of it.
async fn ask(client: &Client, job: &str) -> Subscription {
    let answer_to = client.one_off_channel();
    let answers = soon("a subscription", client.subscribe(&answer_to)).await.expect("a channel like any other");
    let request = json!({ "job": job, "answerTo": answer_to.as_str() });
    publish(client, JOBS, Payload::json(request.to_string())).await;
    answers
}

fn office() -> Arc<BoxOffice> {
    Arc::new(BoxOffice::open())
}

fn sold(office: &BoxOffice) -> u64 {
    let report: Value = serde_json::from_slice(&office.report()).expect("JSON");
    report["sold"].as_u64().expect("a number")
}

async fn goes_well(client: &Client) {
    let mut answers = ask(client, "set").await;
    let mut before = 0;
    loop {
        let news = news(&mut answers).await;
        let percent = news["percent"].as_u64().unwrap_or_else(|| panic!("no progress: {news}"));
        assert!(percent >= before && news["doing"].is_string(), "{news}");
        before = percent;
        if percent == 100 {
            return;
        }
    }
}

#[tokio::test]
async fn a_job_tells_how_far_it_is_until_it_is_done_and_only_where_it_was_asked_to() {
    let broker = Broker::start().await;
    let client = broker.client().await;
    let _program = program(&client, &office(), QUICK).await;
    let mut other = ask(&client, "lights").await;
    goes_well(&client).await;
    while news(&mut other).await["percent"] != 100 {}
}

#[tokio::test]
async fn a_bad_request_is_told_what_there_is_and_harms_nobody() {
    let broker = Broker::start().await;
    let client = broker.client().await;
    let _program = program(&client, &office(), QUICK).await;
    let innocent = ChannelName::parse("everybody/reads").expect("a name");
    let mut bystander = soon("a subscription", client.subscribe(&innocent)).await.expect("a channel like any other");
    for payload in [
        Payload::text("set"),
        Payload::binary(vec![0xff; 1000]),
        Payload::json("[".repeat(1000)),
        Payload::json(json!({ "job": "set" }).to_string()),
        Payload::json(json!({ "job": "set", "answerTo": innocent.as_str() }).to_string()),
        Payload::json(json!({ "job": "no such one", "answerTo": innocent.as_str() }).to_string()),
    ] {
        publish(&client, JOBS, payload).await;
    }
    let mut answers = ask(&client, "a pony").await;
    let answer = news(&mut answers).await;
    assert!(answer["refused"].as_str().is_some_and(|sentence| sentence.contains("set")), "{answer}");
    goes_well(&client).await;
    publish(&client, innocent.as_str(), "the first word here".into()).await;
    assert_eq!(message(&mut bystander).await, "the first word here".into());
}

#[tokio::test]
async fn there_are_never_more_jobs_than_hands() {
    let broker = Broker::start().await;
    let client = broker.client().await;
    let _program = program(&client, &office(), Options { jobs: 2, tick: SLOW, ..QUICK }).await;
    let (mut first, mut second) = (ask(&client, "set").await, ask(&client, "costumes").await);
    for answers in [&mut first, &mut second] {
        assert_eq!(news(answers).await["percent"], 0);
    }
    for _ in 0..10 {
        let answer = news(&mut ask(&client, "lights").await).await;
        assert!(answer["refused"].as_str().is_some_and(|sentence| sentence.contains("busy")), "{answer}");
    }
}

/// Whether one who asks for what is no job is told so.
async fn is_told(client: &Client) -> bool {
    let mut answers = ask(client, "a pony").await;
    // Whoever asked before has been judged when this is done.
    goes_well(client).await;
    publish(client, answers.channel().as_str(), Payload::json("{}")).await;
    news(&mut answers).await["refused"].is_string()
}

#[tokio::test]
async fn who_asks_for_nonsense_again_and_again_gets_no_more_channels_born_than_the_program_can_pay_for() {
    let broker = Broker::start().await;
    let client = broker.client().await;
    let never_again = Options { refusals: Rate { per_second: 0, burst: 2 }, ..QUICK };
    let _program = program(&client, &office(), never_again).await;
    for is_allowed in [true, true, false, false] {
        assert_eq!(is_told(&client).await, is_allowed);
    }
}

#[tokio::test]
async fn after_a_while_who_is_turned_away_is_told_so_again() {
    let broker = Broker::start().await;
    let client = broker.client().await;
    let now_and_then = Options { refusals: Rate { per_second: 1, burst: 1 }, ..QUICK };
    let _program = program(&client, &office(), now_and_then).await;
    for _ in 0..2 {
        soon("an answer", async { while !is_told(&client).await {} }).await;
    }
}

#[tokio::test]
async fn hands_that_are_done_take_the_next_job() {
    let broker = Broker::start().await;
    let client = broker.client().await;
    let _program = program(&client, &office(), Options { jobs: 1, ..QUICK }).await;
    for _ in 0..3 {
        // The last word of a job is out before its hands are free.
        while news(&mut ask(&client, "costumes").await).await["refused"].is_string() {}
    }
}

#[tokio::test]
async fn a_seat_that_is_sold_is_hinted_at() {
    let broker = Broker::start().await;
    let client = broker.client().await;
    let office = office();
    let (_program, mut hints) = program(&client, &office, QUICK).await;
    let before = sold(&office);
    publish(&client, SALES, "one, please".into()).await;
    message(&mut hints).await;
    assert!(sold(&office) > before);
}

#[tokio::test]
async fn it_outlives_its_broker() {
    let broker = Process::start().await;
    let client = broker.client_builder().idle_timeout(Duration::from_secs(1)).connect().await.expect("it is there");
    let _program = program(&client, &office(), QUICK).await;
    goes_well(&client).await;
    let killed = broker.kill().await;
    let mut states = client.states();
    let broker = killed.restart().await;
    soon("the next session", states.online()).await.expect("the client does not close");
    goes_well(&client).await;
    broker.terminate().await;
}
