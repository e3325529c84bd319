//! The browser's door: it will translate WebSocket traffic into the bus's frames. Nothing stands here yet but the place.
//!
//! What will be here: an HTTP listener that takes the socket back after the upgrade, one actor a browser, pure
//! translators between browser messages and [`callboard_protocol::frame`]s, and the pages. It will ask for an
//! *upstream* (`open(peer, format) -> session`) and never name the broker, so that the same bridge runs inside the
//! broker's process and alone at the edge.
