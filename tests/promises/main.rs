//! What Callboard promises, one file a promise; the first line of each file is the promise.
