//! The HTTP listener for `/metrics`, `/healthz` and `/readyz`: few connections, short ones; it shows and changes nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use callboard_bridge_ws::edge::Observer;
use callboard_bridge_ws::next_connection;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::edge::Edge;
use super::exposition::{self, Subject};
use crate::broker::StartError;

/// Connections at once: a few scrapers and probes. Others wait in the kernel.
const CONNECTIONS_MAX: usize = 16;

/// How long a connection may take from its first byte to its last; a scraper takes milliseconds.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(10);

const INDEX: &str = "\
/metrics  what is counted here, for Prometheus
/healthz  200 while the process lives
/readyz   200 while new connections are accepted; 503 while starting or draining, or while the broker refuses this bridge
";

/// The open listener; closes when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Server {
    /// Serves what can be seen of a bridge at an edge, which with its configuration may come to need so much memory.
    ///
    /// # Errors
    ///
    /// That it cannot listen there.
    pub async fn of_edge(listen: SocketAddr, observer: Observer, memory_bound_bytes: u64) -> Result<Self, StartError> {
        Self::open(listen, Arc::new(Edge { observer, memory_bound_bytes })).await
    }

    /// Binds the listener and begins to serve.
    pub(crate) async fn open(listen: SocketAddr, subject: Arc<dyn Subject>) -> Result<Self, StartError> {
        let failed = |source| StartError::Metrics { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, routes(subject)));
        tracing::info!(%address, "serving metrics");
        Ok(Self { address, _serving: serving })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn routes(subject: Arc<dyn Subject>) -> Router {
    Router::new()
        .route("/", get(async || INDEX))
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .with_state(subject)
}

async fn metrics(State(subject): State<Arc<dyn Subject>>) -> Response {
    match exposition::render(&subject) {
        Ok(text) => ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be written: {error}\n")).into_response()
        }
    }
}

async fn readyz(State(subject): State<Arc<dyn Subject>>) -> (StatusCode, &'static str) {
    if subject.is_accepting() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: starting, draining, or refused by the broker\n")
    }
}

async fn serve(listener: TcpListener, routes: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        let (stream, _) = next_connection(&listener).await;
        let answer = answer(stream, routes.clone());
        connections.spawn(async move {
            // A peer that takes too long, or goes away, is of no further interest.
            let _ = timeout(CONNECTION_TIME_MAX, answer).await;
            drop(place);
        });
    }
}

async fn answer(stream: TcpStream, routes: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let _ = connection.await;
}
