//! What a Rust program on the crates `spiffe` and `spiffe-rustls` does with the workload socket and with the broker endpoint.
//! Prints facts as JSON lines.

mod broker;
mod peer;
mod workload;

use serde_json::Value;
use std::error::Error;

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

pub fn say(fact: Value) {
    println!("{fact}");
}

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["fetch-x509", endpoint] => workload::fetch_x509(endpoint).await,
        ["x509-source", endpoint] => workload::x509_source(endpoint).await,
        ["fetch-jwt", endpoint, audiences @ ..] => workload::fetch_jwt(endpoint, audiences).await,
        ["jwt-source", endpoint, audience] => workload::jwt_source(endpoint, audience).await,
        ["watch-x509", endpoint, count] => workload::watch_x509(endpoint, count.parse()?).await,
        ["broker", endpoint, socket, server, pid, audience] => {
            broker::ask(endpoint, socket, server, pid.parse()?, audience).await
        }
        ["peer"] => peer::run().await,
        _ => Err(format!("what is {words:?}?").into()),
    }
}
